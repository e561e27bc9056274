/** ranking-learner: by hand, in frames of any size, over crashes, and against lists that sort all items. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RankingQuestion } from '../../actors/candidates/source.js';
import { RECOMMENDATION_TYPES } from '../../actors/model.js';
import { rankingLearner, rankingReader } from '../../actors/ranking-learner.js';
import { StageDriver } from '../support/stage-driver.js';

const SECOND = 1000;
const START = Date.UTC(2026, 0, 1);

interface Event {
  readonly user: string;
  readonly item: string;
  /** Seconds after START. */
  readonly at: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number;
}

const rowOf = ({ at, ...event }: Event) => ({ price: NaN, past: 0, ...event, time: START + at * SECOND });
const take = (driver: StageDriver, events: readonly Event[]): void => {
  driver.feed('events', events.map(rowOf));
};
const readerOf = (driver: StageDriver) => rankingReader(driver.instance.states());

const ask = (driver: StageDriver, items: readonly string[], question: Partial<RankingQuestion> = {}) =>
  readerOf(driver).ranked({
    latest: { items, times: items.map((_, i) => START - i) },
    ...{
      seen: () => new Map(items.map((item) => [item, START])),
      trending: () => [],
      titleOf: (item) => item,
    },
    ...{ user: 'ann', rules: { alsWeight: 0.7, exploration: 0, categoryShareMax: 1 } },
    ...{ by: 'hybrid', n: 10, category: undefined, isExcluded: () => false, explain: false, ...question },
  });
const itemsOf = (ranked: readonly { readonly item: string }[]): string[] => ranked.map(({ item }) => item);
const similar = (driver: StageDriver, item: string) => readerOf(driver).similar(item, 10, undefined);

/** So many users who go from each item to the next. */
const visits = (users: number, ...items: readonly string[]): Event[] =>
  Array.from({ length: users }, (_, user) =>
    items.map((item, i): Event => ({ user: `u${user}`, item, at: user * 100 + i, category: 'c' })),
  ).flat();

describe('what was seen together', () => {
  it('is similar, more so the nearer it was and the fewer others it was seen with', () => {
    const driver = new StageDriver(rankingLearner());
    take(driver, visits(2, 'a', 'b', 'c'));
    // n(a) = n(b) = n(c) = 2; a and b are next to each other for two users, a and c have one item between them.
    const found = similar(driver, 'a')!.map(({ item, score }) => [item, score]);
    expect(found).toEqual([
      ['b', expect.closeTo(2 / 4, 6)],
      ['c', expect.closeTo((2 * 0.9) / 4, 6)],
    ]);
  });

  it('is nothing for an item that is alone, and unknown for one that nobody saw', () => {
    const driver = new StageDriver(rankingLearner());
    take(driver, [{ user: 'u', item: 'alone', at: 0 }]);
    expect(similar(driver, 'alone')).toEqual([]);
    expect(similar(driver, 'nothing')).toBeUndefined();
  });

  it('leads the list by co-visitation, whatever is popular', () => {
    const driver = new StageDriver(rankingLearner());
    take(driver, [
      ...visits(3, 'a', 'b'),
      ...Array.from({ length: 9 }, (_, i): Event => ({ user: `p${i}`, item: 'popular', at: 500 + i })),
    ]);
    expect(itemsOf(ask(driver, ['a'], { by: 'co-visitation', n: 2 }))).toEqual(['b', 'popular']);
  });
});

