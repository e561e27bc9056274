/** What callers see of trending: the lists of all instances as one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { velocity } from '../../actors/maths/trending.js';
import { LiveTrending } from '../support/live-trending.js';
import { type Engagement, HOUR } from '../support/trending-oracle.js';

const MINUTE = HOUR / 60;
const START = Date.UTC(2026, 0, 1, 12);
const RANKINGS = ['score', 'velocity', 'decayed'] as const;
const ALL = { rankings: RANKINGS, halfLifeMs: HOUR } as const;

/** Events `at` minutes after noon. */
const viewed = (item: string, at: number, times = 1, category?: string): Engagement[] =>
  Array.from({ length: times }, () => ({ time: START + at * MINUTE, type: 'view', item, category }));

interface Valued {
  readonly item: string;
  readonly value: number;
}

describe('lists of several instances', () => {
  /** Score, velocity or decayed sum of each item, by item, from the definitions. */
  function expected(
    events: readonly Engagement[],
    window: 'hour' | 'last-hour',
    ranking: (typeof RANKINGS)[number],
  ): Valued[] {
    const latest = Math.max(...events.map(({ time }) => time));
    const step = (Math.floor(latest / (5 * MINUTE)) + 1) * 5 * MINUTE;
    const start = window === 'hour' ? Math.floor(latest / HOUR) * HOUR : step - HOUR;
    const elapsed = step - start;
    const weight = ({ type }: Engagement): number => (type === 'view' ? 1 : 2);
    const items = new Set(events.filter(({ time }) => time >= start).map(({ item }) => item));
    return [...items].sort().map((item) => {
      const own = events.filter((event) => event.item === item);
      const sum = (from: number): number =>
        own.filter(({ time }) => time >= from && time < from + HOUR).reduce((total, event) => total + weight(event), 0);
      const value = {
        score: sum(start),
        velocity: (sum(start) * HOUR) / elapsed - sum(start - HOUR),
        decayed: own.reduce((total, event) => total + weight(event) * 2 ** ((event.time - start - HOUR) / HOUR), 0),
      }[ranking];
      return { item, value };
    });
  }

  it('are those of a sort of all events, by each ranking, whoever had the last event', () => {
    const engagement = fc.record({
      time: fc.integer({ min: 0, max: 110 }).map((at) => START + at * MINUTE),
      type: fc.constantFrom('view', 'purchase'),
      item: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    });
    const batches = fc.array(fc.array(engagement, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 3 }), (batches, partitions) => {
        const shop = new LiveTrending(partitions, ALL);
        batches.forEach((events, n) => {
          shop.happened(...events);
          shop.tick(1_000 * n + 1_000);
        });
        // Until everybody has spoken, or that takes too long.
        shop.tick(100_000);
        shop.tick(102_000);
        for (const ranking of RANKINGS) {
          for (const window of ['hour', 'last-hour'] as const) {
            // Those that are equal but for rounding are in any order.
            const values = shop.list(window, ranking, undefined).list.map(({ item, value }) => ({ item, value }));
            expect(values.sort((a, b) => (a.item < b.item ? -1 : 1))).toEqual(
              expected(batches.flat(), window, ranking).map(({ item, value }) => ({
                item,
                value: expect.closeTo(value, 6),
              })),
            );
          }
        }
      }),
    );
  });

  it('have velocities as of one time, also of items of an instance that had no event since', () => {
    const shop = new LiveTrending(3, ALL);
    const items = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6'];
    shop.happened(...items.flatMap((item) => viewed(item, 4, 10)));
    shop.tick(1_000);
    shop.happened(...viewed('b1', 47, 20));
    shop.tick(2_000);
    expect(shop.values('hour', 'velocity', undefined)).toEqual(['b1=24', ...items.map((item) => `${item}=12`)]);
    const told = shop.list('hour', 'score', undefined).list.map(({ item, velocity }) => `${item}=${velocity}`);
    expect(told).toEqual(['b1=24', ...items.map((item) => `${item}=12`)]);
  });
});

describe('a list', () => {
  it('by velocity has items that are equally fast by their ids', () => {
    expect([velocity(13, 13, 0, 24 * HOUR, 12 * HOUR), velocity(10, 7, 0, 24 * HOUR, 12 * HOUR)]).toEqual([
      13 / 24,
      13 / 24,
    ]);
  });

  it('by score has no item whose events count for nothing', () => {
    const shop = new LiveTrending(1, { viewWeight: 0 });
    shop.happened(...viewed('a', 1, 3));
    shop.tick(1_000);
    expect(shop.values('hour', 'score', undefined)).toEqual([]);
  });
});

describe('a new hour', () => {
  const shopAtOne = (): LiveTrending => {
    const shop = new LiveTrending(3);
    shop.happened(...['a', 'b', 'c', 'd', 'e', 'f'].flatMap((item) => viewed(item, 59)));
    shop.tick(1_000);
    shop.happened(...viewed('a', 60), ...viewed('d', 60));
    return shop;
  };
  const windowOf = (shop: LiveTrending): number =>
    (shop.list('hour', 'score', undefined).window!.startMs - START) / HOUR;

  it('is shown when all instances have spoken', () => {
    const shop = shopAtOne();
    for (const instance of [0, 1]) shop.tick(2_000, instance);
    expect([windowOf(shop), shop.values('hour', 'score', undefined).length]).toEqual([0, 6]);
    shop.tick(2_000, 2);
    expect(windowOf(shop)).toBe(1);
    expect(shop.values('hour', 'score', undefined)).toEqual(['a=1', 'd=1']);
  });

  it('is shown after two seconds when one of them is away', () => {
    const shop = shopAtOne();
    for (const instance of [0, 1]) shop.tick(2_000, instance);
    for (const instance of [0, 1]) shop.tick(3_000, instance);
    expect(windowOf(shop)).toBe(0);
    for (const instance of [0, 1]) shop.tick(5_000, instance);
    expect(windowOf(shop)).toBe(1);
  });
});

