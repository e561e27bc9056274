/** The laws of all cells: events over P partitions, then over Q, are what they are over Q from the start, for all that anybody can ask for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { popularItems, TRENDING_WINDOWS } from '../../../actors/model.js';
import { recommendationReader } from '../../../actors/recommendations.js';
import { trendingReader } from '../../../actors/trending-lists.js';
import type { PipelineOptions } from '../../../actors/topology.js';
import { fnv1a, utf8 } from '../../../runtime/frames/bytes.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { statesWithoutRescaling, repartitionStage } from '../../../runtime/jobs/repartition.js';
import { hostOf, nameInChain } from '../../../runtime/plan/chain.js';
import { frameOf, type Keyed, rowsOf, type Tables } from '../../../runtime/contract/stage.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { repartitioned, withPartitions } from '../../support/repartition-driver.js';
import { TopologyDriver } from '../../support/topology-driver.js';
import { WEIGHTED } from '../../support/popularity-source.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const START_MS = Date.UTC(2026, 0, 1);

const OPTIONS: PipelineOptions = {
  partitions: { source: 1, user: 1, item: 1 },
  parse: {},
  trigger: { kind: 'frame' },
  watermarkDelayMs: 10 * MINUTE_MS,
  idleAfterMs: HOUR_MS,
  window: { kind: { kind: 'tumbling' }, allowedLatenessMs: 0, output: 'update' },
  interest: { kind: 'decayed', halfLifeMs: HOUR_MS },
  popularity: WEIGHTED,
  listSize: 10,
  trending: {},
  mode: 'live',
};

const USERS = Array.from({ length: 12 }, (_, i) => `u${i}`);
const CATEGORIES = ['home.chair', 'kids.toys', 'auto', undefined, 'kids|home.table'];
/** Of few items at a time, each of which leaves it with one of its next events: most partitions have none. */
const RARE = ['garden', 'music'];
const LISTED = [...CATEGORIES, ...RARE];
const TYPES = ['view', 'cart', 'purchase', 'purchase', 'click'];

/**
 * A round: some five minutes of events, one of them hours late from the third round on, three ticks, and behind them a few events, also of the past:
 * what they change waits for a tick.
 */
function round(driver: TopologyDriver, number: number, random: () => number): void {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const event = (user: string, timeMs: number, type = pick(TYPES)) => {
    const item = Math.floor(random() * 40);
    const category = random() < 0.1 ? pick(RARE) : CATEGORIES[item % CATEGORIES.length];
    const more = { ...(category === undefined ? {} : { category_code: category }), brand: `b${item % 3}`, price: item };
    const data = {
      event_type: type,
      event_time: new Date(timeMs).toISOString(),
      user_id: user,
      item_id: `${item}`,
      ...more,
    };
    return { user, type, data: JSON.stringify(data) };
  };
  const at = START_MS + number * 7 * MINUTE_MS;
  driver.nowMs = at;
  const users = number % 3 === 2 ? USERS : Array.from({ length: 15 }, () => pick(USERS));
  const events = users.map((user, i) => event(user, at + i * 15_000));
  if (number > 2) events.push(event(pick(USERS), at - 4 * HOUR_MS));
  for (let i = 0; i < events.length; i += 5) driver.publish(...events.slice(i, i + 5));
  for (const seconds of [240, 260, 300]) driver.tick(at + seconds * 1_000);
  // Not of the last rounds: all of it is counted when the lists are made that are compared.
  if (number > 6) return;
  const past = USERS.filter((_, i) => i % 4 === number % 4).map((user, i) => event(user, at - (i + 2) * HOUR_MS));
  const last = Array.from({ length: 8 }, () => event(pick(USERS), at + 6 * MINUTE_MS));
  driver.publish(...past.map((one) => ({ ...one, type: 'past' })), ...last);
}

/** All that a user, or an item, can ask for; and the counters of all partitions. */
function knowledge(driver: TopologyDriver) {
  const { topology } = driver;
  const of = (stage: string, key: string) =>
    driver.processor(stage, fnv1a(utf8(key)) % topology.count(stage)).instance.states();
  const users = USERS.map((user) => {
    const reader = recommendationReader(of('recommendations', user));
    const ranking = hostOf(topology, 'interest-ranking');
    const totals = of(ranking.id, user)[nameInChain({ stage: 'interest-ranking', name: 'totals' }, ranking)];
    return {
      // Sums of decayed weights round by their order, so that what is as good as equal may change places.
      list: reader
        .ownList(user, 100)
        .map(({ rank: _, ...one }) => ({
          ...one,
          score: one.score.toPrecision(9),
          interest: one.interest.toPrecision(9),
        }))
        .sort((x, y) => Number(y.score) - Number(x.score) || (x.item < y.item ? -1 : 1)),
      // Rows of windows that close together have no order among them: those that were moved stand where they came.
      seen: [...reader.seen(user).keys()].sort(),
      fallback: reader.fallback(),
      tops: LISTED.map((category) => reader.topOf(category?.split('.')[0] ?? '')),
      // The past comes sooner or later than the present, by the ticks of its partition.
      totals: [...((totals as Keyed<ReadonlyMap<string, unknown>>).get(user) ?? [])].sort(),
    };
  });
  const windows = [...openRows(driver, 'windows'), ...openRows(driver, 'sessions')];
  const trendingOf = trendingReader(driver.processor('trending-lists').instance.states());
  return {
    users,
    windows,
    trending: TRENDING_WINDOWS.flatMap((window) =>
      LISTED.map((category) => trendingOf(window, 'score', category?.split('.')[0]).list),
    ),
    counts: ['parse', 'window'].map((stage) => driver.counts(stage)),
    late: driver.counts('window').late,
  };
}

