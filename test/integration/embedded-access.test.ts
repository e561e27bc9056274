/** Who may do what at the embedded server (connectors/nats/embedded/node-key.ts): a node with its key everything, a stranger next to nothing. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { type EmbeddedNats, type EmbeddedNatsOptions } from '../../connectors/nats/embedded/embedded.js';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { until } from '../support/nats-cluster.js';
import { startEmbedded } from '../support/nats.js';

const OPEN_TO_ALL = { anonymousSubjects: ['rivulet.events.>', 'rivulet.items.>'] };

let storeDir: string;
let server: EmbeddedNats | undefined;
const connections: NatsConnection[] = [];

beforeEach(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'rivulet-access-'));
});

afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close();
  await server?.stop();
  server = undefined;
  await rm(storeDir, { recursive: true, force: true, maxRetries: 3 });
});

async function start(options: Partial<EmbeddedNatsOptions>): Promise<EmbeddedNats> {
  await server?.stop();
  return (server = await startEmbedded({ storeDir, ...options }));
}

async function asNode({ url, nkeyFile }: EmbeddedNats): Promise<NatsConnection> {
  const connection = await connectNats({ url, ...(nkeyFile === undefined ? {} : { nkeyFile }) }, 'node');
  connections.push(connection);
  return connection;
}

async function asStranger({ url }: EmbeddedNats): Promise<NatsConnection> {
  const connection = await connect({ servers: url });
  connections.push(connection);
  return connection;
}

async function streamsOn(node: NatsConnection): Promise<void> {
  const { streams } = await jetstreamManager(node);
  await streams.add({ name: 'RIVULET_PARSE', subjects: ['rivulet.parse.>', 'rivulet.events.>'] });
  await streams.add({ name: 'RIVULET_WINDOW', subjects: ['rivulet.window.>'] });
  await streams.add({ name: 'RIVULET_CATALOGUE', subjects: ['rivulet.items.>'] });
}

const messagesIn = async (node: NatsConnection, stream: string): Promise<number> =>
  (await (await jetstreamManager(node)).streams.info(stream)).state.messages;

/** What the server says of a connection that oversteps. */
function refusalOf(connection: NatsConnection): Promise<string> {
  return new Promise((resolve) => {
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') resolve(status.error.message);
    })();
  });
}

