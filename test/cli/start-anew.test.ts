/** A node whose state is damaged: it refuses to start and says what to do; the copies mend it, and everything anew works as well. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, afterEach, expect, it } from 'vitest';
import { historyRows } from '../../actors/model.js';
import { parse } from '../../actors/parse.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { historyPieces } from '../../runtime/training/history.js';
import { planRepair } from '../../runtime/cli/repair/plan.js';
import { startAnew } from '../../runtime/cli/repair/start-anew.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { DEAD_LETTER, defineTopology, edge, source, streamOf, subjectOf, topic } from '../../runtime/contract/graph.js';
import { readOutputPosition } from '../../runtime/log-integrity/last-message.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { bodyOf, encodeFrame } from '../../runtime/frames/codec.js';
import { frameOf, rowsOf } from '../../runtime/frames/frame.js';
import { SupervisedInstance } from '../../runtime/shards/supervised-instance.js';
import { STAGE_STRATEGY } from '../../runtime/supervision/strategy.js';
import { Supervisor } from '../../runtime/supervision/supervisor.js';
import { openDeployment } from '../../runtime/node/buckets.js';
import { newStatus } from '../../runtime/telemetry/status.js';
import { MemoryStore } from '../../state/memory-store.js';
import { line, ONE } from '../runtime/actor/actor-bed.js';
import { liveToys } from '../runtime/toy-stages.js';
import { SILENT, TUNING } from '../runtime/tuning.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';
import { workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

const { cwd, remove } = workingDirectory();
const nodes = new SmallNodes(cwd);
afterEach(() => nodes.end());
afterAll(remove);

const rivulet = (...args: string[]) => nodes.rivulet('node', ...args);

/** Until the history has the three purchases of each item, once and in this order. */
const inHistory = (...items: readonly string[]): Promise<void> =>
  eventually(async () => {
    const { stdout } = await rivulet('history', 'export', '--format', 'jsonl');
    const lines = stdout.split('\n').filter((text) => text !== '');
    const bought = lines.map((text) => (JSON.parse(text) as { readonly item_id: string }).item_id);
    expect(bought).toEqual(items.flatMap((item) => [item, item, item]));
  });

it('damaged state is refused, explained, set aside, and taken from its copy; or computed anew from what comes', async () => {
  for (const item of ['chair-1', 'chair-2']) {
    const node = await nodes.start('node');
    await node.buy(item);
    await node.copied('user-0');
    const busy = await rivulet('repair');
    expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining('[NATS_STORE_IN_USE]')]);
    await node.stop();
  }
  const sound = await rivulet('repair');
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringContaining('Nothing to repair')]);

  nodes.damage('node', 'user-0');
  const refused = await rivulet('start', '--grpc-port', '0');
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[STATE_DAMAGED\]\n.*rivulet repair/s)]);
  const plan = await rivulet('repair');
  expect([plan.code, plan.stdout]).toEqual([1, expect.stringMatching(/^user-0\n.*the copy that NATS holds/s)]);
  const mended = await rivulet('repair', '--yes');
  expect([mended.code, mended.stdout]).toEqual([
    0,
    expect.stringMatching(/set aside: .*user-0\.set-aside-\d+T\d+Z\n[^]*Done\./),
  ]);
  const state = join(cwd, 'node', 'state');
  const kept = readdirSync(state).find((name) => name.startsWith('user-0.set-aside'))!;
  expect(readFileSync(join(state, kept, 'CURRENT'), 'utf8')).toContain('MANIFEST');
  const again = await nodes.start('node');
  await again.knows('chair-1', 'chair-2');
  await inHistory('chair-1', 'chair-2');
  await again.stop();

  const loss = await rivulet('repair', '--start-anew');
  expect([loss.code, loss.stdout]).toEqual([1, expect.stringMatching(/What is lost: [^]*Nothing was changed/)]);
  expect((await rivulet('repair', '--start-anew', '--yes')).code).toBe(0);
  const anew = await nodes.start('node');
  await anew.buy('chair-3');
  await inHistory('chair-1', 'chair-2', 'chair-3');
  await anew.stop();
  expect((await rivulet('repair', '--json')).code).toBe(0);
}, 240_000);

