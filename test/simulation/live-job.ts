/** The real pipeline live: publishers in, the view out. What does not depend on timing is compared with a plain model, all else with the refold. */
import assert from 'node:assert/strict';
import { answer } from '../../actors/maths/answer.js';
import { EVENT_TYPES, type EventType } from '../../actors/model.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology } from '../../actors/topology.js';
import { trendingReader } from '../../actors/trending-lists.js';
import { fnv1a, utf8 } from '../../runtime/frames/bytes.js';
import { seededRandom } from '../../runtime/cli/demo/catalogue.js';
import type { MailboxProcessor } from '../../runtime/actor/processor.js';
import { partitionBy } from '../../runtime/frames/frame.js';
import { groupedBy } from '../runtime/actor/grouped.js';
import { ranked } from '../support/trending-oracle.js';
import { publishAll } from './breaking-writers.js';
import type { Job } from './job.js';
import type { Trigger } from '../../actors/watermark.js';
import type { Topology } from '../../runtime/contract/graph.js';
import { refolded } from './refold.js';
import { rowsSaid } from './rows-said.js';
import { totalsOf } from './totals.js';
import { World } from './world.js';

const USERS = 4;
const EVENTS = 26;
const WINDOW_MS = 300_000;
const LAST_TICK_MS = 2_000_000_000_000;
/** Clocks go back by two hours at most: no event is ahead of the log's, where lists would leave it out until then. */
const START_MS = 1_700_000_000_000 - 3 * 3_600_000;
const CATEGORIES = ['electronics.audio', 'apparel.shoes', 'kids', undefined];

const WEIGHTS = { view: 1, cart: 3, purchase: 5, remove_from_cart: -1, click: 1, rating: 2 };

const topologyWith = (trigger: Trigger): Topology =>
  mainTopology({
    partitions: { source: 2, user: 2, item: 2 },
    parse: { dedupeMax: 1_000 },
    trigger,
    watermarkDelayMs: 600_000,
    idleAfterMs: 2_000,
    window: { kind: { kind: 'tumbling' }, allowedLatenessMs: 0, output: 'update' },
    interest: { kind: 'decayed', halfLifeMs: 3_600_000, weights: WEIGHTS },
    popularity: 'events',
    listSize: 5,
    trending: {},
    mode: 'live',
  });

interface Event {
  readonly event_id: string;
  readonly event_type: EventType;
  readonly event_time: string;
  readonly user_id?: string;
  readonly item_id: string;
  readonly category_code?: string;
  readonly price: number;
}

/** Within eight minutes, so that none is late; but for the events of `old` users, of which it depends on timing. */
const EVENTS_SENT: readonly Event[] = (() => {
  const random = seededRandom(5);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  return Array.from({ length: EVENTS }, (_, i): Event => {
    const old = i % 11 === 10;
    const item = Math.floor(random() * 9);
    const category = CATEGORIES[item % CATEGORIES.length];
    const time = START_MS + Math.floor(random() * 8 * 60_000) - (old ? 2 * 3_600_000 : 0);
    const bad = i % 17 === 16;
    return {
      event_id: `e${i}`,
      event_type: pick(['view', 'view', 'cart', 'purchase'] as const),
      event_time: new Date(time).toISOString(),
      ...(bad ? {} : { user_id: `${old ? 'old' : 'u'}${i % USERS}` }),
      item_id: `i${item}`,
      ...(category === undefined ? {} : { category_code: category }),
      price: 1 + (i % 3),
    };
  });
})();
const GOOD = EVENTS_SENT.filter(({ user_id }) => user_id !== undefined);
const TIMELY = GOOD.filter(({ user_id }) => !user_id!.startsWith('old'));
const USER_IDS = [...new Set(TIMELY.map(({ user_id }) => user_id!))].sort();

