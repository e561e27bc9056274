import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer } from '../../actors/candidates/answer.js';
import { recommendationReader, recommendations } from '../../actors/recommendations.js';
import { StageDriver } from '../support/stage-driver.js';
import { type Cut, cutsOf, feed, framesOf, type Step } from './script.js';

const readerOf = (driver: StageDriver) => recommendationReader(driver.instance.states());

const listed = (user: string, items: readonly string[], category = 'kids') =>
  items.length === 0
    ? [{ user, rank: 0 }]
    : items.map((item, i) => ({
        user,
        item,
        category,
        score: 1 / (i + 1),
        interest: 2,
        interestRank: 1,
        rank: i + 1,
        kind: 0,
      }));
const seen = (user: string, ...items: (readonly [item: string, time: number])[]) =>
  items.map(([item, time]) => ({ user, item, count: 1, views: 1, time }));
const popular = (category: string | undefined, origin: number, ...items: [string, number][]) =>
  items.map(([item, popularity]) => ({
    category,
    origin,
    item,
    popularity,
    itemCategory: category ?? (item === '9' ? undefined : 'auto'),
  }));

const itemsOf = (driver: StageDriver, user: string): string[] | undefined =>
  readerOf(driver)
    .listOf(user)
    ?.items.map(({ item }) => item);

describe('recommendations, by hand', () => {
  it('hold the latest list of each user, whole', () => {
    const driver = new StageDriver(recommendations());
    expect(feed(driver, 'lists', [...listed('u', ['1', '2']), ...listed('v', ['3'])]).rows).toEqual({});
    feed(driver, 'lists', listed('u', ['4']));
    expect(readerOf(driver).listOf('u')).toEqual({
      items: [{ item: '4', category: 'kids', score: 1, interest: 2, interestRank: 1, rank: 1, kind: 0 }],
    });
    expect(itemsOf(driver, 'v')).toEqual(['3']);
    expect(itemsOf(driver, 'w')).toBeUndefined();
  });

  it('know a user whose list is empty', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'lists', [...listed('u', ['1']), ...listed('u', [])]);
    expect(itemsOf(driver, 'u')).toEqual([]);
  });

  it('put a list together that was cut between two messages', () => {
    const driver = new StageDriver(recommendations());
    const rows = [...listed('u', ['1', '2']), ...listed('v', ['3', '4', '5'])];
    feed(driver, 'lists', listed('v', ['old']));
    feed(driver, 'lists', rows.slice(0, 3));
    feed(driver, 'lists', rows.slice(3));
    expect([itemsOf(driver, 'u'), itemsOf(driver, 'v')]).toEqual([
      ['1', '2'],
      ['3', '4', '5'],
    ]);
  });

  it('remember what was seen, the latest so many by event time, in whatever order it comes', () => {
    const driver = new StageDriver(recommendations({ seenMax: 3 }));
    feed(driver, 'interactions', [...seen('u', ['1', 10], ['2', 11], ['3', 12]), ...seen('v', ['9', 10])]);
    feed(driver, 'interactions', seen('u', ['1', 13], ['4', 14]));
    const latest = [
      ['1', 13],
      ['3', 12],
      ['4', 14],
    ];
    expect([...readerOf(driver).seen('u')].sort()).toEqual(latest);
    // Of the past: an item that was seen since, and one that was seen before all of them.
    feed(driver, 'interactions', seen('u', ['4', 2], ['5', 3]));
    driver.snapshot();
    driver.crash();
    expect([...readerOf(driver).seen('u')].sort()).toEqual(latest);
    expect([...readerOf(driver).seen('v').keys()]).toEqual(['9']);
    expect(readerOf(driver).seen('w').size).toBe(0);
  });

  it('have the popular items of all instances, typed as fallback', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'popular', [...popular(undefined, 0, ['7', 5], ['9', 2]), ...popular('kids', 0, ['1', 5])]);
    feed(driver, 'popular', [...popular(undefined, 1, ['8', 3]), ...popular('kids', 1, ['2', 6])]);
    const reader = readerOf(driver);
    expect(reader.fallback(2)).toEqual([
      { item: '7', category: 'auto', score: 0.1, interest: NaN, interestRank: 0, rank: 1, kind: 1 },
      { item: '8', category: 'auto', score: 0.1, interest: NaN, interestRank: 0, rank: 2, kind: 1 },
    ]);
    expect(reader.fallback(10)[2]).toMatchObject({ item: '9', category: undefined });
    expect(reader.topOf('kids', 10).map(({ item }) => item)).toEqual(['2', '1']);
    expect(reader.topOf('boats', 10)).toEqual([]);
  });

  it('answer from the view', () => {
    const driver = new StageDriver(recommendations());
    const ask = (user: string, excludeSeen = false) =>
      answer(readerOf(driver), { user, limit: 2, excludeSeen, explain: true }).items.map(
        ({ itemId, reason }) => `${itemId}: ${reason}`,
      );
    expect(ask('u')).toEqual([]);
    feed(driver, 'popular', popular(undefined, 0, ['7', 5], ['9', 2]));
    feed(driver, 'lists', listed('u', ['1', '2']));
    feed(driver, 'interactions', seen('u', ['1', 1], ['9', 2]));
    expect(ask('u')).toEqual([
      '1: popular in kids, which is your #1 interest (2)',
      '2: popular in kids, which is your #1 interest (2)',
    ]);
    expect(ask('u', true)).toEqual(['2: popular in kids, which is your #1 interest (2)', '7: popular with everyone']);
    expect(ask('eve')).toEqual(['7: popular with everyone', '9: popular with everyone']);
  });

  it('keep a list as one object until it changes, and none for a user without items', () => {
    const driver = new StageDriver(recommendations());
    const kept = () => readerOf(driver).kept('u');
    expect(kept()).toBeUndefined();
    feed(driver, 'lists', listed('u', ['1', '2']));
    const first = kept();
    expect(first).toBeDefined();
    feed(driver, 'lists', listed('v', ['3']));
    expect(kept()).toBe(first);
    feed(driver, 'lists', listed('u', ['2']));
    expect(kept()).not.toBe(first);
    feed(driver, 'lists', listed('u', []));
    expect(kept()).toBeUndefined();
  });

  it('have another version when anything was seen, also when as much was forgotten', () => {
    const driver = new StageDriver(recommendations({ seenMax: 2 }));
    const reader = readerOf(driver);
    const versions = ['1', '2', '3', '4'].map((item) => {
      feed(driver, 'interactions', seen('u', [item, Number(item)]));
      return reader.version('u');
    });
    expect(new Set(versions).size).toBe(4);
    expect(reader.version('u')).toBe(versions.at(-1));
  });

  it('load users only when asked for after a restart', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'lists', Array.from({ length: 500 }, (_, i) => listed(`u${i}`, ['1'])).flat());
    driver.snapshot();
    driver.crash();
    const before = driver.instance.keys();
    expect(itemsOf(driver, 'u123')).toEqual(['1']);
    expect(driver.instance.keys()).toBe(before + 1);
  });
});