describe('who comes without credentials', () => {
  it('publishes events and items, and has them acknowledged', async () => {
    const embedded = await start({ access: OPEN_TO_ALL });
    const node = await asNode(embedded);
    await streamsOn(node);
    const js = jetstream(await asStranger(embedded));
    expect(await js.publish('rivulet.events.view.ann', '{}')).toMatchObject({ stream: 'RIVULET_PARSE', seq: 1 });
    expect(await js.publish('rivulet.items.p-1', '{}')).toMatchObject({ stream: 'RIVULET_CATALOGUE', seq: 1 });
    // Without waiting for the acknowledgement as well.
    const stranger = await asStranger(embedded);
    stranger.publish('rivulet.events.view.bob', '{}');
    await until('the event', async () => ((await messagesIn(node, 'RIVULET_PARSE')) === 2 ? true : undefined));
  });

  it.each([
    'rivulet.window.0.watermark.0',
    'rivulet.parse.0.clock.0',
    '$JS.API.STREAM.PURGE.RIVULET_WINDOW',
    '$KV.RIVULET_COPIES.user-0',
    '$SYS.REQ.SERVER.PING',
    '_INBOX.any',
  ])('may not publish on %s', async (subject) => {
    const stranger = await asStranger(await start({ access: OPEN_TO_ALL }));
    const refused = refusalOf(stranger);
    stranger.publish(subject, 'x');
    expect(await refused).toMatch(/permissions violation for publish/i);
  });

  it.each(['>', 'rivulet.>', 'rivulet.events.>', '$JS.>', '$KV.>', '$SYS.>', '_R_.>'])(
    'may not listen to %s',
    async (subject) => {
      const stranger = await asStranger(await start({ access: OPEN_TO_ALL }));
      const refused = refusalOf(stranger);
      stranger.subscribe(subject, { callback: () => undefined });
      expect(await refused).toMatch(/permissions violation for subscription/i);
    },
  );

  it('sees nothing of what the node is answered', async () => {
    const embedded = await start({ access: OPEN_TO_ALL });
    const stranger = await asStranger(embedded);
    const seen: string[] = [];
    stranger.subscribe('_INBOX.>', { callback: (_, { subject }) => void seen.push(subject) });
    await stranger.flush();
    const node = await asNode(embedded);
    await streamsOn(node);
    const log = await openNatsLog(node);
    await log.publish('rivulet.window.0.watermark.0', new TextEncoder().encode('of ann'));
    const reader = await log.read('RIVULET_WINDOW', { filters: ['rivulet.window.0.>'], from: 1 });
    expect(await reader.take(1)).toHaveLength(1);
    await reader.close();
    const table = await openKeyValue(node, { bucket: 'RIVULET_TRY', replicas: 1 });
    await table.put('key', new TextEncoder().encode('of ann'));
    expect(await table.entries()).toHaveLength(1);
    // What it was sent before this answer has reached it.
    await stranger.flush();
    expect(seen).toEqual([]);
  });

  it('reaches nothing else by the subject that it wants the acknowledgement on', async () => {
    const embedded = await start({ access: OPEN_TO_ALL });
    const node = await asNode(embedded);
    await streamsOn(node);
    await jetstream(node).publish('rivulet.window.0.watermark.0', 'genuine');
    const stranger = await asStranger(embedded);
    for (const reply of ['rivulet.window.0.watermark.0', '$JS.API.STREAM.PURGE.RIVULET_WINDOW']) {
      for (let n = 0; n < 3; n++) stranger.publish('rivulet.events.view.ann', '{}', { reply });
    }
    await until('the events', async () => ((await messagesIn(node, 'RIVULET_PARSE')) === 6 ? true : undefined));
    await jetstream(stranger).publish('rivulet.events.view.ann', '{}');
    expect(await messagesIn(node, 'RIVULET_WINDOW')).toBe(1);
  });

  it('is not let in where only the node may', async () => {
    const embedded = await start({ access: { anonymousSubjects: [] } });
    await expect(connect({ servers: embedded.url, reconnect: false })).rejects.toThrow(/authorization/i);
    await streamsOn(await asNode(embedded));
  });
});

describe('the key of the node', () => {
  it('is for its owner alone, and stays when the server starts again', async () => {
    const first = await start({ access: OPEN_TO_ALL });
    const key = await readFile(first.nkeyFile!, 'utf8');
    expect((await stat(first.nkeyFile!)).mode & 0o777).toBe(0o600);
    await streamsOn(await asNode(first));
    const second = await start({ access: OPEN_TO_ALL });
    expect(await readFile(second.nkeyFile!, 'utf8')).toBe(key);
    expect(await messagesIn(await asNode(second), 'RIVULET_PARSE')).toBe(0);
  });

  it('is made anew where it is not a key any more', async () => {
    const { nkeyFile } = await start({ access: OPEN_TO_ALL });
    await server!.stop();
    await writeFile(nkeyFile!, 'SU');
    await asNode(await start({ access: OPEN_TO_ALL }));
  });

  it('is never in the configuration of the server', async () => {
    const { nkeyFile } = await start({ access: OPEN_TO_ALL });
    const config = await readFile(join(storeDir, 'nats-server.conf'), 'utf8');
    expect(config).not.toContain((await readFile(nkeyFile!, 'utf8')).trim());
  });
});

it('what was stored before there were accounts is still there', async () => {
  const before = await asNode(await start({}));
  await streamsOn(before);
  await jetstream(before).publish('rivulet.events.view.ann', '{}');
  const { streams } = await jetstreamManager(await asNode(await start({ access: OPEN_TO_ALL })));
  expect((await streams.info('RIVULET_PARSE')).state).toMatchObject({ messages: 1, last_seq: 1 });
});

it('the server opens one port, and no other', async () => {
  await start({ access: OPEN_TO_ALL });
  const file = (await readdir(storeDir)).find((name) => name.endsWith('.ports'))!;
  expect(Object.keys(JSON.parse(await readFile(join(storeDir, file), 'utf8')) as object)).toEqual(['nats']);
});
