/** Streams saved and restored by a real nats-server: what must survive, and what must not pass for whole. */
import { createHash } from 'node:crypto';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../../connectors/nats/log/log.js';
import { type SavedStream, StreamArchive } from '../../../../connectors/nats/log/stream-archive.js';
import { utf8 } from '../../../../runtime/frames/bytes.js';
import { seededRandom } from '../../../../actors/maths/random.js';
import type { Log, LogMessage } from '../../../../runtime/contract/ports.js';
import { startTestNats, type TestNats } from '../../../support/nats.js';

const STREAM = 'RIVULET_SUM';
const MESSAGE_BYTES = 3_000;
const NEVER = new AbortController().signal;

let servers: TestNats[] = [];
let connections: NatsConnection[] = [];
let logs: Log[] = [];

beforeEach(() => {
  [servers, connections, logs] = [[], [], []];
});
afterEach(async () => {
  await Promise.all(logs.map((log) => log.close()));
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all(servers.map((server) => server.stop()));
});

async function place(): Promise<{ server: TestNats; log: Log; archive: StreamArchive; connection: NatsConnection }> {
  const server = await startTestNats();
  servers.push(server);
  const connection = await connectNats({ url: server.url }, 'archive');
  connections.push(connection);
  const log = await openNatsLog(await connectNats({ url: server.url }, 'log'));
  logs.push(log);
  return { server, log, connection, archive: await StreamArchive.open(connection) };
}

const spec = {
  ...{
    name: STREAM,
    subjects: ['rivulet.sum.>'],
    bytesMax: 1e9,
    dropsOldest: false,
    replicas: 1,
    deployment: 'two partitions',
  },
  transform: { from: 'rivulet.sum.*', to: 'rivulet.sum.{{partition(2,1)}}.{{wildcard(1)}}' },
};

/** Bytes that do not compress, other ones for each message. */
function noise(seed: number): Uint8Array {
  const random = seededRandom(seed + 1);
  return Uint8Array.from({ length: MESSAGE_BYTES }, () => Math.floor(random() * 256));
}

/** Three subjects, each message fenced by the one before; then trimmed in the middle and at the end. */
async function fill(log: Log, count: number): Promise<void> {
  await log.ensureStream(spec);
  const last = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const data = noise(i);
    const options = { expected: last[i % 3]!, headers: { number: String(i) } };
    last[i % 3] = await log.publish(`rivulet.sum.0.from.${i % 3}`, data, options);
  }
  await log.purge(STREAM, 'rivulet.sum.0.from.1', last[1]!);
}

async function saved(archive: StreamArchive): Promise<{ stream: SavedStream; chunks: Uint8Array[] }> {
  const chunks: Uint8Array[] = [];
  const stream = await archive.save(STREAM, async (chunk) => void chunks.push(Uint8Array.from(chunk)), NEVER);
  return { stream, chunks };
}

