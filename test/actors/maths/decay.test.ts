import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDecayed, decay } from '../../../actors/maths/decay.js';
import {
  addInterest,
  CATEGORIES_PER_USER_MAX,
  INTEREST_MIN,
  noInterests,
  settleInterests,
} from '../../../actors/maths/decayed-interests.js';

const HOUR = 3_600_000;

describe('decay', () => {
  it.each([
    [0, 1],
    [HOUR, 0.5],
    [2 * HOUR, 0.25],
    [HOUR / 2, Math.SQRT1_2],
    [-HOUR, 2],
  ])('of %i ms at a half-life of an hour is %d', (ageMs, left) => {
    expect(decay(ageMs, HOUR)).toBeCloseTo(left, 12);
  });

  it('adds later and earlier weights to a sum', () => {
    const sum = { value: 4, time: HOUR };
    addDecayed(sum, 1, 2 * HOUR, HOUR);
    expect(sum).toEqual({ value: 3, time: 2 * HOUR });
    addDecayed(sum, 8, 0, HOUR);
    expect(sum).toEqual({ value: 5, time: 2 * HOUR });
  });

  it('gives the same sum in any order', () => {
    const weights = fc.array(fc.record({ weight: fc.integer({ min: -5, max: 5 }), halfLives: fc.nat({ max: 20 }) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(weights, (all) => {
        const sum = { value: 0, time: 0 };
        for (const { weight, halfLives } of all) addDecayed(sum, weight, halfLives * HOUR, HOUR);
        const latest = Math.max(...all.map(({ halfLives }) => halfLives));
        // Whole half-lives are exact in binary.
        expect(sum.value).toBe(
          all.reduce((total, { weight, halfLives }) => total + weight / 2 ** (latest - halfLives), 0),
        );
        expect(sum.time).toBe(latest * HOUR);
      }),
      { seed: 5 },
    );
  });
});

describe('decayed interests', () => {
  const add = (
    interests: ReturnType<typeof noInterests>,
    category: string | undefined,
    value: number,
    time: number,
  ) => {
    addInterest(interests, category, { value, time }, HOUR);
  };

  it('fade with the time of the user, whatever moves it', () => {
    const interests = noInterests();
    add(interests, 'kids', 8, 0);
    add(interests, 'auto', 3, HOUR);
    expect(settleInterests(interests, HOUR)).toMatchObject([
      { category: 'kids', interest: 4 },
      { category: 'auto', interest: 3 },
    ]);
    add(interests, undefined, 0, 3 * HOUR);
    expect(settleInterests(interests, HOUR)).toMatchObject([
      { category: 'kids', interest: 1 },
      { category: 'auto', interest: 0.75 },
    ]);
  });

  it('tie by category', () => {
    const interests = noInterests();
    for (const category of ['b', 'a', 'c']) add(interests, category, 1, 0);
    expect(settleInterests(interests, HOUR).map(({ category }) => category)).toEqual(['a', 'b', 'c']);
  });

  it('are never below 0, and gone at 0', () => {
    const interests = noInterests();
    add(interests, 'kids', -1, 0);
    add(interests, 'auto', 2, 0);
    add(interests, 'auto', -5, 0);
    expect(settleInterests(interests, HOUR)).toEqual([]);
    expect(interests.categories).toEqual([]);
    add(interests, 'auto', 1, 0);
    expect(settleInterests(interests, HOUR)).toMatchObject([{ category: 'auto', interest: 1 }]);
  });

  it('are gone when they have faded', () => {
    const interests = noInterests();
    add(interests, 'kids', 1, 0);
    add(interests, undefined, 0, 29 * HOUR);
    expect(settleInterests(interests, HOUR)).toHaveLength(1);
    add(interests, undefined, 0, 30 * HOUR);
    expect(2 ** -30).toBeLessThan(INTEREST_MIN);
    expect(settleInterests(interests, HOUR)).toEqual([]);
  });

  it('are at most so many, and the weakest go', () => {
    const interests = noInterests();
    for (let i = 0; i <= CATEGORIES_PER_USER_MAX; i++) add(interests, `c${i}`, i === 7 ? 0.5 : 1, 0);
    expect(settleInterests(interests, HOUR)).toHaveLength(CATEGORIES_PER_USER_MAX);
    expect(interests.categories.map(({ category }) => category)).not.toContain('c7');
  });
});
