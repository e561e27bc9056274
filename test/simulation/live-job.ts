/** The real pipeline live: publishers in, the view out. What does not depend on timing is compared with a plain model, all else with the refold. */
import assert from 'node:assert/strict';
import { catalogueReader } from '../../actors/catalogue.js';
import { answer } from '../../actors/candidates/answer.js';
import type { WindowKind } from '../../actors/maths/window.js';
import { EVENT_TYPES, type EventType, type historyRows } from '../../actors/model.js';
import { rankingReader } from '../../actors/ranking-learner.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology } from '../../actors/topology.js';
import { trendingReader } from '../../actors/trending-lists.js';
import { fnv1a, utf8 } from '../../runtime/frames/bytes.js';
import { seededRandom } from '../../actors/maths/random.js';
import type { MailboxProcessor } from '../../runtime/actor/processor.js';
import { type Frame, partitionBy, rowsOf } from '../../runtime/frames/frame.js';
import { groupedBy } from '../runtime/actor/grouped.js';
import { ranked } from '../support/trending-oracle.js';
import { type OracleKind, windowOracle } from '../support/window-oracle.js';
import type { PlainRow } from '../support/topology-driver.js';
import { publishAll } from './breaking-writers.js';
import { checkEagerLists } from './eager-lists.js';
import type { Job } from './job.js';
import type { Trigger } from '../../actors/watermark.js';
import { type Topology, writerOf } from '../../runtime/contract/graph.js';
import { refolded } from './refold.js';
import { messagesSaid, rowsSaid } from './rows-said.js';
import { totalsOf } from './totals.js';
import { World } from './world.js';
import { WEIGHTED } from '../support/popularity-source.js';

const USERS = 4;
const EVENTS = 26;
const WINDOW_MS = 300_000;
const LAST_TICK_MS = 2_000_000_000_000;
/** Clocks go back by two hours at most: no event is ahead of the log's, where lists would leave it out until then. */
const START_MS = 1_700_000_000_000 - 3 * 3_600_000;
const CATEGORIES = ['electronics.audio', 'apparel.shoes', 'kids', undefined];

const WEIGHTS = { view: 1, cart: 3, purchase: 5, remove_from_cart: -1, click: 1, rating: 2 };

