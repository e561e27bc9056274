import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fallback } from '../../actors/fallback.js';
import { compareItems } from '../../actors/maths/item-order.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, feed, framesOf, play, playWithCrashes, rowsSaid, type Saying, type Step } from './script.js';

type Entry = readonly [item: string, popularity: number, category?: string | undefined];

const overAll = (origin: number, ...entries: Entry[]): Step => ({
  feed: 'lists',
  rows:
    entries.length === 0
      ? [{ origin }]
      : entries.map(([item, popularity, itemCategory]) => ({ origin, item, popularity, itemCategory })),
});
const listed = (user: string, item: string, rank: number) => ({
  user,
  item,
  category: 'kids',
  score: 3 / rank,
  interest: 1.5,
  interestRank: 1,
  rank,
  kind: 0,
});
const empty = (user: string) => ({ user, rank: 0, kind: 0 });
const lists = (...rows: readonly object[]): Step => ({ feed: 'ranked', rows });

const linesOf = (said: readonly Saying[]): string[] =>
  rowsSaid(said, 'rows').map(
    (r) => `${r['user']} ${r['rank']} ${r['item'] ?? '-'} ${r['category'] ?? '-'} ${r['score'] ?? '-'} ${r['kind']}`,
  );

const TOP = overAll(0, ['7', 9, 'kids'], ['8', 5], ['9', 5, 'auto']);

describe('fallback, by hand', () => {
  it('gives users with an empty list the top over all, each item with its own category', () => {
    const said = play(fallback(), [
      TOP,
      lists(listed('u', '1', 1), listed('u', '2', 2), empty('v'), listed('w', '7', 1)),
    ]);
    expect(linesOf(said)).toEqual([
      'u 1 1 kids 3 0',
      'u 2 2 kids 1.5 0',
      'v 1 7 kids 0.1 1',
      'v 2 8 - 0.1 1',
      'v 3 9 auto 0.1 1',
      'w 1 7 kids 3 0',
    ]);
  });

  it('keeps what explains a list, and has nothing to explain of a fallback', () => {
    const said = play(fallback({ listSize: 1, score: 0.5 }), [TOP, lists(empty('v'), listed('u', '1', 1))]);
    expect(rowsSaid(said, 'rows')).toEqual([
      { user: 'v', item: '7', category: 'kids', score: 0.5, interest: undefined, interestRank: 0, rank: 1, kind: 1 },
      listed('u', '1', 1),
    ]);
  });

  it('has the ten first over all instances', () => {
    const items = (origin: number): Entry[] => Array.from({ length: 8 }, (_, i) => [String(2 * i + origin), 20 - i]);
    const said = play(fallback(), [overAll(1, ...items(1)), overAll(0, ...items(0)), lists(empty('v'))]);
    expect(rowsSaid(said, 'rows').map((r) => r['item'])).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });

  it('lets an empty list pass while nothing is popular', () => {
    expect(linesOf(play(fallback(), [lists(empty('v')), TOP, overAll(0), lists(empty('v'))]))).toEqual([
      'v 0 - - - 0',
      'v 0 - - - 0',
    ]);
  });

  it('does not touch a frame in which nobody is empty', () => {
    const driver = new StageDriver(fallback());
    feed(driver, 'lists', [{ origin: 0, item: '7', popularity: 1 }]);
    const { frames } = feed(driver, 'ranked', [listed('u', '1', 1)]);
    const [again] = driver.feed('ranked', frames[0]!.frame).frames;
    expect(again!.frame).toBe(frames[0]!.frame);
  });

  it('has no use for the lists of categories', () => {
    const kids: Step = { feed: 'lists', rows: [{ category: 'kids', origin: 0, item: '7', popularity: 9 }] };
    expect(linesOf(play(fallback(), [kids, lists(empty('v'))]))).toEqual(['v 0 - - - 0']);
  });

  it('keeps a user in one frame, however many are empty', () => {
    const driver = new StageDriver(fallback());
    const top = Array.from({ length: 10 }, (_, i) => ({ origin: 0, item: String(i), popularity: 20 - i }));
    feed(driver, 'lists', top);
    const { frames, rows } = feed(
      driver,
      'ranked',
      Array.from({ length: 3_000 }, (_, i) => empty(`user-${i}`)),
    );
    expect(frames.length).toBeGreaterThan(1);
    for (const { frame } of frames) expect(frame.rows % 10).toBe(0);
    expect(new Set(rows['rows']!.map((r) => `${r['rank']} ${r['item']}`)).size).toBe(10);
    expect(new Set(rows['rows']!.map((r) => r['user'])).size).toBe(3_000);
  });
});

const top = fc.uniqueArray(
  fc.record({
    item: fc.nat({ max: 30 }).map(String),
    popularity: fc.integer({ min: 1, max: 5 }),
    origin: fc.nat({ max: 2 }),
    category: fc.constantFrom(undefined, 'kids', 'auto'),
  }),
  { selector: ({ item }) => item, maxLength: 20 },
);
type Top = typeof top extends fc.Arbitrary<infer T> ? T : never;
const lengths = fc.array(fc.nat({ max: 3 }), { maxLength: 8 });
const byPurchases = (all: Top): Top =>
  [...all].sort((a, b) => b.popularity - a.popularity || compareItems(a.item, b.item));
const topSteps = (all: Top): Step[] =>
  [0, 1, 2].map((origin) =>
    overAll(
      origin,
      ...byPurchases(all)
        .filter((one) => one.origin === origin)
        .map(({ item, popularity, category }): Entry => [item, popularity, category]),
    ),
  );
const peopleRows = (all: readonly number[]) =>
  all.flatMap((length, u) =>
    length === 0 ? [empty(`u${u}`)] : Array.from({ length }, (_, i) => listed(`u${u}`, `${100 + i}`, i + 1)),
  );

describe('fallback', () => {
  it('agrees with the oracle, in frames of any size', () => {
    fc.assert(
      fc.property(top, lengths, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (all, people, sizes) => {
        const said = play(fallback({ listSize: 4 }), [
          ...topSteps(all),
          ...framesOf('ranked', peopleRows(people), sizes),
        ]);
        const best = byPurchases(all).slice(0, 4);
        const expected = people.flatMap((length, u) => {
          if (length > 0) return Array.from({ length }, (_, i) => `u${u} ${i + 1} ${100 + i} kids ${3 / (i + 1)} 0`);
          if (best.length === 0) return [`u${u} 0 - - - 0`];
          return best.map(({ item, category }, i) => `u${u} ${i + 1} ${item} ${category ?? '-'} 0.1 1`);
        });
        expect(linesOf(said)).toEqual(expected);
      }),
      { seed: 21, numRuns: 150 },
    );
  });

  it('says the same after crashes at any cut, and when lists are delivered twice', () => {
    const script = fc
      .tuple(top, top, lengths)
      .chain(([before, after, people]) =>
        fc.shuffledSubarray([...topSteps(before), ...topSteps(after), ...framesOf('ranked', peopleRows(people), [3])], {
          minLength: 5,
        }),
      )
      .chain((steps) => fc.tuple(fc.constant(steps), cutsOf(steps.length)));
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        const straight = play(fallback(), steps);
        expect(playWithCrashes(fallback(), steps, cuts)).toEqual(straight);
        const twice = steps.flatMap((step) => ('feed' in step && step.feed === 'lists' ? [step, step] : [step]));
        expect(linesOf(play(fallback(), twice))).toEqual(linesOf(straight));
      }),
      { seed: 22, numRuns: 80 },
    );
  });
});