const user = fc.constantFrom('u', 'v', 'w');
const ids = fc.uniqueArray(fc.nat({ max: 12 }).map(String), { maxLength: 5 });
const lists = fc.array(fc.tuple(user, ids), { maxLength: 12 });
const touches = fc.array(fc.tuple(user, fc.nat({ max: 8 }).map(String), fc.nat({ max: 30 })), { maxLength: 40 });
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 });

const steps = (
  allLists: readonly (readonly [string, readonly string[]])[],
  allTouches: readonly (readonly [string, string, number])[],
  frameSizes: readonly number[],
): Step[] => [
  // One user's two lists in a row are two lists: the second begins at rank 1 again.
  ...framesOf(
    'lists',
    allLists.flatMap(([name, items]) => listed(name, items)),
    frameSizes,
  ),
  ...framesOf(
    'interactions',
    allTouches.flatMap(([name, item, time]) => seen(name, [item, time])),
    frameSizes,
  ),
];
const take = (driver: StageDriver, step: Step): void => {
  if ('feed' in step) feed(driver, step.feed, step.rows);
};
const viewOf = (driver: StageDriver) =>
  ['u', 'v', 'w'].map((name) => ({ list: itemsOf(driver, name), seen: [...readerOf(driver).seen(name)].sort() }));

/** Plays with cuts: after a crash what came since the last snapshot is delivered again. */
function played(all: readonly Step[], cuts: readonly Cut[]): StageDriver {
  const driver = new StageDriver(recommendations({ seenMax: 4 }));
  let stored = 0;
  all.forEach((step, at) => {
    take(driver, step);
    for (const { kind } of cuts.filter((cut) => cut.at === at)) {
      if (kind === 'snapshot') {
        driver.snapshot();
        stored = at + 1;
      } else {
        driver.crash();
        all.slice(stored, at + 1).forEach((lost) => {
          take(driver, lost);
        });
      }
    }
  });
  return driver;
}

describe('recommendations', () => {
  it('hold the last list and the latest seen of each user, in frames of any size', () => {
    fc.assert(
      fc.property(lists, touches, sizes, (allLists, allTouches, frameSizes) => {
        const expected = ['u', 'v', 'w'].map((name) => {
          const latest = new Map<string, number>();
          for (const [who, item, time] of allTouches)
            if (who === name) latest.set(item, Math.max(time, latest.get(item) ?? 0));
          const recent = [...latest].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? 1 : -1)).slice(0, 4);
          return { list: allLists.findLast(([who]) => who === name)?.[1], seen: recent.sort() };
        });
        expect(viewOf(played(steps(allLists, allTouches, frameSizes), []))).toEqual(expected);
      }),
      { seed: 23, numRuns: 150 },
    );
  });

  it('are the same after crashes at any cut', () => {
    const script = fc
      .tuple(lists, touches, sizes)
      .map((parts) => steps(...parts))
      .chain((all) => fc.tuple(fc.constant(all), cutsOf(all.length)));
    fc.assert(
      fc.property(script, ([all, cuts]) => {
        expect(viewOf(played(all, cuts))).toEqual(viewOf(played(all, [])));
      }),
      { seed: 24, numRuns: 100 },
    );
  });

  it('are the same when everything is delivered twice', () => {
    fc.assert(
      fc.property(lists, touches, (allLists, allTouches) => {
        const all = steps(allLists, allTouches, [7]);
        const [once, twice] = [played(all, []), played(all, [])];
        all.forEach((step) => {
          take(twice, step);
        });
        expect(viewOf(twice).map((view) => view.list)).toEqual(viewOf(once).map((view) => view.list));
        expect(viewOf(twice).map((view) => view.seen)).toEqual(viewOf(once).map((view) => view.seen));
      }),
      { seed: 25, numRuns: 60 },
    );
  });
});
