/**
 * A shop of which some publishers' clocks are ahead, through the whole live pipeline with its default settings: what everybody else did is counted
 * and listed as if those were not there.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology } from '../../actors/topology.js';
import { trendingReader } from '../../actors/trending-lists.js';
import { seededRandom } from '../../actors/maths/random.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { CLASSIC } from '../support/popularity-source.js';
import { loadConfig } from '../../runtime/config/config.js';
import { partitionOf } from '../../runtime/contract/stage.js';
import { TopologyDriver } from '../support/topology-driver.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
/** What is popular is counted of purchases, which only the others make. */
const TOPOLOGY = mainTopology({ ...pipelineOptions(config), popularity: CLASSIC });

const [MINUTE, HOUR] = [60_000, 3_600_000];
const MIDNIGHT = Date.UTC(2026, 0, 1);
/** Over the end of an hour, which is where trending begins anew. */
const [START, END] = [MIDNIGHT + 40 * MINUTE, MIDNIGHT + 80 * MINUTE];
const STEP_MS = 10_000;
const PUBLISHERS = 100;
/** What publishers' clocks say that are ahead: one of a hundred by hours, some by minutes. */
const AHEAD: Readonly<Record<number, number>> = {
  0: 23 * HOUR + 59 * MINUTE,
  1: 9.9 * MINUTE,
  2: 5 * MINUTE,
  3: 30_000,
};
const TYPES = ['view', 'view', 'view', 'cart', 'purchase'];

interface ShopEvent {
  readonly publisher: number;
  readonly at: number;
  readonly time: number;
  readonly user: string;
  readonly data: string;
}

const isAhead = ({ publisher }: ShopEvent): boolean => publisher in AHEAD;

/** Most come at once, some up to nine minutes late. Users and items of those ahead are theirs alone. */
const EVENTS: readonly ShopEvent[] = (() => {
  const random = seededRandom(7);
  return Array.from({ length: ((END - START) / STEP_MS) * 5 }, (_, i) => {
    const publisher = i % PUBLISHERS;
    const at = START + Math.floor(i / 5) * STEP_MS;
    const ahead = AHEAD[publisher];
    const time = at + (ahead ?? (random() < 0.1 ? -Math.floor(random() * 9 * MINUTE) : 0));
    const item = Math.floor(random() * 20);
    const user = `${ahead === undefined ? 'user' : 'ahead'}-${publisher}`;
    const body = {
      ...{ event_id: `e${i}`, event_time: new Date(time).toISOString(), user_id: user },
      ...(ahead === undefined
        ? { event_type: TYPES[i % TYPES.length], item_id: `i${item}`, category_code: `c${item % 3}.x`, price: 3 }
        : { event_type: 'view', item_id: `ahead-${publisher}` }),
    };
    return { publisher, at, time, user, data: JSON.stringify(body) };
  });
})();

const viewOf = (driver: TopologyDriver, user: string): ReturnType<typeof recommendationReader> =>
  recommendationReader(
    driver.processor('recommendations', partitionOf(user, TOPOLOGY.count('recommendations'))).instance.states(),
  );

/** What there is to see of a pipeline, but for the users and items of those ahead. */
function seenIn(driver: TopologyDriver): unknown {
  const readTrending = trendingReader(driver.processor('trending-lists').instance.states());
  const trending = (['hour', 'day'] as const).map((window) => {
    const { window: span, list } = readTrending(window, 'score', undefined);
    const items = list.filter(({ item }) => !item.startsWith('ahead'));
    return { span, items: items.map(({ item, views, clicks }) => [item, views, clicks]) };
  });
  const users = [...new Set(EVENTS.filter((event) => !isAhead(event)).map(({ user }) => user))];
  const lists = users.map((user) => {
    const reader = viewOf(driver, user);
    return [user, reader.ownList(user, 100), [...reader.seen(user)]];
  });
  return { trending, lists };
}

/** Plays the events; gives what is seen after each minute. */
function play(events: readonly ShopEvent[]): { readonly driver: TopologyDriver; readonly minutes: readonly unknown[] } {
  const driver = new TopologyDriver(TOPOLOGY);
  const minutes: unknown[] = [];
  for (let at = START; at < END; at += STEP_MS) {
    driver.nowMs = at;
    // One behind the other, as they come: what is in one frame does not depend on who else publishes.
    for (const { data, user } of events.filter((event) => event.at === at)) driver.publish({ data, user });
    driver.tick(at + 1_000);
    if ((at + STEP_MS) % MINUTE === 0) minutes.push(seenIn(driver));
  }
  return { driver, minutes };
}

describe('with one publisher of a hundred hours ahead and some by minutes', () => {
  let all: ReturnType<typeof play>;
  let without: ReturnType<typeof play>;
  beforeAll(() => {
    all = play(EVENTS);
    without = play(EVENTS.filter((event) => !isAhead(event)));
  });

  it('nobody else is late', () => {
    const { late, on_time } = all.driver.counts('window');
    const hoursAhead = EVENTS.filter(({ publisher }) => publisher === 0).length;
    expect([late, on_time]).toEqual([0, EVENTS.length - hoursAhead]);
    expect(all.driver.rows('late')).toEqual([]);
  });

  it('events from hours ahead are dead letters that say why', () => {
    const refused = EVENTS.filter(({ publisher }) => publisher === 0);
    const letters = all.driver.rows('dead-letter');
    expect(letters.map(({ original }) => original)).toEqual(refused.map(({ data }) => data));
    expect(letters[0]).toMatchObject({
      ...{ rule: 'time_in_future', field: 'event_time' },
      reason: expect.stringContaining(
        `a time that is not after ${new Date(refused[0]!.at + 10 * MINUTE).toISOString()}`,
      ),
    });
  });

  it('lists and trending are, minute by minute, as without them', () => {
    expect(all.minutes).toEqual(without.minutes);
  });

  it('those that were accepted are seen at their own time, and in trending when its hour has come', () => {
    const accepted = EVENTS.filter((event) => isAhead(event) && event.publisher !== 0);
    const latest = new Map<string, Map<string, number>>();
    for (const { user, time, publisher } of accepted) {
      const seen = latest.get(user) ?? new Map<string, number>();
      latest.set(user, seen.set(`ahead-${publisher}`, Math.max(time, seen.get(`ahead-${publisher}`) ?? 0)));
    }
    expect(latest.size).toBeGreaterThan(2);
    const seen = [...latest.keys()].map((user) => [user, new Map(viewOf(all.driver, user).seen(user))] as const);
    expect(new Map(seen)).toEqual(latest);
    const cells = all.driver.processor('trending-lists').instance.states();
    const hour = trendingReader(cells)('hour', 'score', undefined);
    expect(hour.window!.startMs).toBe(MIDNIGHT + HOUR);
    const listed = hour.list.filter(({ item }) => item.startsWith('ahead')).map(({ item, views }) => [item, views]);
    const inHour = (publisher: number): number =>
      accepted.filter((event) => event.publisher === publisher && event.time >= MIDNIGHT + HOUR).length;
    expect(listed.sort()).toEqual([1, 2, 3].map((publisher) => [`ahead-${publisher}`, inHour(publisher)]));
  });
});