describe('weights', () => {
  it('follow what users do next: what comes after an item leads its lists', () => {
    const driver = new StageDriver(rankingLearner());
    const popular = Array.from({ length: 60 }, (_, i): Event => ({ user: `p${i}`, item: `hit-${i % 3}`, at: i }));
    take(driver, popular);
    const before = ask(driver, ['lens'])[0]!.item;
    for (let user = 0; user < 30; user++) {
      const at = 100 + user * 100;
      take(driver, [
        { user: `v${user}`, item: 'lens', at },
        { user: `v${user}`, item: 'filter', at: at + 1 },
      ]);
    }
    const [first] = ask(driver, ['lens'], { explain: true });
    expect(before).toMatch(/^hit-/);
    expect(first!.item).toBe('filter');
    expect(first!.explanation!.reason).toMatch(/lens$/);
    const shares = first!.explanation!.contributions.map(({ share }) => share);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-9);
  });

  it('make scores that are shares of all candidates', () => {
    const driver = new StageDriver(rankingLearner());
    take(driver, visits(5, 'a', 'b', 'c', 'd'));
    const scores = ask(driver, ['a'], { n: 100 }).map(({ score }) => score);
    expect(scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 9);
    expect([...scores].sort((a, b) => b - a)).toEqual(scores);
  });
});

describe('a list', () => {
  const driver = new StageDriver(rankingLearner());
  take(driver, [
    ...visits(3, 'a', 'b'),
    { user: 'x', item: 'tv', at: 900, category: 'video.tv|games', brand: 'acme', price: 300 },
    { user: 'y', item: 'tv', at: 901 },
  ]);

  it('has facts of its items from their latest events that had them', () => {
    const [tv] = ask(driver, ['a'], { category: 'games' });
    expect(tv).toMatchObject({ item: 'tv', category: 'games', facts: { brand: 'acme', price: 300 } });
  });

  it('of a category has only its items, and none of a category that nobody knows', () => {
    expect(itemsOf(ask(driver, ['a'], { category: 'video' }))).toEqual(['tv']);
    expect(ask(driver, ['a'], { category: 'boats' })).toEqual([]);
  });

  it('has neither the item that the user looks at nor what is excluded', () => {
    expect(itemsOf(ask(driver, ['tv'])).sort()).toEqual(['a', 'b']);
    expect(itemsOf(ask(driver, ['tv'], { isExcluded: (item) => item === 'a' }))).toEqual(['b']);
  });

  it('of a user of whom nothing is known has what is popular, typed so', () => {
    const list = ask(driver, []);
    expect(itemsOf(list).sort()).toEqual(['a', 'b', 'tv']);
    expect(list.map(({ kind }) => RECOMMENDATION_TYPES[kind])).toEqual(list.map(() => 'streaming_popular_fallback'));
  });

  it('is empty before the first event', () => {
    expect(ask(new StageDriver(rankingLearner()), ['a'])).toEqual([]);
  });
});

describe('rules', () => {
  const rules = { alsWeight: 0.7, exploration: 0, categoryShareMax: 1 };
  /** Forty items, each with more events the earlier it comes; the last three are new. */
  const driver = new StageDriver(rankingLearner());
  take(
    driver,
    Array.from({ length: 40 }, (_, i) => i).flatMap((i) =>
      Array.from({ length: i < 37 ? 50 - i : 1 }, (_, n): Event => ({
        user: `u${i}-${n}`,
        item: `i${i}`,
        at: i,
        category: i < 30 ? 'a' : 'b',
      })),
    ),
  );

  it('of exploration end a share of lists with an item that few know, the same one for an hour', () => {
    const listOf = (user: string, exploration: number) =>
      ask(driver, [], { user, rules: { ...rules, exploration }, explain: true });
    const isNew = ({ explanation }: { readonly explanation: { readonly reason: string } | undefined }): boolean =>
      explanation!.reason === 'new here';
    const users = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
    const lists = users.map((user) => listOf(user, 0.2));
    const explored = lists.filter((list) => list.some(isNew));
    expect(Math.abs(explored.length / users.length - 0.2)).toBeLessThan(0.04);
    for (const list of explored) expect([list.length, list.findIndex(isNew), list[9]!.rank]).toEqual([10, 9, 10]);
    expect(new Set(explored.map((list) => list[9]!.item))).toEqual(new Set(['i37', 'i38', 'i39']));
    expect(listOf('user-1', 0.2)).toEqual(lists[1]);
    expect(users.some((user) => listOf(user, 0).some(isNew))).toBe(false);
    // Of four items the last place is too good.
    expect(ask(driver, [], { n: 4, rules: { ...rules, exploration: 1 }, explain: true }).some(isNew)).toBe(false);
  });

  it('of variety bound what one category has of a list, if there is something else', () => {
    const categories = (share: number, n: number): (string | undefined)[] =>
      ask(driver, [], { n, rules: { ...rules, categoryShareMax: share } }).map(({ category }) => category);
    expect(categories(1, 10).filter((one) => one === 'a')).toHaveLength(10);
    expect(categories(0.6, 10).filter((one) => one === 'a')).toHaveLength(6);
    // Two of each, and then the best of the others.
    expect(categories(0.1, 15)).toEqual(['a', 'a', 'b', 'b', ...Array<string>(11).fill('a')]);
  });
});