/** Open windows of all partitions, in an order of their own. */
function openRows(driver: TopologyDriver, cell: 'windows' | 'sessions'): string[] {
  return Array.from({ length: driver.topology.count('window') }, (_, p) => {
    const tables = driver.processor('window', p).instance.states()[cell] as unknown as Tables<{ user: 'text' }, 'user'>;
    return tables.numbers().flatMap((number) =>
      rowsOf(tables.table(number).frame())
        .filter((row) => (row as Record<string, unknown>).count !== 0)
        .map((row) => JSON.stringify({ ...row, slot: 0, next: 0, table: cell === 'windows' ? number : 0 })),
    );
  })
    .flat()
    .sort();
}

interface Run {
  readonly options: PipelineOptions;
  readonly seed: number;
  readonly rounds: number;
}

/** What was popular before. It comes again where streams are new, which changes nothing. */
const PAST = frameOf(
  popularItems,
  Array.from({ length: 60 }, (_, i) => ({
    ...{ item: `${i}`, purchases: (i * 7) % 23, brand: `b${i % 4}`, price: i, time: START_MS },
    category: CATEGORIES[(i + 1) % CATEGORIES.length]?.split('.')[0],
  })),
);
const loadPast = (driver: TopologyDriver): void => driver.table('popularity', 'popularity-table', 'item', PAST);

/** A number of partitions, of stages that run as one or apart. */
type Layout = readonly [partitions: number, chaining: boolean];

/** With another layout from some rounds on. */
async function run({ options, seed, rounds }: Run, first: Layout, then: Readonly<Record<number, Layout>> = {}) {
  const random = seededRandom(seed);
  const laidOut = ([partitions, chaining]: Layout) => withPartitions({ ...options, chaining }, partitions);
  let driver = new TopologyDriver(laidOut(first));
  for (let number = 0; number < rounds; number++) {
    const layout = then[number];
    if (layout !== undefined) {
      driver = await repartitioned(driver, laidOut(layout));
      loadPast(driver);
    }
    if (number === 1) loadPast(driver);
    round(driver, number, random);
  }
  return knowledge(driver);
}

const KINDS: Readonly<Record<string, Partial<PipelineOptions>>> = {
  'tumbling windows, decayed interests': {},
  'hopping windows, rows of closed windows, interests of an epoch': {
    window: {
      kind: { kind: 'hopping', sizeMs: 10 * MINUTE_MS, slideMs: 5 * MINUTE_MS },
      allowedLatenessMs: MINUTE_MS,
      output: 'append',
    },
    interest: { kind: 'epoch' },
  },
  sessions: { window: { kind: { kind: 'session', gapMs: 8 * MINUTE_MS }, allowedLatenessMs: 0, output: 'update' } },
  'epochs of four minutes that align': { trigger: { kind: 'interval', everyMs: 4 * MINUTE_MS } },
};

describe('another number of partitions, or other chains', () => {
  it('is known to every cell of the live pipeline', () => {
    expect(statesWithoutRescaling(withPartitions(OPTIONS, 1))).toEqual([]);
  });

  for (const [name, more] of Object.entries(KINDS)) {
    it(`changes nothing of what is known: ${name}`, async () => {
      const options = { ...OPTIONS, ...more };
      const layout = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean());
      await fc.assert(
        fc.asyncProperty(fc.nat(), layout, layout, fc.integer({ min: 1, max: 6 }), async (seed, p, q, at) => {
          // In the last one, as in every third, all users do something: a list is as old as what its user did last, and what was said of popularity
          // until then came sooner or later with other partitions.
          const rounds = 9;
          const expected = await run({ options, seed, rounds }, [q[0], false]);
          expect(expected.late).toBeGreaterThan(0);
          expect(await run({ options, seed, rounds }, p, { [at]: q })).toEqual(expected);
          // And nothing piles up on the way there and back.
          expect(await run({ options, seed, rounds }, q, { 1: p, [at]: q, 7: q })).toEqual(expected);
        }),
        {
          numRuns: 5,
          examples: [
            [1, [1, false], [6, true], 5],
            [28, [1, true], [3, false], 4],
            [7, [2, true], [4, true], 3],
            [8, [3, false], [3, true], 2],
          ],
        },
      );
    });
  }

  it('is refused while an epoch is open that only some have ended', async () => {
    const align = { ...OPTIONS, ...KINDS['epochs of four minutes that align'] };
    const [before, after] = [withPartitions(align, 2), withPartitions(align, 3)];
    const storeAfter = (rounds: number, partition: number): MemoryStore => {
      const driver = new TopologyDriver(before);
      for (let number = 0; number < rounds; number++) round(driver, number, seededRandom(number));
      const stored = driver.snapshot('window', partition);
      return new MemoryStore(new Map([...stored].map(([path, value]) => [`window/${partition}/${path}`, value])));
    };
    const moved = (from: readonly MemoryStore[]): Promise<void> =>
      repartitionStage({ before, after, stage: 'window', from, to: [0, 1, 2].map(() => new MemoryStore()) });
    await expect(moved([storeAfter(2, 0), storeAfter(3, 1)])).rejects.toMatchObject({ code: 'REPARTITION_EPOCH' });
    await moved([storeAfter(3, 0), storeAfter(3, 1)]);
  });
});