/** count(window, user, item, type), by a plain loop. */
function windowCounts(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { event_time, user_id, item_id, event_type, price } of TIMELY) {
    const start = Math.floor(Date.parse(event_time) / WINDOW_MS) * WINDOW_MS;
    const key = [start, user_id, item_id, event_type, price].join();
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** What window said in the end of each row, and in all that it added. */
function saidCounts(world: World): { last: Record<string, number>; added: Record<string, number> } {
  const [last, added]: Record<string, number>[] = [{}, {}];
  for (const row of rowsSaid(world, 'interest-ranking')) {
    if (String(row['user']).startsWith('old')) continue;
    const key = [row['windowStart'], row['user'], row['item'], EVENT_TYPES[row['type'] as number], row['price']].join();
    last![key] = row['count'] as number;
    added![key] = (added![key] ?? 0) + (row['added'] as number);
  }
  return { last: last!, added: added! };
}

function viewOf(processor: MailboxProcessor): unknown {
  const reader = recommendationReader(processor.instance.states());
  const ask = { limit: 10, excludeSeen: false, explain: true };
  return USER_IDS.map((user) => [user, answer(reader, { user, ...ask }), [...reader.seen(user)]]);
}

function checkView(world: World, folds: ReadonlyMap<string, MailboxProcessor>): void {
  const seen = new Map<string, Set<string>>();
  for (const { user_id, item_id } of TIMELY) seen.set(user_id!, (seen.get(user_id!) ?? new Set()).add(item_id));
  for (const life of world.lives) {
    if (life.stage !== 'recommendations') continue;
    const { partition } = life.status;
    const live = life.supervisor.current!.processor;
    assert.deepEqual(viewOf(live), viewOf(folds.get(`recommendations/${partition}`)!), `view ${partition}`);
    const reader = recommendationReader(live.instance.states());
    for (const user of USER_IDS) {
      if (fnv1a(utf8(user)) % world.job.topology.count('recommendations') !== partition) continue;
      assert.deepEqual(new Set(reader.seen(user)), seen.get(user), `items that ${user} has seen`);
    }
  }
}

/** The day has all events, also those that are too late for the windows of `window`. What came behind the last tick is told at one more. */
function checkTrending({ job }: World, folds: ReadonlyMap<string, MailboxProcessor>): void {
  const instancesOf = (stage: string) =>
    Array.from({ length: job.topology.count(stage) }, (_, p) => folds.get(`${stage}/${p}`)!.instance);
  const [counting, [lists]] = [instancesOf('trending'), instancesOf('trending-lists')];
  for (const instance of instancesOf('watermark')) {
    for (const { output, frame } of instance.tick(LAST_TICK_MS)) {
      if (output !== 'engagements') continue;
      partitionBy(frame, 'item', counting.length).forEach((rows, p) => rows && counting[p]!.take('events', rows));
    }
  }
  for (const instance of counting) {
    for (const { frame } of instance.tick(LAST_TICK_MS)) lists!.take('tops', frame);
  }
  const read = trendingReader(lists!.states())('day', 'score', undefined);
  const engaged = GOOD.map(({ event_time, event_type, item_id }) => {
    return { time: Date.parse(event_time), type: event_type, item: item_id };
  });
  const counts = ({ item, views, clicks }: { item: string; views: number; clicks: number }): string =>
    `${item} ${views} ${clicks}`;
  assert.deepEqual(read?.list.map(counts), ranked(engaged, 0, 0).map(counts), 'trending of the day');
}

const liveJob = (name: string, trigger: Trigger, ticksOn: Pick<Job, 'ticksOnMs'> = {}): Job => {
  const job: Job = {
    ...{
      name,
      topology: topologyWith(trigger),
      steps: 1_200,
      everySeeds: 5,
      tickEveryMs: 500,
      sinkTopics: [],
      ...ticksOn,
    },
    feed: (feed) => {
      const byUser = groupedBy(EVENTS_SENT, ({ user_id = '' }) => user_id);
      return publishAll(
        feed,
        Object.entries(byUser).map(([user, events]) =>
          events.map((event) => ({
            subject: `rivulet.events.${event.event_type}${user === '' ? '' : `.${user}`}`,
            data: utf8(JSON.stringify(event)),
          })),
        ),
      );
    },
    reference: () => Promise.resolve(windowCounts()),
    check: (world, expected) => {
      const folds = refolded(world);
      checkView(world, folds);
      checkTrending(world, folds);
      const { last, added } = saidCounts(world);
      assert.deepEqual(last, expected, 'counts of each window');
      assert.deepEqual(added, expected, 'what was added to each window');
      const [read, counted] = [totalsOf(world, 'parse'), totalsOf(world, 'window')];
      assert.equal(read.events, counted.on_time + counted.late + read.dead_letter + read.duplicates, 'conservation');
      assert.equal(counted.on_time + counted.late, GOOD.length, 'good events');
      assert.equal(rowsSaid(world, 'dead-letter').length, read.dead_letter, 'dead letters');
    },
    run: (options) => World.run(job, options),
  };
  return job;
};

export const live = liveJob('live', { kind: 'frame' });
/** Epochs of several sources, which tick by clocks of their own, or not at all for a while. */
export const liveInterval = liveJob('live-interval', { kind: 'interval', everyMs: 700 }, { ticksOnMs: 3_000 });
