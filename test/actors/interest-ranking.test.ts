import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interestRanking } from '../../actors/interest-ranking.js';
import { type InterestScope, WEIGHTS } from '../../actors/maths/interest-scope.js';
import { CART, EVENT_TYPES, type InteractionType, PURCHASE, VIEW } from '../../actors/model.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, feed, framesOf, play, playWithCrashes, rowsSaid, type Saying, type Step } from './script.js';

const HOUR = 3_600_000;
const REMOVE_FROM_CART = EVENT_TYPES.indexOf('remove_from_cart');
const EPOCH: InterestScope = { kind: 'epoch' };
const DECAYED: InterestScope = { kind: 'decayed', halfLifeMs: HOUR };

interface WindowRow {
  readonly user: string;
  readonly item: string;
  readonly type: number;
  readonly category: string | undefined;
  readonly added: number;
  readonly time: number;
}

const row = (user: string, item: string, category: string | undefined, more: Partial<WindowRow> = {}): WindowRow => ({
  user,
  item,
  category,
  type: VIEW,
  added: 1,
  time: 0,
  ...more,
});

/** Interests as `user rank:category=interest`, interactions as `user item count views carts purchases`. */
const interestsOf = (said: readonly Saying[]): string[] =>
  rowsSaid(said, 'interests').map((r) => `${r['user']} ${r['rank']}:${r['category'] ?? '-'}=${r['interest'] ?? '-'}`);
const interactionsOf = (said: readonly Saying[]): string[] =>
  rowsSaid(said, 'interactions').map((r) =>
    ['user', 'item', 'count', 'views', 'carts', 'purchases'].map((name) => r[name]).join(' '),
  );

const epochs = (scope: InterestScope, ...rows: WindowRow[][]): Saying[] =>
  play(
    interestRanking({ scope, totals: scope.kind === 'decayed' }),
    rows.flatMap((epoch): Step[] => [{ feed: 'rows', rows: epoch }, { end: true }]),
  );

describe('scope epoch, by hand', () => {
  it('counts rows, not events, per main category', () => {
    const said = epochs(EPOCH, [
      row('u', '1', 'kids.toys', { added: 7 }),
      row('u', '1', 'kids.toys'),
      row('u', '2', 'auto'),
      row('u', '3', 'kids'),
    ]);
    expect(interestsOf(said)).toEqual(['u 1:kids=3', 'u 2:auto=1']);
  });

  it('has the top three, ties by category', () => {
    const categories = ['d', 'c', 'b', 'b', 'a', 'e.x', 'e.y'];
    expect(
      interestsOf(
        epochs(
          EPOCH,
          categories.map((category) => row('u', '1', category)),
        ),
      ),
    ).toEqual(['u 1:b=2', 'u 2:e=2', 'u 3:a=1']);
  });

  it('orders categories by code point', () => {
    const categories = ['\u{1F600}', '\uFFFD', 'z'];
    expect(
      interestsOf(
        epochs(
          EPOCH,
          categories.map((category) => row('u', '1', category)),
        ),
      ),
    ).toEqual(['u 1:z=1', 'u 2:\uFFFD=1', 'u 3:\u{1F600}=1']);
  });

  it('has users in order of first sight, those without a category too', () => {
    const said = epochs(EPOCH, [
      row('w', '1', undefined),
      row('v', '1', 'kids'),
      row('u', '1', undefined),
      row('u', '1', 'auto'),
    ]);
    expect(interestsOf(said)).toEqual(['w 0:-=-', 'v 1:kids=1', 'u 1:auto=1']);
  });

  it('counts interactions by type', () => {
    const said = epochs(EPOCH, [
      row('u', '1', 'a'),
      row('u', '2', 'a', { type: PURCHASE }),
      row('u', '1', 'a', { type: CART }),
      row('v', '1', 'a', { type: REMOVE_FROM_CART }),
      row('u', '1', undefined, { added: 3 }),
    ]);
    expect(interactionsOf(said)).toEqual(['u 1 3 2 1 0', 'u 2 1 0 0 1', 'v 1 1 0 0 0']);
  });

  it('forgets an epoch at its end', () => {
    const said = epochs(EPOCH, [row('u', '1', 'a'), row('v', '1', 'a')], [], [row('v', '1', 'b')]);
    expect(interestsOf(said.slice(2))).toEqual(['v 1:b=1']);
    expect(interactionsOf(said.slice(2))).toEqual(['v 1 1 1 0 0']);
    expect(said[3]).toEqual({});
  });

  it('divides a row of several main categories between them', () => {
    const said = epochs(EPOCH, [
      row('u', '1', 'Drama|War'),
      row('u', '2', 'War.civil|War.world'),
      row('v', '3', 'a|b|c.x|d'),
    ]);
    expect(interestsOf(said)).toEqual(['u 1:War=1.5', 'u 2:Drama=0.5', 'v 1:a=0.25', 'v 2:b=0.25', 'v 3:c=0.25']);
    expect(interactionsOf(said)).toEqual(['u 1 1 1 0 0', 'u 2 1 1 0 0', 'v 3 1 1 0 0']);
  });

  it('says nothing before the end', () => {
    expect(play(interestRanking({ scope: EPOCH }), [{ feed: 'rows', rows: [row('u', '1', 'a')] }])).toEqual([{}]);
  });

  it('keeps a user in one frame, however many there are', () => {
    const driver = new StageDriver(interestRanking({ scope: EPOCH }));
    const rows = Array.from({ length: 30_000 }, (_, i) =>
      row(`user-${i % 10_000}`, '1', ['a', 'b', 'c'][(i / 10_000) | 0]),
    );
    feed(driver, 'rows', rows);
    const { frames } = driver.endEpoch();
    const interests = frames.filter(({ output }) => output === 'interests');
    expect(interests.length).toBeGreaterThan(1);
    for (const { frame } of interests) expect(frame.rows % 3).toBe(0);
    expect(interests.reduce((sum, { frame }) => sum + frame.rows, 0)).toBe(30_000);
  });
});

