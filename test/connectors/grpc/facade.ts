/** A real façade on a free port with a client, for one test; and the bare client, for what the typed one would never send. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { EventReader } from '../../../actors/formats/event-reader.js';
import { systemClock } from '../../../runtime/contract/clock.js';
import {
  type ConnectOptions,
  connectRivulet,
  type EventInit,
  type RivuletClient,
} from '../../../connectors/grpc/client/client.js';
import { CallError } from '../../../connectors/grpc/client/call-error.js';
import type { Answer, CalledMethod, EndedCall, EventPublisher } from '../../../connectors/facade/ports.js';
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from '../../../connectors/grpc/server/server.js';
import { EventSchema, EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';

export const RECOMMEND = '/rivulet.v1.RecommendationService/GetRecommendations';
export const PUBLISH = '/rivulet.v1.EventService/PublishEvents';

export const ANSWER: Answer = {
  items: [
    { itemId: '1004856', rank: 1, score: 12.5, category: 'electronics', type: 'streaming_category_popularity' },
    { itemId: '1005115', rank: 2, score: 3.25, category: 'electronics', type: 'streaming_category_popularity' },
  ],
  asOfMs: Date.UTC(2019, 9, 1, 0, 5, 0, 250),
  model: 'streaming-popularity',
  strategy: 'category-popularity',
};

export interface Facade {
  readonly server: GrpcServer;
  readonly client: RivuletClient;
  readonly address: string;
  /** What the observer was told, in order. */
  readonly began: CalledMethod[];
  readonly calls: EndedCall[];
}

export const storesAll: EventPublisher = { publish: () => Promise.resolve() };

export async function facade(options: Partial<GrpcServerOptions> = {}, connect: ConnectOptions = {}): Promise<Facade> {
  const calls: EndedCall[] = [];
  const began: CalledMethod[] = [];
  const server = await startGrpcServer({
    answers: { get: () => ANSWER },
    publisher: storesAll,
    reader: new EventReader(),
    port: 0,
    clock: systemClock,
    observer: { began: (call) => began.push(call), ended: (call) => calls.push(call) },
    ...options,
  });
  const address = `127.0.0.1:${server.port}`;
  const client = await connectRivulet(address, connect);
  onTestFinished(async () => {
    client.close();
    await server.stop(200);
  });
  return { server, client, address, began, calls };
}

/** A client that sends bytes as they are. */
export function bareClient(address: string): Client {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  onTestFinished(() => client.close());
  return client;
}

const same = (bytes: Buffer): Buffer => bytes;

export const sending = (headers: Readonly<Record<string, string>>): Metadata => {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return metadata;
};

export const sendBytes = (client: Client, path: string, bytes: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), new Metadata(), {}, answered(resolve, reject));
  });

export const streamBytes = (client: Client, path: string, messages: readonly Uint8Array[]): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(path, same, same, new Metadata(), {}, answered(resolve, reject));
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
  });

const answered =
  (resolve: (bytes: Buffer) => void, reject: (error: Error) => void) =>
  (error: ServiceError | null, bytes?: Buffer): void => {
    if (error === null) resolve(bytes!);
    else reject(new CallError(error, 'the test'));
  };

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<CallError> {
  const outcome = await call.then(
    (answer) => answer,
    (error: unknown) => error,
  );
  if (!(outcome instanceof CallError)) throw new Error('the call did not fail with a CallError', { cause: outcome });
  return outcome;
}

/** A sound event, with what is given in its place. */
export const anEvent = (given: Partial<MessageInitShape<typeof EventSchema>> = {}): EventInit =>
  create(EventSchema, {
    eventType: EventType.VIEW,
    eventTime: { seconds: 1_569_888_000n },
    userId: '512',
    itemId: '1004856',
    ...given,
  } as EventInit);

export const bytesOf = (event: EventInit): Uint8Array => toBinary(EventSchema, create(EventSchema, event));

/** Events with ids e0, e1… */
export const events = (count: number, from = 0): EventInit[] =>
  Array.from({ length: count }, (_, i) => anEvent({ eventId: `e${from + i}` }));

/** A PublishEventsRequest of events that are bytes already. */
export const messageOf = (...parts: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.concat([Uint8Array.of((1 << 3) | 2, part.length), part])));

/** A publisher whose acknowledgements are given by hand, in order of the events. */
export function handPublisher(): {
  readonly publisher: EventPublisher;
  /** Ids of the events, as they came. */
  readonly asked: string[];
  readonly acks: Deferred<void>[];
} {
  const [asked, acks]: [string[], Deferred<void>[]] = [[], []];
  const publish: EventPublisher['publish'] = ({ bytes, contentType }) => {
    asked.push(contentType === 'application/json' ? idIn(bytes) : (fromBinary(EventSchema, bytes).eventId ?? ''));
    acks.push(deferred<void>());
    return acks.at(-1)!.promise;
  };
  return { publisher: { publish }, asked, acks };
}

const idIn = (json: Uint8Array): string => (JSON.parse(Buffer.from(json).toString()) as { event_id: string }).event_id;

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** A promise and what settles it. */
export function deferred<T>(): Deferred<T> {
  const settle: { resolve?: (value: T) => void; reject?: (error: Error) => void } = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(settle, { resolve, reject }));
  return { promise, resolve: (value) => settle.resolve!(value), reject: (error) => settle.reject!(error) };
}
