import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareItems } from '../../actors/maths/item-order.js';
import { popularityJoin } from '../../actors/popularity-join.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, type Fed, feed, play, playWithCrashes, rowsSaid, type Saying, type Step } from './script.js';

type Entry = readonly [item: string, popularity: number];

const list = (category: string | undefined, origin: number, ...entries: Entry[]): Fed => ({
  feed: 'lists',
  rows:
    entries.length === 0
      ? [{ category, origin }]
      : entries.map(([item, popularity]) => ({ category, origin, item, popularity, itemCategory: category })),
});

type Interests = readonly (readonly [category: string, interest: number])[];

const user = (name: string, ...interests: Interests): Fed => ({
  feed: 'interests',
  rows:
    interests.length === 0
      ? [{ user: name, rank: 0 }]
      : interests.map(([category, interest], i) => ({ user: name, category, interest, rank: i + 1 })),
});

/** Lists as `user rank item category score=interest#interestRank`. */
const listsOf = (said: readonly Saying[]): string[] =>
  rowsSaid(said, 'rows').map((r) =>
    r['item'] === undefined
      ? `${r['user']} nothing`
      : `${r['user']} ${r['rank']} ${r['item']} ${r['category']} ${r['score']}=${r['interest']}#${r['interestRank']}`,
  );
const join = (listSize: number, ...steps: Step[]): string[] => listsOf(play(popularityJoin({ listSize }), steps));

describe('popularity-join, by hand', () => {
  const KIDS = list('kids', 0, ['7', 30], ['8', 10], ['9', 10]);
  const AUTO = list('auto', 0, ['1', 20], ['2', 15], ['3', 1]);

  it('scores by interest and popularity, over the categories of the user', () => {
    // kids: 2 · 30 / 100, 2 · 10 / 100; auto: 1 · 20 / 100, 1 · 15 / 100, 1 · 1 / 100; 8, 9 and 1 are equal.
    expect(join(5, KIDS, AUTO, user('u', ['kids', 2], ['auto', 1]))).toEqual([
      'u 1 7 kids 0.6=2#1',
      'u 2 1 auto 0.2=1#2',
      'u 3 8 kids 0.2=2#1',
      'u 4 9 kids 0.2=2#1',
      'u 5 2 auto 0.15=1#2',
    ]);
  });

  it('orders equal scores by item, integers by value, beyond 2^53 too', () => {
    const tied = [
      list('a', 0, ['100', 2], ['9007199254740993', 2], ['item-20', 2]),
      list('b', 0, ['20', 2], ['9007199254740992', 2], ['item-10', 2]),
    ];
    expect(join(6, ...tied, user('u', ['a', 1], ['b', 1])).map((line) => line.split(' ')[2])).toEqual([
      '20',
      '100',
      '9007199254740992',
      '9007199254740993',
      'item-10',
      'item-20',
    ]);
  });

  it('has a row without an item for a user whom nothing meets', () => {
    expect(join(5, KIDS, user('u'), user('v', ['boats', 3]), user('w', ['kids', 1]))).toEqual([
      'u nothing',
      'v nothing',
      'w 1 7 kids 0.3=1#1',
      'w 2 8 kids 0.1=1#1',
      'w 3 9 kids 0.1=1#1',
    ]);
  });

  it('has the list of a category from all popularity instances', () => {
    const steps = [list('kids', 1, ['5', 12]), KIDS, list('kids', 2, ['6', 10])];
    expect(join(3, ...steps, user('u', ['kids', 1])).map((line) => line.split(' ')[2])).toEqual(['7', '5', '6']);
  });

  it('takes a list from when it comes, the latest of each instance', () => {
    const steps = [
      user('u', ['kids', 1]),
      KIDS,
      user('u', ['kids', 1]),
      list('kids', 0, ['4', 1]),
      user('u', ['kids', 1]),
    ];
    expect(join(1, ...steps)).toEqual(['u nothing', 'u 1 7 kids 0.3=1#1', 'u 1 4 kids 0.01=1#1']);
    expect(join(1, KIDS, list('kids', 0), user('u', ['kids', 1]))).toEqual(['u nothing']);
  });

  it('has no use for the list over all', () => {
    const driver = new StageDriver(popularityJoin());
    feed(driver, 'lists', [{ category: undefined, origin: 0, item: '1', popularity: 5 }]);
    expect(driver.instance.keys()).toBe(new StageDriver(popularityJoin()).instance.keys());
  });

  it('lists an item of several of the categories once, with the best of its scores', () => {
    const lists = [list('Drama', 0, ['1', 30], ['2', 20], ['3', 1]), list('War', 0, ['1', 30], ['2', 20], ['4', 5])];
    expect(join(3, ...lists, user('u', ['War', 2], ['Drama', 1]))).toEqual([
      'u 1 1 War 0.6=2#1',
      'u 2 2 War 0.4=2#1',
      'u 3 4 War 0.1=2#1',
    ]);
    // Equal scores: the category that comes first.
    expect(join(2, ...lists, user('u', ['Drama', 1], ['War', 1])).map((line) => line.split(' ')[3])).toEqual([
      'Drama',
      'Drama',
    ]);
  });

  it('says nothing of lists alone', () => {
    expect(play(popularityJoin(), [KIDS, { end: true }])).toEqual([{}, {}]);
  });

  it('keeps a list in one frame, however many users there are', () => {
    const driver = new StageDriver(popularityJoin());
    const entries = Array.from({ length: 10 }, (_, i): Entry => [String(i), 20 - i]);
    feed(driver, 'lists', list('kids', 0, ...entries).rows);
    const users = Array.from({ length: 3_000 }, (_, i) => ({
      user: `user-${i}`,
      category: 'kids',
      interest: 1,
      rank: 1,
    }));
    const { frames, rows } = feed(driver, 'interests', users);
    expect(frames.length).toBeGreaterThan(1);
    for (const { frame } of frames) expect(frame.rows % 10).toBe(0);
    expect(rows['rows']).toHaveLength(30_000);
    expect(new Set(rows['rows']!.map((r) => `${r['rank']} ${r['item']} ${r['category']} ${r['score']}`)).size).toBe(10);
  });
});