const topologyWith = (trigger: Trigger, kind: WindowKind, chaining: boolean): Topology =>
  mainTopology({
    partitions: { source: 2, user: 2, item: 2 },
    parse: { dedupeMax: 1_000, historyRowsMax: 5 },
    trigger,
    watermarkDelayMs: 600_000,
    idleAfterMs: 2_000,
    window: { kind, allowedLatenessMs: 0, output: 'update' },
    interest: { kind: 'decayed', halfLifeMs: 3_600_000, weights: WEIGHTS },
    popularity: WEIGHTED,
    listSize: 5,
    trending: {},
    history: { bytes: 1e9, ageMs: 1e12 },
    mode: 'live',
    chaining,
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

interface Sent {
  readonly events: readonly Event[];
  readonly good: readonly Event[];
  /** Good ones, but for those of `old` users, of which it depends on timing whether they are late. */
  readonly timely: readonly Event[];
  /** Those of `old` users, published as events of the past: none is late. */
  readonly past: readonly Event[];
}

/** Within eight minutes, so that none is late; but for the events of `old` users. Of one item there are views only, so that sessions merge. */
function sentWith(items: number, past: boolean): Sent {
  const random = seededRandom(5);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const events = Array.from({ length: EVENTS }, (_, i): Event => {
    const old = past ? i % 3 === 1 : i % 11 === 10;
    const item = Math.floor(random() * items);
    const category = CATEGORIES[item % CATEGORIES.length];
    const time = START_MS + Math.floor(random() * 8 * 60_000) - (old ? 2 * 3_600_000 : 0);
    const bad = i % 17 === 16;
    return {
      event_id: `e${i}`,
      event_type: pick(items > 1 ? (['view', 'view', 'cart', 'purchase'] as const) : (['view'] as const)),
      event_time: new Date(time).toISOString(),
      ...(bad ? {} : { user_id: `${old ? 'old' : 'u'}${i % USERS}` }),
      item_id: `i${item}`,
      ...(category === undefined ? {} : { category_code: category }),
      price: 1 + (i % 3) * Number(items > 1),
    };
  });
  const good = events.filter(({ user_id }) => user_id !== undefined);
  return {
    ...{ events, good, timely: good.filter(({ user_id }) => !user_id!.startsWith('old')) },
    past: past ? good.filter(({ user_id }) => user_id!.startsWith('old')) : [],
  };
}
const USER_IDS = Array.from({ length: USERS }, (_, i) => `u${i}`);

/** What is counted apart within a window, and the window. */
const keyOf = ({ user_id, item_id, event_type, price }: Event): string => [user_id, item_id, event_type, price].join();
const rowKey = (start: unknown, end: unknown, key: string): string => `${String(start)}-${String(end)} ${key}`;

/** Every window with its count, by the oracle: none of them closes. */
function windowCounts({ timely }: Sent, kind: OracleKind): Record<string, number> {
  const epoch = {
    events: timely.map((event) => ({ event, time: Date.parse(event.event_time) })),
    watermarkMs: -Infinity,
  };
  const [answer] = windowOracle([epoch], { kind, latenessMs: 0, keyOf: ({ event }) => keyOf(event) });
  return Object.fromEntries(
    answer!.complete.map(({ event: { event }, start, end, count }) => [rowKey(start, end, keyOf(event)), count]),
  );
}

/** The catalogue, as it comes: each item renamed, some deleted and some made again. Events of i3 and i7 have no category. */
const ITEM_MESSAGES: readonly (readonly { item_id: string; title?: string; category?: string; deleted?: boolean }[])[] =
  [
    [
      { item_id: 'i0', title: 'Lamp' },
      { item_id: 'i0', title: 'Big lamp' },
    ],
    [
      { item_id: 'i1', title: 'Chair' },
      { item_id: 'i1', deleted: true },
      { item_id: 'i1', title: 'Armchair' },
    ],
    [
      { item_id: 'i2', title: 'Table' },
      { item_id: 'i2', deleted: true },
    ],
    [
      { item_id: 'i3', category: 'drama|war' },
      { item_id: 'i3', title: 'Comedy', category: 'comedy' },
    ],
    [
      { item_id: 'i7', category: 'drama|kids.toys' },
      { item_id: 'i7', deleted: true },
    ],
  ];

/**
 * The catalogue of each owner is what was stored last of each item: a publisher may repeat a message after the next one. What it lacks is in the reports
 * that came while it did.
 */
function checkCatalogue(world: World): void {
  const { lives } = world;
  const [stored, unknown] = [new Map<unknown, PlainRow | undefined>(), new Map<unknown, number>()];
  for (const { subject, rows } of messagesSaid(world, 'catalogue')) {
    const isReport = writerOf(subject).id === 'watermark';
    for (const row of rows) {
      const { item } = row;
      if (!isReport) {
        stored.set(item, row['deleted'] === 1 ? undefined : row);
        if (row['deleted'] !== 1) unknown.delete(item);
      } else if (stored.get(item) === undefined) {
        unknown.set(item, (unknown.get(item) ?? 0) + (row['events'] as number));
      }
    }
  }
  const known = [...stored.values()].filter((row) => row !== undefined);
  const views = lives.filter(({ stage }) => stage === 'catalogue');
  assert.ok(views.length > 0, 'a catalogue');
  for (const life of views) {
    const reader = catalogueReader(life.supervisor.current!.processor.instance.states());
    const titles = [...stored.keys()].map((item) => reader.get(item as string)?.title);
    const expected = [...stored.values()].map((row) => row?.['title']);
    assert.deepEqual([titles, reader.count()], [expected, known.length], 'the catalogue');
    const lacking = reader.unknown().map(({ item, events }) => [item, events]);
    assert.deepEqual(lacking.sort(), [...unknown].sort(), 'unknown items');
  }
}

/** Each event that the watermark has sent on, with its own category, or that which the mailbox had of its item before it. */
function checkCategories(world: World): void {
  const textOf = ({ storedAt: _, past: __, ...row }: PlainRow): string => JSON.stringify(row);
  const partitions = new Map<string, Map<unknown, PlainRow['category']>>();
  const expected: string[] = [];
  let unknown = 0;
  for (const { subject, rows } of messagesSaid(world, 'watermark')) {
    const partition = subject.split('.')[2]!;
    const known = partitions.get(partition) ?? new Map<unknown, PlainRow['category']>();
    partitions.set(partition, known);
    for (const row of rows) {
      const { item, category } = row;
      if (writerOf(subject).id === 'parse') {
        expected.push(textOf({ ...row, category: category ?? known.get(item) }));
        if (known.size > 0 && !known.has(item)) unknown++;
      } else if (row['deleted'] === 1) known.delete(item);
      else known.set(item, category);
    }
  }
  assert.deepEqual(rowsSaid(world, 'window').map(textOf).sort(), expected.sort(), 'categories of events');
  const counted = world.lives.filter(({ stage }) => stage === 'watermark').map(({ status }) => status.counters);
  const sum = counted.reduce((total, { unknown_items: own = 0 }) => total + own, 0);
  assert.equal(sum, unknown, 'events of unknown items');
}

/** What window said in the end of each row, and in all that it added. */
function saidCounts(world: World, sessions: boolean): { last: Record<string, number>; added: Record<string, number> } {
  const [last, added]: Record<string, number>[] = [{}, {}];
  // Of an item that changes its category there are several rows.
  const counts = new Map<string, number>();
  for (const row of rowsSaid(world, 'interest-ranking')) {
    if (String(row['user']).startsWith('old')) continue;
    const event = [row['user'], row['item'], EVENT_TYPES[row['type'] as number], row['price']].join();
    const key = rowKey(row['windowStart'], row['windowEnd'], event);
    const whole = JSON.stringify([key, row['category']]);
    last![key] = (last![key] ?? 0) + (row['count'] as number) - (counts.get(whole) ?? 0);
    counts.set(whole, row['count'] as number);
    // A session that grows is another row: of these, all that was added to any.
    const sum = sessions ? event : key;
    added![sum] = (added![sum] ?? 0) + (row['added'] as number);
  }
  return { last: last!, added: added! };
}

function viewOf(processor: MailboxProcessor): unknown {
  const reader = recommendationReader(processor.instance.states());
  const ask = { limit: 10, excludeSeen: false, explain: true };
  return USER_IDS.map((user) => [user, answer(reader, { user, ...ask }), [...reader.seen(user).keys()]]);
}

function checkView(world: World, folds: ReadonlyMap<string, MailboxProcessor>, { timely, past }: Sent): void {
  const seen = new Map<string, Set<string>>();
  for (const { user_id, item_id } of [...timely, ...past])
    seen.set(user_id!, (seen.get(user_id!) ?? new Set()).add(item_id));
  let personal = 0;
  for (const life of world.lives) {
    if (life.stage !== 'recommendations') continue;
    const { partition } = life.status;
    const live = life.supervisor.current!.processor;
    assert.deepEqual(viewOf(live), viewOf(folds.get(`recommendations/${partition}`)!), `view ${partition}`);
    const reader = recommendationReader(live.instance.states());
    personal += checkEagerLists(world, partition, reader);
    for (const user of new Set([...USER_IDS, ...past.map(({ user_id }) => user_id!)])) {
      if (fnv1a(utf8(user)) % world.job.topology.count('recommendations') !== partition) continue;
      assert.deepEqual(new Set(reader.seen(user).keys()), seen.get(user), `items that ${user} has seen`);
    }
  }
  assert.ok(personal > 0, 'a user with a list of categories');
}

/** Candidates, weights and similar items: what is recovered, and what is folded in one go. */
function rankingOf(processor: MailboxProcessor): unknown {
  const reader = rankingReader(processor.instance.states());
  const none = {
    seen: () => new Map<string, number>(),
    trending: () => [],
    titleOf: (item: string) => item,
    user: 'u',
    rules: { alsWeight: 1, exploration: 0.5, categoryShareMax: 0.5 },
  };
  const ask = { ...none, n: 10, category: undefined, isExcluded: () => false, explain: true };
  return ['i0', 'i1', 'i2', 'i3', 'i4'].map((item) => [
    reader.similar(item, 10, undefined),
    reader.ranked({ ...ask, by: 'hybrid', latest: { items: [item, 'i0'], times: [START_MS, START_MS - 1] } }),
  ]);
}

function checkRanking(world: World, folds: ReadonlyMap<string, MailboxProcessor>): void {
  const views = world.lives.filter(({ stage }) => stage === 'ranking-learner');
  assert.ok(views.length > 0, 'a view that ranks');
  const expected = rankingOf(folds.get('ranking-learner/0')!);
  for (const { supervisor } of views) assert.deepEqual(rankingOf(supervisor.current!.processor), expected, 'ranking');
}

/**
 * The day has all events but those of the past, also those that are too late for the windows of `window`. What came behind the last tick is told at one
 * more.
 */
function checkTrending({ job }: World, folds: ReadonlyMap<string, MailboxProcessor>, { good, past }: Sent): void {
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
  const engaged = good
    .filter((event) => !past.includes(event))
    .map(({ event_time, event_type, item_id }) => {
      return { time: Date.parse(event_time), type: event_type, item: item_id };
    });
  const counts = ({ item, views, clicks }: { item: string; views: number; clicks: number }): string =>
    `${item} ${views} ${clicks}`;
  assert.deepEqual(read?.list.map(counts), ranked(engaged, 0, 0).map(counts), 'trending of the day');
}

/** Each event of the past is a row of each of its windows, and none is late. */
function checkPast(world: World, { past }: Sent): void {
  const rows = rowsSaid(world, 'interest-ranking').filter(({ user }) => String(user).startsWith('old'));
  const said = rows.map((row) => [
    row['windowStart'],
    row['time'],
    row['user'],
    row['item'],
    row['count'],
    row['added'],
  ]);
  const expected = past.map(({ event_time, user_id, item_id }) => {
    const time = Date.parse(event_time);
    return [Math.floor(time / WINDOW_MS) * WINDOW_MS, time, user_id, item_id, 1, 1];
  });
  assert.deepEqual(said.map(String).sort(), expected.map(String).sort(), 'rows of the past');
  assert.equal(rowsSaid(world, 'late').length, 0, 'late events of the past');
}

/** Every accepted event once, and each duplicate as one: what was said, and what still waits for a tick. */
function checkHistory(world: World, folds: ReadonlyMap<string, MailboxProcessor>, { good }: Sent): void {
  const waiting = Array.from({ length: world.job.topology.count('parse') }, (_, p) => folds.get(`parse/${p}`)!.instance)
    .flatMap((instance) => [LAST_TICK_MS, LAST_TICK_MS + 60_000].flatMap((timeMs) => instance.tick(timeMs)))
    .filter(({ output }) => output === 'history')
    .flatMap(({ frame }) => rowsOf(frame as Frame<typeof historyRows.columns>));
  const rows = [...(rowsSaid(world, 'history') as unknown as typeof waiting), ...waiting];
  const ids = (duplicate: number): unknown[] =>
    rows.filter((row) => row.duplicate === duplicate).map(({ eventId }) => eventId);
  assert.deepEqual(ids(0).sort(), good.map(({ event_id }) => event_id).sort(), 'the history');
  assert.equal(ids(1).length, totalsOf(world, 'parse').duplicates, 'duplicates in the history');
}

function checkWindows(
  world: World,
  { timely }: Sent,
  sessions: boolean,
  counts: Readonly<Record<string, number>>,
): void {
  const { last, added } = saidCounts(world, sessions);
  const final = sessions ? Object.fromEntries(Object.keys(counts).map((key) => [key, last[key]])) : last;
  assert.deepEqual(final, counts, 'counts of each window');
  const all = Object.fromEntries(Object.entries(groupedBy(timely, keyOf)).map(([key, events]) => [key, events.length]));
  assert.deepEqual(added, sessions ? all : counts, 'what was added to each window');
}

interface LiveOptions {
  readonly trigger?: Trigger;
  readonly window?: OracleKind;
  readonly items?: number;
  /** Whether a catalogue is published beside the events. */
  readonly catalogue?: boolean;
  /** Whether events of `old` users are published as those of the past. */
  readonly past?: boolean;
  /** Then the rows of windows are not in the log. */
  readonly chaining?: boolean;
  readonly ticksOnMs?: number;
}

const TUMBLING = { kind: 'fixed', sizeMs: WINDOW_MS, slideMs: WINDOW_MS } as const;

function liveJob(name: string, options: LiveOptions = {}): Job {
  const {
    trigger = { kind: 'frame' },
    window = TUMBLING,
    items = 9,
    catalogue = false,
    past = false,
    chaining = false,
    ...more
  } = options;
  const sessions = window.kind === 'session';
  const sent = sentWith(items, past);
  const kind: WindowKind = window.kind === 'session' ? window : { ...window, kind: 'hopping' };
  const job: Job = {
    ...{
      name,
      topology: topologyWith(trigger, kind, chaining),
      steps: 1_200,
      everySeeds: 5,
      tickEveryMs: 500,
      sinkTopics: [],
    },
    ...more,
    feed: (feed) => {
      const byUser = groupedBy(sent.events, ({ user_id = '' }) => user_id);
      const publishers = Object.entries(byUser).map(([user, events]) =>
        events.map((event) => ({
          subject: `rivulet.events.${past && user.startsWith('old') ? 'past' : event.event_type}${user === '' ? '' : `.${user}`}`,
          data: utf8(JSON.stringify(event)),
        })),
      );
      const itemPublishers = ITEM_MESSAGES.map((messages) =>
        messages.map((one) => ({ subject: `rivulet.items.${one.item_id}`, data: utf8(JSON.stringify(one)) })),
      );
      return publishAll(feed, [...publishers, ...(catalogue ? itemPublishers : [])]);
    },
    reference: () => Promise.resolve(windowCounts(sent, window)),
    check: (world, expected) => {
      const folds = refolded(world);
      checkView(world, folds, sent);
      checkTrending(world, folds, sent);
      checkRanking(world, folds);
      checkHistory(world, folds, sent);
      if (catalogue) checkCatalogue(world);
      if (past && !chaining) checkPast(world, sent);
      checkCategories(world);
      if (!chaining) checkWindows(world, sent, sessions, expected as Readonly<Record<string, number>>);
      const [read, counted] = [totalsOf(world, 'parse'), totalsOf(world, 'window')];
      assert.equal(read.events, counted.on_time + counted.late + read.dead_letter + read.duplicates, 'conservation');
      assert.equal(counted.on_time + counted.late, sent.good.length, 'good events');
      assert.equal(rowsSaid(world, 'dead-letter').length, read.dead_letter, 'dead letters');
    },
    run: (run) => World.run(job, run),
  };
  return job;
}

export const live = liveJob('live');
/** Epochs of several sources, which tick by clocks of their own, or not at all for a while. */
export const liveInterval = liveJob('live-interval', { trigger: { kind: 'interval', everyMs: 700 }, ticksOnMs: 3_000 });
/** Each event in two windows. */
export const liveHopping = liveJob('live-hopping', {
  window: { kind: 'fixed', sizeMs: WINDOW_MS, slideMs: WINDOW_MS / 2 },
  catalogue: true,
});
/** Events of some users are imported beside those of others; they are ranked when two ticks have passed. */
export const livePast = liveJob('live-past', { past: true, catalogue: true, ticksOnMs: 3_000 });
/** The same, with windows and ranking as one. */
export const liveChained = liveJob('live-chained', { past: true, catalogue: true, chaining: true, ticksOnMs: 3_000 });
export const liveSession = liveJob('live-session', {
  window: { kind: 'session', gapMs: 180_000 },
  items: 1,
  catalogue: true,
});