describe('scope decayed, by hand', () => {
  it('weighs types, and fades with the time of the user', () => {
    const said = epochs(
      DECAYED,
      [row('u', '1', 'kids.toys', { type: PURCHASE }), row('u', '2', 'auto', { added: 3, time: HOUR })],
      [row('u', '3', undefined, { time: 2 * HOUR })],
      [row('u', '3', 'auto', { type: CART, time: 3 * HOUR })],
    );
    // Epoch 0, as of 1 h: kids 5 · 1/2, auto 3 · 1. Epoch 1, as of 2 h. Epoch 2: auto 3/4 + 3.
    expect(interestsOf(said)).toEqual([
      'u 1:auto=3',
      'u 2:kids=2.5',
      'u 1:auto=1.5',
      'u 2:kids=1.25',
      'u 1:auto=3.75',
      'u 2:kids=0.625',
    ]);
  });

  it('takes a late row for as much as it is worth by now', () => {
    const said = epochs(DECAYED, [row('u', '1', 'a', { time: 2 * HOUR })], [row('u', '1', 'a', { added: 4 })]);
    expect(interestsOf(said)).toEqual(['u 1:a=1', 'u 1:a=2']);
  });

  it('never falls below 0', () => {
    const removed = { type: REMOVE_FROM_CART, added: 9 };
    const said = epochs(DECAYED, [row('u', '1', 'a')], [row('u', '1', 'a', removed)], [row('u', '1', 'a')]);
    expect(interestsOf(said)).toEqual(['u 1:a=1', 'u 0:-=-', 'u 1:a=1']);
  });

  it('divides the weight of an event between the main categories of its item', () => {
    const said = epochs(DECAYED, [
      row('u', '1', 'Drama|War', { type: PURCHASE }),
      row('u', '2', 'War', { added: 3, time: HOUR }),
    ]);
    expect(interestsOf(said)).toEqual(['u 1:War=4.25', 'u 2:Drama=1.25']);
  });

  it('takes other weights', () => {
    const weights = { ...WEIGHTS, view: 10 };
    expect(interestsOf(epochs({ ...DECAYED, weights }, [row('u', '1', 'a')]))).toEqual(['u 1:a=10']);
  });

  it('totals interactions so far, of the pairs of this epoch', () => {
    const said = epochs(
      DECAYED,
      [row('u', '1', 'a'), row('u', '2', 'a')],
      [row('u', '1', 'a', { type: CART }), row('v', '1', 'a')],
    );
    expect(interactionsOf(said.slice(2))).toEqual(['u 1 2 1 1 0', 'v 1 1 1 0 0']);
  });
});

const windowRow = fc.record({
  user: fc.constantFrom('u', 'v', 'w', 'x'),
  item: fc.constantFrom('1', '2', '10', 'a'),
  // Impressions do not come so far.
  type: fc.nat({ max: EVENT_TYPES.length - 2 }),
  // Halves and quarters are exact in binary.
  category: fc.constantFrom(undefined, 'a', 'a.x', 'b', 'b.y.z', 'c', 'd', '\uFFFD', '\u{1F600}', 'a.x|c', 'd|c.y|b|a'),
  added: fc.integer({ min: 1, max: 4 }),
  // Whole half-lives: every interest is exact in binary, whatever the order of addition.
  time: fc.nat({ max: 8 }).map((hours) => hours * HOUR),
});
const epochsOfRows = fc.array(fc.array(windowRow, { maxLength: 25 }), { minLength: 1, maxLength: 5 });
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
const stepsOf = (rows: readonly (readonly WindowRow[])[], frameSizes: readonly number[]): Step[] =>
  rows.flatMap((epoch) => [...framesOf('rows', epoch, frameSizes), { end: true }]);