async function* all(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function messagesOf(log: Log): Promise<(Omit<LogMessage, 'data'> & { readonly digest: string })[]> {
  const { lastSequence } = await log.info(STREAM);
  const reader = await log.read(STREAM, { filters: ['rivulet.sum.>'], from: 1 });
  const messages: (Omit<LogMessage, 'data'> & { readonly digest: string })[] = [];
  while ((messages.at(-1)?.sequence ?? 0) < lastSequence) {
    const some = await reader.take(100);
    messages.push(
      ...some.map(({ data, ...rest }) => ({ ...rest, digest: createHash('sha256').update(data).digest('hex') })),
    );
  }
  await reader.close();
  return messages;
}

it('brings back messages, sequences, times, headers and configuration; fences go on', async () => {
  const from = await place();
  await fill(from.log, 900);
  const { stream, chunks } = await saved(from.archive);
  expect(chunks.length).toBeGreaterThan(2);
  expect(await from.archive.removedSince(stream)).toBe(0);

  const to = await place();
  await to.archive.restore(stream, all(chunks), undefined);
  expect(await messagesOf(to.log)).toEqual(await messagesOf(from.log));
  const [was, is] = await Promise.all([from, to].map(({ log }) => log.info(STREAM)));
  const { firstSequence, lastSequence } = was!;
  expect(is).toMatchObject({ firstSequence, lastSequence, deployment: 'two partitions' });
  const configs = await Promise.all(
    [from, to].map(async ({ connection }) => (await (await jetstreamManager(connection)).streams.info(STREAM)).config),
  );
  expect({ ...configs[1], metadata: {} }).toEqual({ ...configs[0], metadata: {} });

  // The writer of a subject goes on behind its last message; an outsider is refused.
  const { sequence } = (await to.log.last(STREAM, 'rivulet.sum.0.from.1'))!;
  await expect(to.log.publish('rivulet.sum.0.from.1', utf8('x'), { expected: 1 })).rejects.toMatchObject({
    code: 'FENCED',
  });
  expect(await to.log.publish('rivulet.sum.0.from.1', utf8('x'), { expected: sequence })).toBe(901);
  // What the server rewrites for publishers it rewrites still, and what it rewrote it does not rewrite again.
  expect(await to.log.publish('rivulet.sum.u1', utf8('x'))).toBe(902);
  expect((await to.log.last(STREAM, 'rivulet.sum.*.u1'))!.subject).toMatch(/^rivulet\.sum\.[01]\.u1$/);
});

it('gives a restored stream an identity of its own, and tells how far it is the same as each before it', async () => {
  const first = await place();
  await fill(first.log, 10);
  const original = await first.log.info(STREAM);
  const backup = await saved(first.archive);
  const [second, third] = [await place(), await place()];
  for (const { archive } of [second, third]) await archive.restore(backup.stream, all(backup.chunks), undefined);
  const [a, b] = [await second.log.info(STREAM), await third.log.info(STREAM)];
  expect(new Set([original.identity, a.identity, b.identity]).size).toBe(3);
  expect(a.origins).toEqual([{ identity: original.identity, upTo: 10 }]);

  await second.log.publish('rivulet.sum.0.from.9', utf8('x'));
  const again = await saved(second.archive);
  const fourth = await place();
  await fourth.archive.restore(again.stream, all(again.chunks), undefined);
  expect((await fourth.log.info(STREAM)).origins).toEqual([...a.origins!, { identity: a.identity, upTo: 11 }]);
  // A node that starts brings the stream to its specification: what it is a copy of stays.
  await fourth.log.ensureStream({ ...spec, bytesMax: 2e9 });
  expect((await fourth.log.info(STREAM)).origins).toHaveLength(2);
});

it('brings back a stream that is empty because it was trimmed, at its sequence', async () => {
  const from = await place();
  await fill(from.log, 6);
  await from.log.purge(STREAM, 'rivulet.sum.>', 7);
  const { stream, chunks } = await saved(from.archive);
  const to = await place();
  await to.archive.restore(stream, all(chunks), undefined);
  expect(await to.log.publish('rivulet.sum.0.from.0', utf8('x'))).toBe(7);
});

it('saves what was there when it was asked, whatever comes meanwhile, and tells of what was removed', async () => {
  const { log, archive } = await place();
  await fill(log, 300);
  let written = 0;
  const stream = await archive.save(
    STREAM,
    async () => {
      if (written++ === 0) for (let i = 0; i < 50; i++) await log.publish('rivulet.sum.0.from.7', utf8('later'));
    },
    NEVER,
  );
  expect(stream.state.last_seq).toBe(300);
  expect(await archive.removedSince(stream)).toBe(0);
  await log.purge(STREAM, 'rivulet.sum.0.from.0', 20);
  expect(await archive.removedSince(stream)).toBe(7);
});

it('refuses to restore what is damaged or cut off', async () => {
  const from = await place();
  await fill(from.log, 300);
  const { stream, chunks } = await saved(from.archive);
  const to = await place();
  const cut = all(chunks.slice(0, -1));
  await expect(to.archive.restore(stream, cut, undefined)).rejects.toMatchObject({ code: 'RESTORE_STREAM' });
  if ((await to.archive.find(STREAM)) !== undefined) await to.archive.delete(STREAM);
  const damaged = chunks.map((chunk) => Uint8Array.from(chunk));
  damaged[0]![5_000]! ^= 1;
  await expect(to.archive.restore(stream, all(damaged), undefined)).rejects.toMatchObject({ code: 'RESTORE_STREAM' });
  if ((await to.archive.find(STREAM)) !== undefined) await to.archive.delete(STREAM);
  await expect(to.archive.restore(stream, all(chunks), 3)).rejects.toMatchObject({
    code: 'RESTORE_STREAM',
    hint: expect.stringContaining('--replicas'),
  });
  await to.archive.restore(stream, all(chunks), undefined);
  await expect(to.archive.restore(stream, all(chunks), undefined)).rejects.toMatchObject({ code: 'RESTORE_STREAM' });
});

it('waits for a cluster that elects a leader, where nobody answers', async () => {
  const { log, archive, connection } = await place();
  await fill(log, 3);
  const { streams } = (archive as unknown as { readonly manager: JetStreamManager }).manager;
  const { info } = streams;
  let asked = 0;
  streams.info = (...args) =>
    asked++ % 3 === 2 ? info.apply(streams, args) : Promise.reject(new errors.TimeoutError());
  expect((await archive.find(STREAM))?.state.messages).toBe(3);
  expect(await archive.find('RIVULET_NOBODY')).toBeUndefined();
  expect((await saved(archive)).stream.state.last_seq).toBe(3);
  expect(asked).toBe(9);
  await connection.close();
});

it('does not take half a snapshot for a whole one', async () => {
  const { log, archive, connection } = await place();
  // More than the server sends before it is answered.
  await fill(log, 4_500);
  const breaking = archive.save(
    STREAM,
    async () => {
      await connection.reconnect();
    },
    NEVER,
  );
  await expect(breaking).rejects.toMatchObject({ code: 'ARCHIVE_BROKEN' });
  const abort = new AbortController();
  const aborted = archive.save(STREAM, async () => abort.abort(new Error('enough')), abort.signal);
  await expect(aborted).rejects.toThrow('enough');
});
