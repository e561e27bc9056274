/** The two toy topologies as jobs: small and fast, so that many seeds can be tried. */
import assert from 'node:assert/strict';
import type { MailboxProcessor } from '../../runtime/actor/processor.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { frameOf } from '../../runtime/frames/frame.js';
import type { ChunkSource, SourceChunk } from '../../runtime/contract/ports.js';
import { writeChunks, writeTable } from '../../runtime/jobs/source-writer.js';
import { groupedBy } from '../runtime/actor/grouped.js';
import { SILENT } from '../runtime/tuning.js';
import { boundedToys, liveToys, weights } from '../runtime/toy-stages.js';
import { again, publishAll } from './breaking-writers.js';
import type { Job, SimulatedRun } from './job.js';
import { refolded } from './refold.js';
import { messagesSaid, rowsSaid } from './rows-said.js';
import { totalsOf } from './totals.js';
import { World } from './world.js';

/** `id user item n`; every ninth is no event, every eleventh comes twice. */
const LINES: readonly string[] = Array.from({ length: 36 }, (_, i) => {
  const user = `u${i % 6}`;
  return i % 9 === 8 ? `${i} ${user} bad` : `${i % 11 === 10 ? i - 6 : i} ${user} ${user}.${'abcd'[i % 4]} ${i}`;
});
const userOf = (line: string): string => line.split(' ')[1]!;
const GOOD = new Set(LINES.filter((line) => !line.endsWith('bad')).map((line) => line.split(' ')[0])).size;
const BAD = new Set(LINES.filter((line) => line.endsWith('bad')));

/** Rows of a run without faults, made once per job. */
function reference<T>(job: () => Job, rowsOfRun: (world: World) => T): () => Promise<T> {
  let rows: Promise<T> | undefined;
  return () => (rows ??= World.faultless(job()).then(rowsOfRun));
}

/** A user's lines come in order, and may come more than once. */
export const PUBLISHERS = [...new Set(LINES.map(userOf))].map((user) =>
  LINES.filter((line) => userOf(line) === user).map((line) => ({
    subject: `rivulet.events.word.${user}`,
    data: utf8(line),
  })),
);

const itemRows = (world: SimulatedRun): unknown => groupedBy(rowsSaid(world, 'totals'), ({ item }) => String(item));

export const toyLive: Job = {
  ...{ name: 'toy-live', topology: liveToys(), steps: 700, everySeeds: 1, tickEveryMs: 0, sinkTopics: [] },
  feed: (feed) => publishAll(feed, PUBLISHERS),
  reference: reference(() => toyLive, itemRows),
  check: checkToys,
  run: (options) => World.run(toyLive, options),
};

/** Gives the fold of each mailbox. */
export function checkToys(world: SimulatedRun, expected: unknown): ReadonlyMap<string, MailboxProcessor> {
  const folds = refolded(world);
  const counts = totalsOf(world, 'read');
  assert.equal(counts.events, counts.on_time + counts.late + counts.dead_letter + counts.duplicates, 'conservation');
  assert.equal(counts.on_time, GOOD, 'events on time');
  const refused = rowsSaid(world, 'dead-letter').map(({ original }) => original);
  assert.equal(refused.length, counts.dead_letter, 'dead letters');
  assert.deepEqual(new Set(refused), BAD, 'dead letters');
  assert.deepEqual(itemRows(world), expected, 'rows of each item');
  return folds;
}

const CHUNKS: readonly SourceChunk[] = Array.from({ length: 12 }, (_, i) => ({
  ...{ format: 'csv' as const, file: 'words', line: i * 4 + 1, header: new Uint8Array(0) },
  data: utf8([0, 1, 2, 3].map((k) => `u${(i * 3 + k * k) % 7} x ${i + k}`).join('\n')),
  ...{ nextOffset: i + 1, nextLine: i * 4 + 5, endsEpoch: i % 3 === 2, endsInput: i === 11 },
}));

const chunks: ChunkSource = {
  async *chunks(stored) {
    const after = await stored.last();
    yield* CHUNKS.slice(after?.nextOffset ?? 0);
  },
};

const TABLE = Array.from({ length: 7 }, (_, i) => frameOf(weights, [{ item: `u${i}!`, weight: 10 ** i }]));

/** What the sink has, and every message of the topic: epochs and ends included. */
const boundedRows = (world: World): unknown => ({
  messages: groupedBy(messagesSaid(world, 'results'), ({ subject }) => subject),
  sink: [...world.sink!.lines].sort(),
});

export const toyBounded: Job = {
  ...{
    name: 'toy-bounded',
    topology: boundedToys(),
    steps: 700,
    everySeeds: 1,
    tickEveryMs: 0,
    sinkTopics: ['results'],
  },
  feed: async (feed) => {
    const options = { log: feed.log, clock: feed.clock, logger: SILENT };
    const frames = async function* () {
      yield* TABLE;
    };
    const target = { to: 'weigh', from: 'table', by: 'item', partitions: 2 };
    const folder = { to: 'split', from: 'folder' };
    await Promise.all([
      again(feed, (signal) => writeChunks({ ...options, signal }, chunks, folder, () => undefined)),
      again(feed, (signal) => writeTable({ ...options, signal }, frames(), target)),
    ]);
  },
  reference: reference(() => toyBounded, boundedRows),
  check: (world, expected) => {
    refolded(world);
    const { events, on_time: onTime } = totalsOf(world, 'split');
    assert.deepEqual([events, onTime], [48, 48], 'conservation');
    assert.deepEqual(boundedRows(world), expected, 'rows');
  },
  run: (options) => World.run(toyBounded, options),
};
