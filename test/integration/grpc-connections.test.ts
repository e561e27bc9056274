/** The number of connections that the façade keeps. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import pino from 'pino';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { ConnectOptions } from '../../connectors/grpc/client/client.js';
import type { GrpcServerOptions } from '../../connectors/grpc/server/server.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { facade } from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const certificates = new Certificates();
beforeAll(() => {
  if (noOpenssl !== undefined) return;
  certificates.selfSigned('ca');
  certificates.signed('server', 'ca');
});
afterAll(() => certificates.remove());

async function guest(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** The façade with its client on one connection, and room for one more. */
async function small(options: Partial<GrpcServerOptions> = {}, connecting: ConnectOptions = {}) {
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(line) });
  const { server, client } = await facade({ ...options, logger, limits: { connectionsMax: 2 } }, connecting);
  await client.getRecommendations({ userId: '512' });
  return { port: server.port, client, said: () => lines.filter((line) => line.includes('turned away')) };
}

async function isBounded({ port, client, said }: Awaited<ReturnType<typeof small>>): Promise<void> {
  const second = await guest(port);
  for (let i = 0; i < 3; i++) {
    const third = await guest(port);
    if (!third.closed) await once(third, 'close');
  }
  expect(second.closed).toBe(false);
  expect(said()).toHaveLength(1);
  await client.getRecommendations({ userId: '512' });
  second.destroy();
  // Its place is free as soon as the server has seen it go.
  await eventually(async () => {
    const fourth = await guest(port);
    fourth.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await Promise.race([once(fourth, 'data').then(() => 'answered'), once(fourth, 'close')])).toBe('answered');
  });
}

it('is bounded: one above is closed, those that are there go on, and the log says so once a minute', async () => {
  await isBounded(await small());
});

it.skipIf(noOpenssl)(`is bounded with TLS too${skipped(noOpenssl)}`, async () => {
  const from = (name: string): string => certificates.path(name);
  const tls = { certPath: from('server.pem'), keyPath: from('server.key') };
  const { port, client, said } = await small({ tls }, { tls: { caPath: from('ca.pem') } });
  await guest(port);
  const third = await guest(port);
  if (!third.closed) await once(third, 'close');
  expect(said()).toHaveLength(1);
  await client.getRecommendations({ userId: '512' });
});
