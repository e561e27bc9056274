/** What a running server must be: its version, the durability it cannot tell of, and servers for the replicas. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import { withoutJetStream } from '../../../../connectors/nats/log/stream-manager.js';
import { isAtLeast } from '../../../../connectors/nats/provision/version.js';
import { clusterFindings } from '../../../../runtime/cli/doctor/nats.js';
import { testSupervision } from '../../../support/nats.js';
import { openNats } from '../../../../runtime/node/nats.js';

const servers: Server[] = [];
const sockets = new Set<Socket>();
const apiError = (code: number, err_code: number) => new JetStreamApiError({ code, err_code, description: 'no' });

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => once(server.close(), 'close')));
});

/** Says that it is a nats-server of this version, and that it is there. */
async function serverOf(version: string): Promise<string> {
  const info = { server_id: 'X', version, proto: 1, headers: true, max_payload: 1_048_576, jetstream: true };
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on('data', (data) => {
      if (data.includes('PING')) socket.write('PONG\r\n');
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function said(version: string, durability: 'process' | 'power' = 'process'): Promise<string[]> {
  const told: string[] = [];
  const nats = await openNats({
    nats: { url: await serverOf(version) },
    dataDir: '/nowhere',
    durability,
    natsAnonymous: false,
    onProgress: (message) => told.push(message),
    ...testSupervision(),
  });
  await nats.stop();
  return told;
}

describe('a running server', () => {
  it.each(['2.14.0', '2.15.1', '2.16.0-RC.1', '3.0.0'])('of %s is taken without a word', async (version) => {
    expect(await said(version)).toEqual([]);
  });

  it.each(['2.9.0', '2.12.3', '2.13.9'])('of %s is taken with a warning that says what it lacks', async (version) => {
    const told = await said(version);
    expect(told).toEqual([expect.stringMatching(`nats-server ${version} .* good for a try only. It lacks: .*Raft`)]);
  });

  it.each(['2.8.4', '1.4.1'])('of %s is refused with NATS_TOO_OLD', async (version) => {
    const refused = { reaction: 'fatal', code: 'NATS_TOO_OLD', hint: expect.stringContaining('upgrade') as string };
    await expect(connectNats({ url: await serverOf(version) }, 'test')).rejects.toMatchObject(refused);
    await expect(said(version)).rejects.toMatchObject(refused);
  });

  it('that must sync every write is not believed to: rivulet says that it cannot see it', async () => {
    expect(await said('2.15.1', 'power')).toEqual([expect.stringContaining('sync_interval: always')]);
  });
});

it('a release candidate counts as its release', () => {
  expect(isAtLeast('2.15.0-RC.1', '2.15.0')).toBe(true);
  expect(isAtLeast('2.13.0-preview.2', '2.14.0')).toBe(false);
});

it.each([
  ['silent: nobody has led the cluster for a moment', new errors.TimeoutError(), 'NATS_LEADERLESS'],
  ['leaderless for longer, and says so', apiError(503, 10008), 'NATS_LEADERLESS'],
  ['without JetStream for the account', apiError(503, 10039), 'NATS_JETSTREAM'],
])('a server that is %s', (_, error, code) => {
  expect(withoutJetStream(error)).toMatchObject({ reaction: 'fatal', code });
});

describe('doctor', () => {
  const url = 'nats://a';
  const states = (
    config: { replicas: number; durability?: 'process' | 'power' },
    info: { cluster?: string; connect_urls?: string[] },
  ): string[] =>
    clusterFindings({ durability: 'process', natsUrl: url, ...config }, info, url).map(
      ({ state, message }) => `${state}: ${message}`,
    );
  const three = { cluster: 'c', connect_urls: ['a:1', 'b:1', 'c:1'] };

  it.each([
    ['one server, one replica', { replicas: 1 }, {}, []],
    ['three and three', { replicas: 3 }, three, []],
    ['a cluster that does not tell its servers', { replicas: 3 }, { cluster: 'c' }, []],
    ['one server, three replicas', { replicas: 3 }, {}, [/^broken: replicas is 3, .* is a single server/]],
    ['three servers, five replicas', { replicas: 5 }, three, [/^broken: replicas is 5, .* are 3 servers/]],
    ['three servers, one replica', { replicas: 1 }, three, [/^warning: replicas is 1/]],
    ['power', { replicas: 3, durability: 'power' as const }, three, [/^warning: .*cannot check/]],
  ])('of %s', (_, config, info, expected) => {
    const found = states(config, info);
    expect(found).toHaveLength(expected.length);
    for (const [i, pattern] of expected.entries()) expect(found[i]).toMatch(pattern);
  });
});