const event: fc.Arbitrary<Event> = fc.record({
  user: fc.constantFrom('u', 'v', 'w'),
  item: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  at: fc.integer({ min: 0, max: 5000 }),
  category: fc.constantFrom(undefined, 'x', 'y', 'x|y'),
  brand: fc.constantFrom(undefined, 'acme', 'zeta'),
  price: fc.constantFrom(NaN, 1, 20),
});
/** As many as weights are learnt from in one frame. */
const events = fc.array(event, { minLength: 1, maxLength: 16 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 });

function* framed<T>(all: readonly T[], sizes: readonly number[]): Generator<readonly T[]> {
  for (let at = 0, i = 0; at < all.length; at += sizes[i++ % sizes.length]!) {
    yield all.slice(at, at + sizes[i % sizes.length]!);
  }
}

/** All that can be asked. */
const everything = (driver: StageDriver): unknown =>
  ['a', 'b', 'c', 'nothing'].map((item) => [
    similar(driver, item),
    ask(driver, [item, 'd'], { explain: true }),
    ask(driver, [item], { by: 'co-visitation', category: 'x' }),
  ]);

describe('any events', () => {
  it('in frames of any size, teach the same', () => {
    fc.assert(
      fc.property(events, sizes, (all, sizes) => {
        const [one, several] = [new StageDriver(rankingLearner()), new StageDriver(rankingLearner())];
        take(one, all);
        for (const frame of framed(all, sizes)) take(several, frame);
        expect(everything(several)).toEqual(everything(one));
      }),
    );
  });

  it('are learnt once, over crashes at any cut', () => {
    const cuts = fc.array(fc.constantFrom('go on', 'snapshot', 'crash'), { maxLength: 10 });
    fc.assert(
      fc.property(events, sizes, cuts, (all, sizes, cuts) => {
        const [one, crashing] = [new StageDriver(rankingLearner()), new StageDriver(rankingLearner())];
        let since: (readonly Event[])[] = [];
        [...framed(all, sizes)].forEach((frame, i) => {
          take(one, frame);
          take(crashing, frame);
          since.push(frame);
          if (cuts[i] === 'snapshot') {
            crashing.snapshot();
            since = [];
          } else if (cuts[i] === 'crash') {
            crashing.crash();
            for (const again of since) take(crashing, again);
          }
        });
        expect(everything(crashing)).toEqual(everything(one));
      }),
    );
  });

  it('make the list of a user of whom nothing is known by how often items were seen, while nothing is learnt', () => {
    fc.assert(
      fc.property(events, (all) => {
        const driver = new StageDriver(rankingLearner());
        // Each of another user, so that there is no next item.
        const strangers = all.map((one, i) => ({ ...one, user: `s${i}`, at: 0 }));
        take(driver, strangers);
        const count = (item: string): number => strangers.filter((one) => one.item === item).length;
        const first = [...new Set(strangers.map(({ item }) => item))];
        const expected = [...first].sort((a, b) => count(b) - count(a) || first.indexOf(a) - first.indexOf(b));
        expect(itemsOf(ask(driver, []))).toEqual(expected);
      }),
    );
  });
});
