/** Server reflection, as a client of the library sees it, and as grpcurl and ghz do. */
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bareClient, facade } from '../connectors/grpc/facade.js';
import { GHZ, goTool, GRPCURL } from '../support/go-tools.js';

const SERVICES = ['grpc.health.v1.Health', 'rivulet.v1.EventService', 'rivulet.v1.RecommendationService'];
const run = promisify(execFile);

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
    ['rivulet.v1.RecommendedItem', ['rivulet/v1/recommendation_service.proto', 'google/protobuf/timestamp.proto']],
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

const [grpcurlTool, ghzTool] = [await goTool(GRPCURL), await goTool(GHZ)];
const skipped = (tool: object): string => ('missing' in tool ? ` (skipped: ${String(tool.missing)})` : '');

describe.skipIf('missing' in grpcurlTool)(`grpcurl${skipped(grpcurlTool)}`, () => {
  const command = 'command' in grpcurlTool ? grpcurlTool.command : '';
  const grpcurl = async (...args: string[]): Promise<string> => (await run(command, ['-plaintext', ...args])).stdout;

  it('lists and describes', async () => {
    const { address } = await facade();
    expect((await grpcurl(address, 'list')).trim().split('\n')).toEqual(SERVICES);
    expect(await grpcurl(address, 'describe', 'rivulet.v1.RecommendedItem')).toContain('optional string title = 7;');
    expect(await grpcurl(address, 'describe', 'google.rpc.ErrorInfo')).toContain('map<string, string> metadata = 3;');
    for (const symbol of [...SERVICES, 'rivulet.v1.Event', 'google.rpc.Status']) {
      expect(await grpcurl(address, 'describe', symbol)).toContain(`${symbol} is a`);
    }
  });

  it('calls, knowing nothing but the address', async () => {
    const { address, server } = await facade();
    server.setServing(true);
    const answer = await grpcurl(
      '-d',
      '{"user_id": "512", "limit": 1}',
      address,
      'rivulet.v1.RecommendationService/GetRecommendations',
    );
    expect(JSON.parse(answer)).toMatchObject({
      userId: '512',
      items: [{ itemId: '1004856', rank: 1, score: 12.5 }],
      asOf: '2019-10-01T00:05:00.250Z',
    });
    const event =
      '{"user_id": "512", "item_id": "1", "event_type": "EVENT_TYPE_VIEW", "event_time": "2019-10-01T00:00:00Z"}';
    const summary = await grpcurl(
      '-d',
      `{"events": [${event}]} {"events": [{}]}`,
      address,
      'rivulet.v1.EventService/PublishEvents',
    );
    expect(JSON.parse(summary)).toMatchObject({
      accepted: '1',
      rejected: '1',
      errors: [{ index: '1', field: 'event_type' }],
    });
    expect(JSON.parse(await grpcurl(address, 'grpc.health.v1.Health/Check'))).toEqual({ status: 'SERVING' });
  });

  it('shows the details of an error', async () => {
    const { address } = await facade();
    const call = grpcurl('-d', '{"limit": 101}', address, 'rivulet.v1.RecommendationService/GetRecommendations');
    const { stderr } = await call.then(
      () => expect.unreachable(),
      (error: unknown) => error as { stderr: string },
    );
    expect(stderr).toContain('InvalidArgument');
    expect(stderr).toContain('"@type": "type.googleapis.com/google.rpc.BadRequest"');
    expect(stderr).toContain('"field": "user_id"');
    expect(stderr).toContain('"field": "limit"');
  });
});

describe.skipIf('missing' in ghzTool)(`ghz${skipped(ghzTool)}`, () => {
  const command = 'command' in ghzTool ? ghzTool.command : '';

  it('calls a thousand times, knowing nothing but the address', async () => {
    const { address, server } = await facade();
    server.setServing(true);
    const load = ['--total', '1000', '--concurrency', '20', '--connections', '2', '--format', 'json'];
    const call = ['--call', 'rivulet.v1.RecommendationService/GetRecommendations', '--data', '{"user_id": "512"}'];
    const report = JSON.parse((await run(command, ['--insecure', ...load, ...call, address])).stdout);
    expect(report).toMatchObject({ count: 1000, statusCodeDistribution: { OK: 1000 } });
  });
});
