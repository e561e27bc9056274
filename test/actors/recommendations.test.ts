import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer } from '../../actors/candidates/answer.js';
import { fallback } from '../../actors/fallback.js';
import { popularityJoin } from '../../actors/popularity-join.js';
import { recommendationReader, recommendations } from '../../actors/recommendations.js';
import { RECENT_MAX, SEEN_MAX } from '../../actors/state/seen-items.js';
import { StageDriver } from '../support/stage-driver.js';
import { type Cut, cutsOf, type Fed, feed, framesOf, rowsSaid, type Step } from './script.js';

const readerOf = (driver: StageDriver) => recommendationReader(driver.instance.states());

type Interests = readonly (readonly [category: string, interest: number])[];

const interested = (user: string, ...interests: Interests) =>
  interests.length === 0
    ? [{ user, rank: 0 }]
    : interests.map(([category, interest], i) => ({ user, category, interest, rank: i + 1 }));
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

const itemsOf = (driver: StageDriver, user: string): string[] =>
  readerOf(driver)
    .ownList(user, 100)
    .map(({ item }) => item);

const KIDS = popular('kids', 0, ['1', 300], ['2', 100]);
const AUTO = popular('auto', 0, ['3', 150], ['1', 90]);

describe('recommendations, by hand', () => {
  it('make the list of each user of the latest interests and the latest top lists', () => {
    const driver = new StageDriver(recommendations());
    expect(feed(driver, 'interests', [...interested('u', ['kids', 2]), ...interested('v', ['auto', 1])]).rows).toEqual(
      {},
    );
    expect(itemsOf(driver, 'u')).toEqual([]);
    feed(driver, 'popular', [...KIDS, ...AUTO]);
    feed(driver, 'interests', interested('u', ['auto', 4], ['kids', 1]));
    expect(readerOf(driver).ownList('u', 2)).toEqual([
      { item: '3', category: 'auto', score: 6, interest: 4, interestRank: 1, rank: 1, kind: 0 },
      { item: '1', category: 'auto', score: 3.6, interest: 4, interestRank: 1, rank: 2, kind: 0 },
    ]);
    // 1 is in both lists, and stands once.
    expect(itemsOf(driver, 'u')).toEqual(['3', '1', '2']);
    expect(itemsOf(driver, 'v')).toEqual(['3', '1']);
    expect(itemsOf(driver, 'w')).toEqual([]);
  });

  it('follow what becomes popular, for a user who did nothing', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'popular', KIDS);
    feed(driver, 'interests', interested('u', ['kids', 1]));
    expect(itemsOf(driver, 'u')).toEqual(['1', '2']);
    const reader = readerOf(driver);
    const before = reader.version('u');
    const beforeOfAuto = reader.version('u', 'auto');
    feed(driver, 'popular', popular('auto', 0, ['4', 7]));
    expect(reader.version('u')).toBe(before);
    expect(reader.version('u', 'auto')).not.toBe(beforeOfAuto);
    feed(driver, 'popular', popular('kids', 0, ['2', 301], ['1', 300]));
    expect(itemsOf(driver, 'u')).toEqual(['2', '1']);
    expect(reader.version('u')).not.toBe(before);
  });

  it('have no list of their own for a user without interests, or of categories without popular items', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'popular', [...KIDS, ...popular(undefined, 0, ['9', 5])]);
    feed(driver, 'interests', [...interested('u', ['kids', 1]), ...interested('v', ['boats', 1])]);
    feed(driver, 'interests', interested('u'));
    expect([itemsOf(driver, 'u'), itemsOf(driver, 'v')]).toEqual([[], []]);
    for (const user of ['u', 'v', 'eve'])
      expect(readerOf(driver).made(user, 10)).toMatchObject([{ item: '9', kind: 1 }]);
  });

  it('remember what was seen, the latest so many by event time, in whatever order it comes', () => {
    const driver = new StageDriver(recommendations());
    const many = Array.from({ length: SEEN_MAX }, (_, i): [string, number] => [String(i), i]);
    feed(driver, 'interactions', [...seen('u', ...many), ...seen('v', ['9', 10])]);
    feed(driver, 'interactions', seen('u', ['0', 2000], ['new', 2001]));
    const latest = [...many.slice(2), ['0', 2000], ['new', 2001]].sort();
    expect([...readerOf(driver).seen('u')].sort()).toEqual(latest);
    // Of the past: an item that was seen since, and one that was seen before all of them.
    feed(driver, 'interactions', seen('u', ['new', 2], ['old', 1]));
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
    expect(reader.fallback().slice(0, 2)).toEqual([
      { item: '7', category: 'auto', score: 0.1, interest: NaN, interestRank: 0, rank: 1, kind: 1 },
      { item: '8', category: 'auto', score: 0.1, interest: NaN, interestRank: 0, rank: 2, kind: 1 },
    ]);
    expect(reader.fallback()[2]).toMatchObject({ item: '9', category: undefined });
    expect(reader.topOf('kids').map(({ item }) => item)).toEqual(['2', '1']);
    expect(reader.topOf('boats')).toEqual([]);
  });

  it('answer from the view', () => {
    const driver = new StageDriver(recommendations());
    const ask = (user: string, excludeSeen = false) =>
      answer(readerOf(driver), { user, limit: 2, excludeSeen, explain: true }).items.map(
        ({ itemId, reason }) => `${itemId}: ${reason}`,
      );
    expect(ask('u')).toEqual([]);
    feed(driver, 'popular', [...popular(undefined, 0, ['7', 5], ['9', 2]), ...KIDS]);
    feed(driver, 'interests', interested('u', ['kids', 2]));
    feed(driver, 'interactions', seen('u', ['1', 1], ['9', 2]));
    expect(ask('u')).toEqual([
      '1: popular in kids, which is your #1 interest (2)',
      '2: popular in kids, which is your #1 interest (2)',
    ]);
    expect(ask('u', true)).toEqual(['2: popular in kids, which is your #1 interest (2)', '7: popular with everyone']);
    expect(ask('eve')).toEqual(['7: popular with everyone', '9: popular with everyone']);
  });

  it('make a list once, while what it is made of is the same', () => {
    const driver = new StageDriver(recommendations());
    const reader = readerOf(driver);
    const made = (user = 'u') => reader.made(user, 10);
    expect(made()).toBeUndefined();
    feed(driver, 'popular', [...KIDS, ...AUTO, ...popular(undefined, 0, ['9', 5])]);
    feed(driver, 'interests', interested('u', ['kids', 1]));
    const [first, popularOnly] = [made(), made('eve')];
    expect(first).toBeDefined();
    feed(driver, 'interests', interested('v', ['kids', 1]));
    feed(driver, 'popular', popular('auto', 0, ['4', 7]));
    expect(made()).toBe(first);
    expect([made('eve'), made('eva')]).toEqual([popularOnly, popularOnly]);
    feed(driver, 'popular', popular('kids', 0, ['1', 301], ['2', 100]));
    const second = made();
    expect(second).not.toBe(first);
    feed(driver, 'interests', interested('u', ['kids', 2]));
    expect(made()).not.toBe(second);
  });

  it('have another version when anything was seen, however much was before', () => {
    const driver = new StageDriver(recommendations());
    const reader = readerOf(driver);
    const versions = Array.from({ length: 3 * RECENT_MAX }, (_, i) => {
      feed(driver, 'interactions', seen('u', [String(i), i]));
      return reader.version('u');
    });
    expect(new Set(versions).size).toBe(3 * RECENT_MAX);
    expect(reader.version('u')).toBe(versions.at(-1));
  });

  it('load users only when asked for after a restart', () => {
    const driver = new StageDriver(recommendations());
    feed(driver, 'popular', KIDS);
    feed(driver, 'interests', Array.from({ length: 500 }, (_, i) => interested(`u${i}`, ['kids', 1])).flat());
    driver.snapshot();
    driver.crash();
    const before = driver.instance.keys();
    expect(itemsOf(driver, 'u123')).toEqual(['1', '2']);
    // The user, and the top list.
    expect(driver.instance.keys()).toBe(before + 2);
  });
});

