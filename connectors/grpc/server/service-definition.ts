/** grpc-js definitions of the services that protobuf-es generated: there is no released generator for the pair. */
import { type DescMessage, type DescService, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

type Definition<S extends DescService> = {
  [M in keyof S['method']]: MethodDefinition<
    MessageShape<S['method'][M]['input']>,
    MessageShape<S['method'][M]['output']>
  >;
};

/** Messages in and out. */
export function serviceDefinition<S extends DescService>(service: S): Definition<S> {
  return define(service, codecOf) as Definition<S>;
}

type ByteDefinition<S extends DescService> = { [M in keyof S['method']]: MethodDefinition<Buffer, Buffer> };

/** Bytes in and out: for handlers that validate requests themselves and encode responses directly. */
export function byteServiceDefinition<S extends DescService>(service: S): ByteDefinition<S> {
  return define(service, () => BYTES) as ByteDefinition<S>;
}

interface Codec {
  readonly serialize: (value: unknown) => Buffer;
  readonly deserialize: (bytes: Buffer) => unknown;
}

const BYTES: Codec = { serialize: (value) => value as Buffer, deserialize: (bytes) => bytes };

const codecOf = (message: DescMessage): Codec => ({
  serialize: (value) => asBuffer(toBinary(message, value as MessageShape<DescMessage>)),
  deserialize: (bytes) => fromBinary(message, bytes),
});

function define(service: DescService, codec: (message: DescMessage) => Codec): ServiceDefinition {
  const methods = service.methods.map((method) => {
    const [input, output] = [codec(method.input), codec(method.output)];
    return [
      method.localName,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
        responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
        requestSerialize: input.serialize,
        requestDeserialize: input.deserialize,
        responseSerialize: output.serialize,
        responseDeserialize: output.deserialize,
      } satisfies MethodDefinition<unknown, unknown>,
    ];
  });
  return Object.fromEntries(methods) as ServiceDefinition;
}

/** The same bytes: grpc-js copies messages by a method that only Buffer has. */
export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
