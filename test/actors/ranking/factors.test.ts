/** Lists by factors, worked by hand; and which training they are of, however it comes. */
import { describe, expect, it } from 'vitest';
import { rankingLearner, rankingReader } from '../../../actors/ranking-learner.js';
import { vectorText } from '../../../actors/ranking/factor-table.js';
import type { RankingQuestion } from '../../../actors/candidates/source.js';
import type { RankedItem } from '../../../actors/maths/made-list.js';
import { StageDriver } from '../../support/stage-driver.js';

const NOON = Date.UTC(2026, 0, 1, 12);

/** Items that users saw, each by another one. */
function driverOf(...items: readonly string[]): StageDriver {
  const driver = new StageDriver(rankingLearner());
  driver.feed(
    'events',
    items.map((item, i) => ({ time: NOON + i, user: `u${i}`, item, category: 'c', price: NaN, past: 0 })),
  );
  return driver;
}

/** Of a training with α = 3 and λ = 1. */
const row = (trainedAt: number, item: string, vector: readonly number[], last = 0) => ({
  ...{ item, vector: vectorText(Float64Array.from(vector)), trainedAt, alpha: 3, regularisation: 1, last },
});

/** Of users with Xᵀ X = diag(2, 3). */
const AXES = [
  row(1, 'a', [1, 0]),
  row(1, 'b', [2, 0]),
  { ...row(1, 'c', [0, 1], 1), userGram: vectorText(Float64Array.of(2, 0, 0, 3)) },
];

const ask = (driver: StageDriver, seen: readonly string[], question: Partial<RankingQuestion> = {}) =>
  rankingReader(driver.instance.states()).ranked({
    latest: { items: seen, times: seen.map(() => NOON) },
    seen: () => new Map(seen.map((item) => [item, NOON])),
    ...{ trending: () => [], titleOf: (item: string) => item, explain: false },
    ...{ user: 'ann', rules: { alsWeight: 0.7, exploration: 0, categoryShareMax: 1 } },
    ...{ by: 'als', n: 10, category: undefined, isExcluded: () => false, ...question },
  });
const scores = (ranked: readonly { readonly item: string; readonly score: number }[]) =>
  ranked.map(({ item, score }) => [item, Math.round(score * 1e4) / 1e4]);

const trending = (values: Readonly<Record<string, number>>): readonly RankedItem[] =>
  Object.entries(values).map(([item, score], i) => ({
    ...{ item, score, category: 'c', interest: NaN, interestRank: 0, rank: i + 1, kind: 4 },
  }));

describe('by als', () => {
  it('items of the taste that the user has shown lead, by hand', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    // YᵀY = diag(5, 1); of a user of a: (YᵀY + 3 a aᵀ + E) x = (1 + 3) a, diag(9, 2) x = (4, 0), x = (4/9, 0). b: 8/9; c: 0, so it is no candidate.
    expect(scores(ask(driver, ['a']))).toEqual([['b', 0.8889]]);
    // Of a and c: diag(9, 5) x = (4, 4).
    expect(scores(ask(driver, ['a', 'c']))).toEqual([['b', 0.8889]]);
  });

  it('nobody has a list without factors, or of items that have none', () => {
    expect(ask(driverOf('a', 'b'), ['a'])).toEqual([]);
    const driver = driverOf('a', 'b', 'new');
    driver.feed('factors', AXES);
    expect(ask(driver, ['new'])).toEqual([]);
    expect(ask(driver, [])).toEqual([]);
  });

  it('an item that comes into the stream after the training is found then', () => {
    const driver = driverOf('a');
    driver.feed('factors', AXES);
    expect(ask(driver, ['a'])).toEqual([]);
    driver.feed('events', [{ time: NOON, user: 'x', item: 'b', price: NaN, past: 0 }]);
    expect(scores(ask(driver, ['a']))).toEqual([['b', 0.8889]]);
  });

  it('what is excluded, or of another category, is left out', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    expect(ask(driver, ['a'], { isExcluded: (item) => item === 'b' })).toEqual([]);
    expect(ask(driver, ['a'], { category: 'other' })).toEqual([]);
  });
});