const user = fc.constantFrom('u', 'v', 'w');
const category = fc.constantFrom('auto', 'boats', 'kids', 'toys');
const ranked: fc.Arbitrary<Interests> = fc
  .uniqueArray(fc.tuple(category, fc.integer({ min: 1, max: 9 })), { maxLength: 3, selector: ([name]) => name })
  .map((pairs) => [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
const rankings = fc.array(fc.tuple(user, ranked), { maxLength: 12 });
/** Enough for several times RECENT_MAX of a user. */
const touches = fc.array(fc.tuple(user, fc.nat({ max: 90 }).map(String), fc.nat({ max: 30 })), { maxLength: 250 });
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 });

const steps = (
  allRankings: readonly (readonly [string, Interests])[],
  allTouches: readonly (readonly [string, string, number])[],
  frameSizes: readonly number[],
): Step[] => [
  ...allRankings.map(([name, own]): Step => ({ feed: 'interests', rows: interested(name, ...own) })),
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
  ['u', 'v', 'w'].map((name) => ({
    list: readerOf(driver).ownList(name, 100),
    seen: [...readerOf(driver).seen(name)].sort(),
  }));

/** Plays with cuts: after a crash what came since the last snapshot is delivered again. */
function played(all: readonly Step[], cuts: readonly Cut[]): StageDriver {
  const driver = new StageDriver(recommendations());
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

/** What is popular does not change in these. */
const POPULAR: Fed = {
  feed: 'popular',
  rows: [...KIDS, ...AUTO, ...popular('boats', 0, ['5', 120], ['2', 80], ['6', 1])],
};

describe('recommendations', () => {
  it('remember what each user has seen, in frames of any size', () => {
    fc.assert(
      fc.property(touches, sizes, (allTouches, frameSizes) => {
        const expected = ['u', 'v', 'w'].map((name) => {
          const latest = new Map<string, number>();
          for (const [who, item, time] of allTouches)
            if (who === name) latest.set(item, Math.max(time, latest.get(item) ?? 0));
          return [...latest].sort();
        });
        expect(viewOf(played(steps([], allTouches, frameSizes), [])).map((view) => view.seen)).toEqual(expected);
      }),
      { seed: 23, numRuns: 150 },
    );
  });

  it('answer what popularity-join and fallback write for the same interests and top lists', () => {
    const topLists = fc.array(
      fc.tuple(
        fc.option(category, { nil: undefined }),
        fc.constantFrom(0, 1),
        fc.uniqueArray(fc.nat({ max: 30 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
      ),
      { maxLength: 10 },
    );
    const size = fc.integer({ min: 1, max: 15 });
    fc.assert(
      fc.property(topLists, rankings, size, (allTops, allRankings, listSize) => {
        const frames: Fed[] = allTops.map(([name, origin, items, step]) => ({
          feed: 'lists',
          // An item is counted by one instance.
          rows: popular(
            name,
            origin,
            ...items.map((n, i) => [String(2 * n + origin), (40 - i) * step] as [string, number]),
          ),
        }));
        const lists = frames.map(({ rows }) => (rows.length === 0 ? [] : rows));
        const [join, fill] = [new StageDriver(popularityJoin({ listSize })), new StageDriver(fallback({ listSize }))];
        const view = new StageDriver(recommendations());
        for (const rows of lists) {
          feed(join, 'lists', rows);
          feed(fill, 'lists', rows);
          feed(view, 'popular', rows);
        }
        const eager = new Map<string, object[]>();
        for (const [name, own] of allRankings) {
          const rows = interested(name, ...own);
          feed(view, 'interests', rows);
          const joined = rowsSaid([feed(join, 'interests', rows).rows], 'rows');
          const filled = rowsSaid([feed(fill, 'ranked', joined).rows], 'rows');
          eager.set(
            name,
            filled
              .filter(({ item }) => item !== undefined)
              .map(({ user: _, interest = NaN, ...row }) => ({ ...row, interest })),
          );
        }
        for (const [name, rows] of eager) {
          const made = readerOf(view).made(name, listSize) ?? [];
          expect(made.slice(0, listSize)).toEqual(rows);
        }
      }),
      { seed: 26, numRuns: 300 },
    );
  });

  it('are the same after crashes at any cut', () => {
    const script = fc
      .tuple(rankings, touches, sizes)
      .map((parts) => [POPULAR, ...steps(...parts)])
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
      fc.property(rankings, touches, (allRankings, allTouches) => {
        const all = [POPULAR, ...steps(allRankings, allTouches, [7])];
        const [once, twice] = [played(all, []), played(all, [])];
        all.forEach((step) => {
          take(twice, step);
        });
        expect(viewOf(twice)).toEqual(viewOf(once));
      }),
      { seed: 25, numRuns: 60 },
    );
  });
});