/** What the stage must say, from its formulas and plain maps. */
function oracle(scope: InterestScope, areTotal: boolean, rows: readonly (readonly WindowRow[])[]) {
  const interests: string[] = [];
  const interactions: string[] = [];
  const faded = new Map<string, number>(); // user/category → v at time 0: v · 2^(time / h)
  const latest = new Map<string, number>();
  const totals = new Map<string, number[]>();
  for (const epoch of rows) {
    if (scope.kind === 'epoch') [faded, latest].forEach((map) => map.clear());
    if (!areTotal) totals.clear();
    const added = new Map<string, number>();
    for (const { user, category, type, added: events, time } of epoch) {
      latest.set(user, Math.max(time, latest.get(user) ?? 0));
      if (category === undefined) continue;
      const weight =
        scope.kind === 'epoch' ? 1 : WEIGHTS[EVENT_TYPES[type] as InteractionType] * events * 2 ** (time / HOUR);
      const mains = category.split('|').map((one) => one.split('.')[0]);
      for (const main of mains) {
        const key = `${user}/${main}`;
        added.set(key, (added.get(key) ?? 0) + weight / mains.length);
      }
    }
    for (const [key, weight] of added) faded.set(key, Math.max(0, (faded.get(key) ?? 0) + weight));
    for (const user of new Set(epoch.map((r) => r.user))) {
      const now = scope.kind === 'epoch' ? 1 : 2 ** (latest.get(user)! / HOUR);
      const top = [...faded]
        .filter(([key, value]) => key.startsWith(`${user}/`) && value > 0)
        .map(([key, value]) => [key.slice(user.length + 1), value / now] as const)
        .sort(([a, x], [b, y]) => y - x || Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .slice(0, 3);
      if (top.length === 0) interests.push(`${user} 0:-=-`);
      top.forEach(([category, value], i) => interests.push(`${user} ${i + 1}:${category}=${value}`));
    }
    for (const { user, item, type } of epoch) {
      const pair = totals.get(`${user} ${item}`) ?? [0, 0, 0, 0];
      totals.set(
        `${user} ${item}`,
        pair.map((n, i) => n + Number([true, type === VIEW, type === CART, type === PURCHASE][i])),
      );
    }
    for (const pair of new Set(epoch.map(({ user, item }) => `${user} ${item}`)))
      interactions.push(`${pair} ${totals.get(pair)!.join(' ')}`);
  }
  return { interests, interactions };
}

describe.each([
  [EPOCH, false],
  [DECAYED, false],
  [DECAYED, true],
] as const)('scope %j, totals %s', (scope, totals) => {
  const stage = interestRanking({ scope, totals });

  it('agrees with the oracle, in frames of any size', () => {
    fc.assert(
      fc.property(epochsOfRows, sizes, (rows, frameSizes) => {
        const said = play(stage, stepsOf(rows, frameSizes));
        const expected = oracle(scope, totals, rows);
        expect(interestsOf(said)).toEqual(expected.interests);
        expect(interactionsOf(said)).toEqual(expected.interactions);
      }),
      { seed: 12, numRuns: 150 },
    );
  });

  it('says the same after crashes at any cut', () => {
    const script = fc
      .tuple(epochsOfRows, sizes)
      .map(([rows, frameSizes]) => stepsOf(rows, frameSizes))
      .chain((steps) => fc.tuple(fc.constant(steps), cutsOf(steps.length)));
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
      }),
      { seed: 13, numRuns: 100 },
    );
  });

  it('counts an epoch that is delivered twice after a crash once', () => {
    const steps = stepsOf([[row('u', '1', 'a'), row('u', '1', 'b')], [row('u', '1', 'a')]], [1]);
    const straight = play(stage, steps);
    const crashes = steps.flatMap((_, at) => [{ at, kind: 'crash' } as const]);
    expect(playWithCrashes(stage, steps, crashes)).toEqual(straight);
    expect(playWithCrashes(stage, steps, [{ at: 0, kind: 'snapshot' }, ...crashes])).toEqual(straight);
  });
});

it('interests in all categories of an item sum to the weight of the event', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { minLength: 1 });
  const rows = fc.array(fc.record({ names, type: fc.constantFrom(VIEW, CART, PURCHASE), added: fc.nat({ max: 5 }) }));
  fc.assert(
    fc.property(rows, (all) => {
      const stage = interestRanking({ scope: DECAYED, topCategories: 10 });
      const fed = all.map(({ names: categories, ...more }) => row('u', '1', categories.join('|'), more));
      const said = play(stage, [{ feed: 'rows', rows: fed }, { end: true }]);
      const sum = rowsSaid(said, 'interests').reduce((total, r) => total + Number(r['interest'] ?? 0), 0);
      expect(sum).toBeCloseTo(
        all.reduce((total, { type, added }) => total + WEIGHTS[EVENT_TYPES[type]!] * added, 0),
        9,
      );
    }),
  );
});
