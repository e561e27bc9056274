/** Server reflection, as a client of the library sees it; as grpcurl and ghz do: test/clients/grpc-tools.test.ts. */
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bareClient, facade } from '../connectors/grpc/facade.js';

const SERVICES = ['grpc.health.v1.Health', 'rivulet.v1.EventService', 'rivulet.v1.RecommendationService'];

interface Reply {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
  readonly errorResponse?: { readonly errorCode: number };
}

/** Asks the reflection service of a version one question. */
async function ask(address: string, version: 'v1' | 'v1alpha', question: object): Promise<Reply> {
  const library = dirname(createRequire(import.meta.url).resolve('@grpc/reflection'));
  const file = join(library, '..', 'proto', 'grpc', 'reflection', version, 'reflection.proto');
  const service = loadSync(file)[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition;
  const method = service['ServerReflectionInfo'] as unknown as MethodDefinition<object, Reply>;
  const { path, requestSerialize, responseDeserialize } = method;
  const stream = bareClient(address).makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
  return new Promise((resolve, reject) => {
    stream.on('data', resolve);
    stream.on('error', reject);
    stream.end(question);
  });
}

describe.each(['v1', 'v1alpha'] as const)('reflection %s', (version) => {
  it('lists the services', async () => {
    const { address } = await facade();
    const reply = await ask(address, version, { listServices: '*' });
    expect(reply.listServicesResponse?.service.map(({ name }) => name).sort()).toEqual(SERVICES);
  });

  it.each([
    [
      'rivulet.v1.EventService',
      ['rivulet/v1/event_service.proto', 'rivulet/v1/event.proto', 'google/protobuf/timestamp.proto'],
    ],
    [
      'rivulet.v1.RecommendedItem',
      ['rivulet/v1/recommendation_service.proto', 'google/protobuf/timestamp.proto', 'google/protobuf/duration.proto'],
    ],
    ['google.rpc.BadRequest', ['google/rpc/error_details.proto', 'google/protobuf/duration.proto']],
    ['grpc.health.v1.Health', ['grpc/health/v1/health.proto']],
  ])('has the file of %s, and what it imports, as the compiler made them', async (symbol, files) => {
    const { address } = await facade();
    const reply = await ask(address, version, { fileContainingSymbol: symbol });
    const found = reply.fileDescriptorResponse!.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    expect(found.map(({ name }) => name).sort()).toEqual([...files].sort());
    for (const { dependency } of found) expect(files).toEqual(expect.arrayContaining(dependency));
  });

  it('says so when it does not know a name', async () => {
    const { address } = await facade();
    expect(await ask(address, version, { fileContainingSymbol: 'a.B' })).toMatchObject({
      errorResponse: { errorCode: 5 },
    });
  });
});