describe('by als-trending', () => {
  it('taste and trend are weighed against each other, by hand', () => {
    const driver = driverOf('a', 'b', 'c', 'd');
    driver.feed('factors', AXES);
    const list = ask(driver, ['a'], {
      ...{ by: 'als-trending', explain: true },
      trending: () => trending({ c: 10, b: 4, d: 2, a: 1, unheard: 99 }),
    });
    // Of b, c, d: taste 8/9, 0, 0 → 1, 0, 0; trend 4, 10, 2 → 1/4, 1, 0. So b 0.7 + 0.3/4, c 0.3, d 0. a is the user's own.
    expect(scores(list)).toEqual([
      ['b', 0.775],
      ['c', 0.3],
      ['d', 0],
    ]);
    expect(list.map(({ explanation }) => explanation!.contributions)).toEqual([
      [
        { source: 'als', share: expect.closeTo(0.7 / 0.775, 6) },
        { source: 'trending', share: expect.closeTo(0.075 / 0.775, 6) },
      ],
      [{ source: 'trending', share: 1 }],
      [{ source: 'trending', share: 1 }],
    ]);
  });

  it('the trend alone makes the list of a user of whom nothing is known', () => {
    const driver = driverOf('a', 'b', 'c');
    const list = ask(driver, [], { by: 'als-trending', trending: () => trending({ c: 10, b: 4 }) });
    expect(scores(list)).toEqual([
      ['c', 0.3],
      ['b', 0],
    ]);
  });
});

it('by hybrid, factors are one of the sources', () => {
  const driver = driverOf('a', 'b', 'c');
  driver.feed('factors', AXES);
  const [first] = ask(driver, ['a'], { by: 'hybrid', explain: true });
  expect(first).toMatchObject({ item: 'b', explanation: { reason: 'liked by people with a taste like yours' } });
});

describe('an item that came after the training', () => {
  const withNew = (): StageDriver => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    // u0 has seen a: x = (4/9, 0), as above. The new item: (XᵀX + 3 x xᵀ + E) y = (1 + 3) x, (3 + 16/27) y = 16/9, y = (48/97, 0).
    driver.feed('events', [{ time: NOON + 9, user: 'u0', item: 'new', category: 'c', price: NaN, past: 0 }]);
    return driver;
  };
  const expected = [
    ['b', 0.8889],
    ['new', Math.round(((4 / 9) * 48 * 1e4) / 97) / 1e4],
  ];

  it('has a vector from those of its users, by hand', () => {
    expect(scores(ask(withNew(), ['a']))).toEqual(expected);
  });

  it('has it after a crash, and until the next training', () => {
    const driver = withNew();
    driver.snapshot();
    driver.feed('events', []);
    driver.crash();
    expect(scores(ask(driver, ['a']))).toEqual(expected);
    driver.feed('factors', [row(2, 'a', [1, 0]), row(2, 'b', [1, 0], 1)]);
    expect(ask(driver, ['a']).map(({ item }) => item)).toEqual(['b']);
  });

  it('of users whose taste is not known has none', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    driver.feed('events', [{ time: NOON + 9, user: 'stranger', item: 'new', category: 'c', price: NaN, past: 0 }]);
    expect(ask(driver, ['a']).map(({ item }) => item)).toEqual(['b']);
  });
});

describe('a training', () => {
  const other = [row(2, 'a', [1, 0]), row(2, 'b', [0, 1]), row(2, 'c', [1, 0], 1)];
  const first = (driver: StageDriver) => ask(driver, ['a'])[0]?.item;

  it('counts when all of it is there', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    driver.feed('factors', other.slice(0, 2));
    expect(first(driver)).toBe('b');
    driver.feed('factors', other.slice(2));
    expect(first(driver)).toBe('c');
  });

  it('that was broken off is forgotten with the next one', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', [row(1, 'b', [9, 9])]);
    driver.feed('factors', other);
    expect(first(driver)).toBe('c');
    const { factors } = rankingReader(driver.instance.states()).report();
    expect(factors).toEqual({ trainedMs: 2, items: 3, rank: 2 });
  });

  it('is there after a crash, also one in the middle of it', () => {
    const driver = driverOf('a', 'b', 'c');
    driver.feed('factors', AXES);
    driver.feed('factors', other.slice(0, 1));
    driver.snapshot();
    driver.feed('factors', other.slice(1, 2));
    driver.crash();
    expect(first(driver)).toBe('b');
    driver.feed('factors', other.slice(1));
    expect(first(driver)).toBe('c');
  });
});