describe('other options after a restart', () => {
  it('weights: all lists are published with the new ones', () => {
    const shop = new LiveTrending(3);
    shop.happened(...viewed('a', 1, 3), ...viewed('b', 1, 2), ...viewed('c', 1));
    shop.tick(1_000);
    shop.restart({ viewWeight: 10 });
    shop.tick(2_000);
    expect(shop.values('day', 'score', undefined)).toEqual(['a=30', 'b=20', 'c=10']);
    const { revision } = shop.list('day', 'score', undefined)!;
    shop.restart({ viewWeight: 10 });
    shop.tick(3_000);
    expect(shop.list('day', 'score', undefined).revision).toBe(revision);
  });

  it('a half-life: sums decay by the new one, as if all of an hour had happened in its middle', () => {
    const shop = new LiveTrending(2, { rankings: ['decayed'], halfLifeMs: HOUR });
    shop.happened(...viewed('a', 30, 4), ...viewed('b', 90));
    shop.tick(1_000);
    shop.restart({ rankings: ['decayed'], halfLifeMs: HOUR / 2 });
    shop.tick(2_000);
    // Ends at 120 minutes: a was 90 minutes before, b 30.
    expect(shop.values('day', 'decayed', undefined)).toEqual(['a=0.5', 'b=0.5']);
    shop.happened(...viewed('b', 119, 2));
    shop.tick(3_000);
    expect(shop.values('day', 'decayed', undefined)[0]).toMatch(/^b=2\.4/);
  });

  it('a ranking that is new, or was off for a while, has the lists of now', () => {
    const shop = new LiveTrending(2, { rankings: ['velocity'] });
    shop.happened(...viewed('a', 1));
    shop.tick(1_000);
    shop.restart({});
    shop.happened(...viewed('b', 61));
    shop.tick(2_000);
    shop.restart(ALL);
    shop.tick(3_000);
    shop.tick(6_000);
    expect(shop.values('hour', 'velocity', undefined)).toEqual(['b=12']);
    expect(shop.values('hour', 'decayed', undefined)).toEqual([expect.stringMatching(/^b=0\./)]);
  });
});

describe('revisions', () => {
  it('are times of ticks, so that a recomputed list does not reuse those of the lost one', () => {
    const revisionsFrom = (startMs: number): number[] => {
      const shop = new LiveTrending(2);
      return [1, 2, 3].map((at) => {
        shop.happened(...viewed(`item-${startMs}-${at}`, at));
        shop.tick(startMs + at * 1_000);
        return shop.list('hour', 'score', undefined).revision;
      });
    };
    const [lost, anew] = [revisionsFrom(0), revisionsFrom(3_500)];
    expect(lost).toEqual([...lost].sort((a, b) => a - b));
    expect(new Set([...lost, ...anew]).size).toBe(6);
    expect(Math.min(...anew)).toBeGreaterThan(Math.max(...lost));
  });
});

describe('categories', () => {
  it('that are empty are seen to be, with a later revision, and may come again, with one that is later still', () => {
    const shop = new LiveTrending(1);
    const list = () => shop.list('hour', 'score', 'toys');
    shop.happened(...viewed('a', 1, 1, 'toys'));
    shop.tick(1_000);
    const first = list().revision;
    shop.happened(...viewed('b', 61));
    shop.tick(2_000);
    expect(list()).toEqual({ list: [], revision: 2_000, window: undefined });
    shop.happened(...viewed('b', 121));
    shop.tick(3_000);
    expect(list().revision).toBe(2_000);
    shop.happened(...viewed('a', 122));
    shop.tick(4_000);
    expect(list().revision).toBe(4_000);
    expect(first).toBeLessThan(2_000);
  });

  it('make room for others when their items are forgotten', () => {
    const shop = new LiveTrending(1);
    shop.happened(...Array.from({ length: 5_000 }, (_, i) => viewed(`junk-${i}`, 1, 1, `junk-${i}`)).flat());
    shop.tick(1_000);
    shop.happened(...viewed('a', 2, 1, 'garden'));
    shop.tick(2_000);
    expect(shop.values('hour', 'score', 'garden')).toEqual([]);
    for (const hour of [1, 25, 51]) {
      shop.happened(...viewed('b', hour * 60, 1, 'toys'));
      shop.tick(10_000 * hour);
    }
    shop.happened(...viewed('a', 52 * 60, 1, 'garden'));
    shop.tick(1_000_000);
    expect(shop.values('hour', 'score', 'garden')).toEqual(['a=1']);
  });

  it('of which the sketch lets all items go are empty then', () => {
    const shop = new LiveTrending(1, { itemsMax: 1_000 });
    shop.happened(...Array.from({ length: 990 }, (_, i) => viewed(`old-${i}`, 1, 1, `of-${i}`)).flat());
    shop.tick(1_000);
    expect(shop.values('day', 'score', 'of-7')).toEqual(['old-7=1']);
    shop.happened(...Array.from({ length: 1_100 }, (_, i) => viewed(`new-${i}`, 2, 5, `of-new-${i}`)).flat());
    for (const hour of [0, 1, 2, 30]) {
      shop.happened(...viewed('new-1', hour * 60 + 3));
      shop.tick(2_000 + hour);
      const left = Array.from({ length: 990 }, (_, i) => shop.values('day', 'score', `of-${i}`)).flat();
      expect([hour, left]).toEqual([hour, []]);
    }
  });
});
