/** The real pipeline on a small bounded input: what the sink holds must be the rows of the reference model. */
import assert from 'node:assert/strict';
import { catalogueItems, EVENT_TYPES, popularItems, RECOMMENDATION_TYPES } from '../../actors/model.js';
import { mainTopology } from '../../actors/topology.js';
import type { Topology } from '../../runtime/contract/graph.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { type Frame, frameOf } from '../../runtime/frames/frame.js';
import type { ChunkSource, SourceChunk } from '../../runtime/contract/ports.js';
import { writeChunks, writeTable } from '../../runtime/jobs/source-writer.js';
import { SILENT } from '../runtime/tuning.js';
import { SIZE_MS } from '../../actors/maths/trending.js';
import { decimal, iso, quoted, type Shop, shopTexts, time, withCatalogue } from '../support/shop-files.js';
import type { PlainRow } from '../support/topology-driver.js';
import { again } from './breaking-writers.js';
import type { Job } from './job.js';
import { refolded } from './refold.js';
import { totalsOf } from './totals.js';
import { World } from './world.js';

const PARTITIONS = { source: 1, user: 2, item: 2 };
const LINES_PER_CHUNK = 9;

const topologyWith = (chaining: boolean, items: boolean): Topology =>
  mainTopology({
    partitions: PARTITIONS,
    parse: { dedupeMax: 100, futureMaxMs: 1e12 },
    trigger: { kind: 'file' },
    watermarkDelayMs: 600_000,
    idleAfterMs: 60_000,
    window: { kind: { kind: 'tumbling' }, allowedLatenessMs: 0, output: 'update' },
    interest: { kind: 'epoch' },
    popularity: { from: 'table' },
    listSize: 10,
    trending: {},
    mode: 'bounded',
    items,
    chaining,
  });

const shop = shopTexts({ seed: 15, epochs: 3, rows: 24, users: 7, items: 12 });
/** Of half of the items the categories come from the catalogue: the rows are the same. */
const catalogue = withCatalogue(shop.files);
const ITEMS = [...catalogue.items].map(([item, category]) => frameOf(catalogueItems, [{ item, category }]));

const chunksOf = (files: readonly string[]): readonly SourceChunk[] =>
  files.flatMap((text, epoch) => {
    const [header, ...lines] = text.trimEnd().split('\n');
    const pieces = Math.ceil(lines.length / LINES_PER_CHUNK);
    return Array.from({ length: pieces }, (_, i): SourceChunk => {
      const own = lines.slice(i * LINES_PER_CHUNK, (i + 1) * LINES_PER_CHUNK);
      const isLast = i === pieces - 1;
      return {
        ...{ format: 'csv', file: `part-${epoch}`, line: 2 + i * LINES_PER_CHUNK, header: utf8(header!) },
        ...{ data: utf8(`${own.join('\n')}\n`), nextOffset: i + 1, nextLine: 2 + i * LINES_PER_CHUNK + own.length },
        ...{ endsEpoch: isLast, endsInput: isLast && epoch === shop.files.length - 1 },
      };
    });
  });

const sourceOf = (files: readonly string[]): ChunkSource => {
  const chunks = chunksOf(files);
  return {
    async *chunks(stored) {
      const after = await stored.last();
      const last = chunks.findIndex(({ file, nextOffset }) => file === after?.file && nextOffset === after.nextOffset);
      yield* chunks.slice(last + 1);
    },
  };
};

const TABLE = shop.table.map(({ item, totalPurchases, mainCategory }) =>
  frameOf(popularItems, [{ item, purchases: totalPurchases, ...(mainCategory ? { category: mainCategory } : {}) }]),
);

/** The sink's rows as the lines of the result files. */
function resultLines({ sink }: World): Shop['expected'] {
  const lines = {
    'recommendations.csv': [] as string[],
    'user_interactions.csv': [] as string[],
    'late.csv': [] as string[],
    'trending_1h.csv': [] as string[],
    'trending_24h.csv': [] as string[],
  };
  for (const line of sink!.lines) {
    const [topic, epoch, r] = JSON.parse(line) as [string, number, PlainRow];
    if (topic === 'recommendations' && r['item'] !== undefined) {
      const { user, item, score, category = '', rank, kind } = r;
      const type = RECOMMENDATION_TYPES[kind as number];
      lines['recommendations.csv'].push([epoch, user, item, decimal(score as number), category, rank, type].join(','));
    } else if (topic === 'interactions') {
      const { user, item, count, views, carts, purchases } = r;
      lines['user_interactions.csv'].push([epoch, user, item, count, views, carts, purchases].join(','));
    } else if (topic.startsWith('trending-')) {
      const { start, item, views, clicks, score, rank } = r;
      const [file, size] =
        topic === 'trending-hours'
          ? (['trending_1h.csv', SIZE_MS.hour] as const)
          : (['trending_24h.csv', SIZE_MS.day] as const);
      const end = (start as number) + size;
      lines[file].push([iso(start as number), iso(end), item, views, clicks, decimal(score as number), rank].join(','));
    } else if (topic === 'late') {
      const { user, item, category = '', brand = '', price } = r;
      const [at, type] = [time(r['time'] as number), EVENT_TYPES[r['type'] as number]];
      lines['late.csv'].push([epoch, at, type, item, category, quoted(brand as string), price, user].join(','));
    }
  }
  for (const file of Object.values(lines)) file.sort();
  return lines;
}

function boundedJob(name: string, chaining: boolean): Job {
  // What waits for a catalogue is not chained.
  const withItems = !chaining;
  const topology = topologyWith(chaining, withItems);
  const chunks = sourceOf(withItems ? catalogue.files : shop.files);
  const job: Job = {
    ...{ name, topology, steps: 1_200, everySeeds: 5, tickEveryMs: 0 },
    sinkTopics: topology.topics.map(({ id }) => id),
    feed: async (feed) => {
      const options = { log: feed.log, clock: feed.clock, logger: SILENT };
      const framesOf = async function* (frames: readonly Frame[]) {
        yield* frames;
      };
      const target = { to: 'popularity', from: 'popularity-table', by: 'item', partitions: PARTITIONS.item };
      const items = { to: 'watermark', from: 'catalogue-table', by: 'all', partitions: PARTITIONS.source };
      const folder = { to: 'parse', from: 'folder' };
      await Promise.all([
        again(feed, (signal) => writeChunks({ ...options, signal }, chunks, folder, () => undefined)),
        again(feed, (signal) => writeTable({ ...options, signal }, framesOf(TABLE), target)),
        ...(withItems ? [again(feed, (signal) => writeTable({ ...options, signal }, framesOf(ITEMS), items))] : []),
      ]);
    },
    reference: () => Promise.resolve(shop.expected),
    check: (world, expected) => {
      refolded(world);
      assert.deepEqual(resultLines(world), expected, 'rows of the reference model');
      const [read, counted] = [totalsOf(world, 'parse'), totalsOf(world, 'window')];
      const { events, dead_letter: deadLetter, duplicates } = read;
      assert.equal(events, shop.events, 'events');
      assert.equal(events, counted.on_time + counted.late + deadLetter + duplicates, 'conservation');
      assert.equal(counted.late, shop.expected['late.csv'].length, 'late');
    },
    run: (options) => World.run(job, options),
  };
  return job;
}

export const bounded = boundedJob('bounded', false);
export const boundedChained = boundedJob('bounded-chained', true);
