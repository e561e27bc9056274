/** deploy/nats: each file is one that nats-server starts with, nodes can do their work with it, and publishers theirs and nothing else. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { pipelineOptions, streamBytesMax } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { streamsOf } from '../../runtime/contract/streams.js';
import { workingDirectory } from '../cli/run-cli.js';
import { SmallNodes } from '../cli/small-node.js';
import { until } from '../support/nats-cluster.js';
import { testNatsServer } from '../support/nats.js';
import { answerOf } from './deploy-tools.js';
import { DEPLOY } from './deploy-files.js';
import { type NatsOfFiles, startNatsOfFiles } from './nats-of-files.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const NATS = join(DEPLOY, 'nats');

const SECRETS = { NATS_RIVULET_PASSWORD: '"123456"', NATS_PUBLISHER_PASSWORD: '"{ a # b"' };
const CLUSTER = { NATS_NAME: '"n0"', NATS_ROUTES: '["nats://a:6222", "nats://b:6222"]', NATS_ROUTE_PASSWORD: '"1e5"' };

const folder = mkdtempSync(join(tmpdir(), 'rivulet-nats-config-'));
let binary: string;
beforeAll(async () => {
  binary = (await testNatsServer()).path;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const checked = (file: string, env: NodeJS.ProcessEnv) => answerOf(binary, ['-t', '-c', join(NATS, file)], { env });

describe('nats-server takes', () => {
  it.each([
    ['single.conf', SECRETS],
    ['cluster.conf', { ...SECRETS, ...CLUSTER }],
  ])('%s', async (file, env) => {
    const { code, stderr } = await checked(file, env);
    expect([code, stderr]).toEqual([0, expect.stringContaining('is valid')]);
  });

  it.skipIf(noOpenssl)(`cluster-power.conf${skipped(noOpenssl)}`, async () => {
    const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
    ];
    execFileSync('openssl', [...request, '-subj', '/CN=nats', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const tls = { NATS_TLS_CERT: `"${cert}"`, NATS_TLS_KEY: `"${key}"`, NATS_TLS_CA: `"${cert}"` };
    const { code, stderr } = await checked('cluster-power.conf', { ...SECRETS, ...CLUSTER, ...tls });
    expect([code, stderr]).toEqual([0, expect.stringContaining('is valid')]);
  });

  it.each(Object.keys({ ...SECRETS, ...CLUSTER }))('nothing without %s', async (name) => {
    const { [name]: _, ...others } = { ...SECRETS, ...CLUSTER } as Record<string, string>;
    const { code, stderr } = await checked('cluster.conf', others);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(name)]);
  });
});

it('the store has room for what all streams reserve, and the files say how many these are', () => {
  const { config } = loadConfig({ cwd: folder, env: {}, cores: 4, flags: [] });
  const topology = mainTopology(pipelineOptions(config));
  const sizes = streamsOf(topology, { bytesMax: streamBytesMax(config), replicas: 1 }).map(({ bytesMax }) => bytesMax);
  const alike = sizes.filter((bytes) => bytes === streamBytesMax(config)).length;
  for (const file of ['single.conf', 'cluster.conf', 'cluster-power.conf']) {
    const [, gigabytes] = /max_file_store: (\d+)GB/.exec(readFileSync(join(NATS, file), 'utf8')) ?? [];
    // And more than half as much again for copies of state.
    expect(Number(gigabytes) * 1e9).toBeGreaterThanOrEqual(1.5 * sizes.reduce((sum, bytes) => sum + bytes));
  }
  const says = ['nats/single.conf', 'README.md'].map((file) => readFileSync(join(DEPLOY, file), 'utf8')).join();
  expect(says.match(/\d+(?= (?:streams reserve|× `RIVULET_STREAM))/g)).toEqual([`${alike}`, `${alike}`, `${alike}`]);
});

describe('a server with these files', () => {
  const { cwd, remove } = workingDirectory();
  let nats: NatsOfFiles | undefined;
  const connections: NatsConnection[] = [];
  beforeAll(async () => {
    nats = await startNatsOfFiles(binary, 'single.conf', SECRETS);
  });
  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close();
  });
  afterAll(async () => {
    await nats?.stop();
    remove();
  });

  const asPublisher = async (inboxPrefix = '_INBOX_publisher'): Promise<NatsConnection> => {
    const connection = await connect({ servers: nats!.urls, user: 'publisher', pass: '{ a # b', inboxPrefix });
    connections.push(connection);
    return connection;
  };

  it('lets in nobody whom it does not know', async () => {
    await expect(connect({ servers: nats!.urls, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  it('a node runs on it, and has what a publisher sends', async () => {
    const natsUrl = nats!.urls[0]!.replace('//', '//rivulet:123456@');
    writeFileSync(join(cwd, 'rivulet.json'), JSON.stringify({ natsUrl }));
    const nodes = new SmallNodes(cwd);
    try {
      const node = await nodes.start('node');
      const js = jetstream(await asPublisher());
      for (const n of [1, 2, 3]) {
        const event = { event_id: `e${n}`, event_type: 'purchase', event_time: `2026-11-01T10:0${n}:00Z` };
        const what = { user_id: 'u1', item_id: 'chair-1', category_code: 'home.chair', price: 5 };
        await js.publish('rivulet.events.purchase.u1', JSON.stringify({ ...event, ...what }));
      }
      expect(await node.knows('chair-1')).toContain('chair-1');
      // Copies of state are tables and objects of NATS: they need rights of their own.
      await node.copied('parse.0');
      const { code, stderr } = await node.stop();
      expect([code, stderr]).toEqual([0, expect.not.stringMatching(/permission/i)]);
      // And so do backups, in both directions.
      expect(await nodes.rivulet('node', 'backup', 'saved')).toMatchObject({ code: 0 });
      expect(await nodes.rivulet('saved-nats', 'restore', 'saved', '--replace')).toMatchObject({ code: 0 });
      // What was there is kept where the runbook says.
      expect(readdirSync(cwd)).toContainEqual(expect.stringMatching(/^saved-nats-replaced-/));
    } finally {
      await nodes.end();
    }
  });

  it.each(['rivulet.parse.0.clock.0', '$JS.API.STREAM.INFO.RIVULET_PARSE', '$KV.any.key', '_INBOX.any'])(
    'a publisher may not publish to %s',
    async (subject) => {
      const connection = await asPublisher();
      const refused = refusalOf(connection);
      connection.publish(subject, 'x');
      expect(await refused).toMatch(/permissions violation for publish/i);
    },
  );

  it.each(['rivulet.>', '_INBOX.>', '$JS.>'])('a publisher may not listen to %s', async (subject) => {
    const connection = await asPublisher();
    const refused = refusalOf(connection);
    connection.subscribe(subject, { callback: () => undefined });
    expect(await refused).toMatch(/permissions violation for subscription/i);
  });
});

it('three servers with these files are a cluster, whose streams have three copies', async () => {
  const nats = await startNatsOfFiles(binary, 'cluster.conf', { ...SECRETS, NATS_ROUTE_PASSWORD: '"route me"' }, 3);
  try {
    const connection = await connect({ servers: nats.urls, user: 'rivulet', pass: '123456', timeout: 20_000 });
    try {
      const manager = await jetstream(connection).jetstreamManager(false);
      const spec = { name: 'RIVULET_TRY', subjects: ['rivulet.try.>'], num_replicas: 3 };
      await until('a stream of three copies', () => manager.streams.add(spec));
      const peers = await until('its followers', async () => {
        const { cluster } = await manager.streams.info('RIVULET_TRY');
        const current = cluster?.replicas?.filter((replica) => replica.current) ?? [];
        return current.length === 2 ? [cluster!.leader, ...current.map(({ name }) => name)] : undefined;
      });
      expect(peers.sort()).toEqual(['nats-0', 'nats-1', 'nats-2']);
    } finally {
      await connection.close();
    }
  } finally {
    await nats.stop();
  }
});

/** What the server says of a connection that oversteps. */
function refusalOf(connection: NatsConnection): Promise<string> {
  return new Promise((resolve) => {
    void (async () => {
      for await (const status of connection.status()) {
        if (status.type === 'error') {
          resolve(status.error.message);
          return;
        }
      }
    })();
  });
}
