/** Clients that come and go, politely and rudely, ten thousand of them: nothing of them is left. */
import { create, toBinary } from '@bufbuild/protobuf';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { GetRecommendationsRequestSchema } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { facade, PUBLISH, RECOMMEND } from '../connectors/grpc/facade.js';
import { keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';

const CONNECTIONS = 10_000;
const AT_ONCE = 50;
/** Far below what a connection or a call that stays would keep, times those that came and went. */
const LEFT_BYTES_MAX = 16 * 2 ** 20;

const message = toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId: '512' }));
const frame = Buffer.alloc(5 + message.length);
frame.writeUInt32BE(message.length, 1);
frame.set(message, 5);

const headersFor = (path: string, token: string): Record<string, string> => ({
  ':method': 'POST',
  ':path': path,
  'content-type': 'application/grpc',
  te: 'trailers',
  authorization: `Bearer ${token}`,
});

const closed = (session: ClientHttp2Session): Promise<void> =>
  new Promise((resolve) => {
    session.on('error', () => undefined);
    session.once('close', resolve);
  });

type Guest = (port: number, token: string) => Promise<void>;

async function overHttp2(port: number, act: (session: ClientHttp2Session) => void): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const gone = closed(session);
  act(session);
  await gone;
}

const GUESTS: readonly Guest[] = [
  // Asks, reads the answer, goes.
  (port, token) =>
    overHttp2(port, (session) => {
      const call = session.request(headersFor(RECOMMEND, token));
      call.resume().once('end', () => session.close());
      call.end(frame);
    }),
  // Has no token.
  (port) =>
    overHttp2(port, (session) => {
      const call = session.request(headersFor(RECOMMEND, 'x.y.z'));
      call.resume().once('end', () => session.close());
      call.end(frame);
    }),
  // Is gone before the answer, in the middle of its request.
  (port, token) =>
    overHttp2(port, (session) => {
      session
        .request(headersFor(RECOMMEND, token))
        .on('error', () => undefined)
        .write(frame.subarray(0, 3));
      session.once('remoteSettings', () => session.destroy());
    }),
  // Begins to publish, and cuts the connection.
  (port, token) =>
    overHttp2(port, (session) => {
      session
        .request(headersFor(PUBLISH, token))
        .on('error', () => undefined)
        .write(frame);
      session.once('remoteSettings', () => session.destroy());
    }),
  // Speaks something else.
  (port) =>
    new Promise((resolve) => {
      const socket = connectTcp(port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\n\r\n'));
      socket.on('error', () => undefined);
      socket.resume().once('close', () => resolve());
    }),
];

async function visits(port: number, token: string, count: number): Promise<void> {
  let next = 0;
  const guest = async (): Promise<void> => {
    while (next < count) await GUESTS[next++ % GUESTS.length]!(port, token);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, guest));
}

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => /TCP/.test(kind)).length;

it('ten thousand connections leave no handle, no call and no memory behind', async () => {
  const key = await signingKey('k1');
  const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
  const counts = { began: 0, ended: 0 };
  const observer = { began: () => void counts.began++, ended: () => void counts.ended++ };
  const limits = { callsPerSecond: 1e6, callBurst: 1e6 };
  const { server, client } = await facade({ auth, limits, observer }, { token: await key.sign() });
  const token = await key.sign();
  await client.health();
  const before = sockets();

  // What is grown once, such as pools and compiled code, is there after the first part.
  await visits(server.port, token, CONNECTIONS / 4);
  await eventually(() => expect(sockets()).toBe(before));
  const startBytes = heapBytes();
  await visits(server.port, token, (CONNECTIONS * 3) / 4);
  await eventually(() => expect(sockets()).toBe(before));
  await eventually(() => expect(counts.ended).toBe(counts.began));
  expect(counts.began).toBeGreaterThan(CONNECTIONS / GUESTS.length);
  expect(heapBytes() - startBytes).toBeLessThan(LEFT_BYTES_MAX);

  expect((await client.getRecommendations({ userId: '512' })).items).toHaveLength(2);
});