const item = fc.oneof(
  fc.nat({ max: 60 }).map(String),
  fc.constantFrom('a', 'b', '18446744073709551616', '18446744073709551617'),
);
/** Items by categories and popularity; each item has one origin. */
const catalogue = fc.uniqueArray(
  fc.record({
    item,
    categories: fc.constantFrom<readonly string[]>(['k'], ['l'], ['m'], ['n'], ['k', 'l'], ['l', 'm', 'n']),
    origin: fc.nat({ max: 2 }),
    popularity: fc.integer({ min: 1, max: 6 }),
  }),
  { selector: (one) => one.item, maxLength: 40 },
);
type Catalogue = typeof catalogue extends fc.Arbitrary<infer T> ? T : never;
const interest = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.double({ min: 0.1, max: 50, noNaN: true }));
const people = fc.array(
  fc.uniqueArray(fc.tuple(fc.constantFrom('k', 'l', 'm', 'n', 'o'), interest), {
    selector: ([category]) => category,
    maxLength: 3,
  }),
  { maxLength: 6 },
);

const catalogueSteps = (all: Catalogue): Fed[] =>
  ['k', 'l', 'm', 'n'].flatMap((category) =>
    [0, 1, 2].map((origin) => {
      const own = all.filter((one) => one.categories.includes(category) && one.origin === origin);
      own.sort((a, b) => b.popularity - a.popularity || compareItems(a.item, b.item));
      return list(category, origin, ...own.map(({ item: id, popularity }): Entry => [id, popularity]));
    }),
  );

/** Every pair of interest and item, sorted; of an item the best. */
const oracle = (all: Catalogue, everyone: readonly Interests[], listSize: number): string[] =>
  everyone.flatMap((interests, u) => {
    const pairs = interests.flatMap(([category, strength], i) =>
      all
        .filter((one) => one.categories.includes(category))
        .map(({ item: id, popularity }) => ({
          id,
          category,
          strength,
          place: i + 1,
          score: (strength * popularity) / 100,
        })),
    );
    pairs.sort((a, b) => b.score - a.score || compareItems(a.id, b.id) || a.place - b.place);
    const lines = pairs
      .filter(({ id }, i) => pairs.findIndex((one) => one.id === id) === i)
      .slice(0, listSize)
      .map(
        ({ id, category, strength, place, score }, i) =>
          `u${u} ${i + 1} ${id} ${category} ${score}=${strength}#${place}`,
      );
    return lines.length === 0 ? [`u${u} nothing`] : lines;
  });

describe('popularity-join', () => {
  it.each([1, 4, 100])(
    'agrees with the oracle at list size %i, whatever frames lists and users come in',
    (listSize) => {
      fc.assert(
        fc.property(catalogue, people, fc.boolean(), (all, everyone, together) => {
          const users = everyone.map((interests, u) => user(`u${u}`, ...interests));
          const inOne = (steps: readonly Fed[]): readonly Fed[] =>
            together ? [{ feed: steps[0]?.feed ?? 'interests', rows: steps.flatMap(({ rows }) => rows) }] : steps;
          expect(join(listSize, ...inOne(catalogueSteps(all)), ...inOne(users))).toEqual(
            oracle(all, everyone, listSize),
          );
        }),
        { seed: 18, numRuns: 120 },
      );
    },
  );

  const script = fc
    .tuple(catalogue, catalogue, people)
    .chain(([before, after, everyone]) =>
      fc.shuffledSubarray(
        [
          ...catalogueSteps(before),
          ...catalogueSteps(after),
          ...everyone.map((interests, u) => user(`u${u}`, ...interests)),
        ],
        { minLength: 20 },
      ),
    )
    .chain((steps) => fc.tuple(fc.constant(steps), cutsOf(steps.length)));

  it('says the same after crashes at any cut', () => {
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        expect(playWithCrashes(popularityJoin({ listSize: 3 }), steps, cuts)).toEqual(
          play(popularityJoin({ listSize: 3 }), steps),
        );
      }),
      { seed: 19, numRuns: 60 },
    );
  });

  it('makes nothing of a list that is delivered twice', () => {
    fc.assert(
      fc.property(script, ([steps]) => {
        const twice = steps.flatMap((step) => ('feed' in step && step.feed === 'lists' ? [step, step] : [step]));
        expect(join(3, ...twice)).toEqual(join(3, ...steps));
      }),
      { seed: 20, numRuns: 40 },
    );
  });
});