it('dead letters of a mailbox that is another one stay, and answer nothing any more; repair misses what start would, and forgets the popularity table', async () => {
  const server = await startTestNats();
  const connection = await connectNats({ url: server.url }, 'test');
  const manager = await jetstreamManager(connection);
  const log = await openNatsLog(connection, { manager });
  const topology = liveToys({ partitions: ONE });
  const [letters, subject] = [streamOf(DEAD_LETTER), subjectOf(DEAD_LETTER, 0, 'read', 0)];
  const ensure = () => ensureStreams(log, topology, { bytesMax: 1e7, replicas: 1 });
  const publish = async () => {
    for (const id of [1, 2, 3]) await log.publish('rivulet.events.word.u', utf8(line(id)));
  };
  const answered = async () => (await readOutputPosition(log, letters, subject)).published.sequence;
  const answer = async () => {
    const { lastSequence: expected } = await readOutputPosition(log, letters, subject);
    await log.publish(
      subject,
      toBinary(EnvelopeSchema, create(EnvelopeSchema, { first: 2, sequence: 2, lastPart: true })),
      { expected },
    );
  };
  const source = async () =>
    (await planRepair(join(cwd, 'none'), topology, log)).find(({ store }) => store === 'source-0');
  const table = await openDeployment(connection, { replicas: 1 });
  await table.put('popularity-table', utf8('record'));
  const anew = async () => {
    await startAnew(topology, connection, log);
    await ensure();
    expect(await source()).toMatchObject({ remedy: 'nothing' });
  };
  try {
    await ensure();
    await publish();
    await answer();
    await anew();
    expect([await answered(), await table.get('popularity-table')]).toEqual([2, undefined]);

    await manager.streams.delete('RIVULET_READ');
    const gone = [expect.stringMatching(/message 2, whose output it has published, but there is no such stream$/)];
    expect(await source()).toMatchObject({ remedy: 'lost', because: gone });
    await ensure();
    const empty = [
      expect.stringMatching(/message 2, whose output it has published, but the stream ends at message 0$/),
    ];
    expect(await source()).toMatchObject({ remedy: 'lost', because: empty });
    await anew();
    expect(await answered()).toBe(0);

    await answer();
    await manager.streams.delete('RIVULET_READ');
    await ensure();
    await publish();
    await anew();
    expect([await answered(), (await log.info(letters)).firstSequence]).toEqual([0, 1]);
  } finally {
    await log.close();
    await server.stop();
  }
});

it('the history has each event once, also those of a message that it had only the first of', async () => {
  const server = await startTestNats();
  const connection = await connectNats({ url: server.url }, 'test');
  const log = await openNatsLog(connection);
  const entry = parse({ history: true, historyRowsMax: 4 });
  const retention = { ageMs: 86_400_000, bytes: 1e6 };
  const history = topic('history', historyRows, 'source', { browsable: true, compressed: true, retention });
  const topology = defineTopology({
    partitions: ONE,
    stages: [entry],
    topics: [history],
    edges: [
      edge(source('events'), entry.in.events, { by: 'source' }),
      edge(entry.out.history, history.in.rows, { by: 'source' }),
    ],
    aligned: new Set(),
  });
  const publish = (...ids: readonly string[]) => {
    const view = { event_type: 'view', user_id: 'u', item_id: 'i', event_time: '2026-11-01T10:00:00Z' };
    return log.publish('rivulet.events.view.u', utf8(JSON.stringify(ids.map((id) => ({ event_id: id, ...view })))));
  };
  const inTheHistory = async (): Promise<string> => {
    const ids: unknown[] = [];
    for await (const { events } of historyPieces(log, {}, new AbortController().signal))
      ids.push(...rowsOf(events).map(({ eventId }) => eventId));
    return ids.join('');
  };
  const common = { clock: systemClock, logger: SILENT };
  const parsing = async (until: string): Promise<void> => {
    const instance = new SupervisedInstance(new Supervisor({ ...common, onEscalated: () => undefined }), {
      ...{ ...common, topology, log, stage: entry, partition: 0, status: newStatus(entry.id, 0) },
      ...{ store: new MemoryStore(), tuning: { ...TUNING, frameMessages: 1 }, strategy: STAGE_STRATEGY },
    });
    try {
      await eventually(async () => {
        expect(await inTheHistory()).toBe(until);
      });
    } finally {
      await instance.stop();
    }
  };
  const ensure = () => ensureStreams(log, topology, { bytesMax: 1e7, replicas: 1 });
  try {
    await ensure();
    await publish('a');
    await publish('b', 'c', 'd', 'e', 'f');
    await parsing('abcd');
    // As after a snapshot.
    await log.purge(streamOf(entry.id), 'rivulet.events.>', 2);
    await startAnew(topology, connection, log);
    await ensure();
    await publish('g', 'h', 'i');
    await parsing('abcdefghi');
    // As if two of its messages were repeated.
    const subject = subjectOf('history', 0, 'parse', 0);
    let expected = (await log.last(streamOf('history'), subject))!.sequence;
    for (const [eventId, sequence] of [
      ['a', 1],
      ['b', 2],
      ['j', 4],
    ] as const) {
      const frame = frameOf(historyRows, [{ eventId, sequence, index: 0, time: 0 }]);
      const envelope = create(EnvelopeSchema, { sequence: 1, body: bodyOf(encodeFrame(frame), true) });
      expected = await log.publish(subject, toBinary(EnvelopeSchema, envelope), { expected });
    }
    expect(await inTheHistory()).toBe('abcdefghij');
  } finally {
    await log.close();
    await server.stop();
  }
});
