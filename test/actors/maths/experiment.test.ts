/** Arms of users, and whether they differ: by hand, and over many experiments. */
import { describe, expect, it } from 'vitest';
import { alwaysValidP, armOf, type ArmSums, followRate, NO_SUMS, withUser } from '../../../actors/maths/experiment.js';
import { seededRandom } from '../../../actors/maths/random.js';

const HALVES = {
  name: 'lists',
  arms: [
    { name: 'old', strategy: 'category-popularity', percent: 70 },
    { name: 'new', strategy: 'hybrid', percent: 30 },
  ],
};
const USERS = Array.from({ length: 100_000 }, (_, i) => `user-${i}`);

describe('an arm', () => {
  it('has its share of the users, and always the same ones', () => {
    const arms = USERS.map((user) => armOf(HALVES, user).name);
    const share = arms.filter((name) => name === 'new').length / USERS.length;
    expect(Math.abs(share - 0.3)).toBeLessThan(0.01);
    expect(USERS.slice(0, 100).map((user) => armOf(HALVES, user).name)).toEqual(arms.slice(0, 100));
  });

  it('of one experiment says nothing of that of another', () => {
    const isNew = (name: string, user: string): boolean => armOf({ ...HALVES, name }, user).name === 'new';
    const both = USERS.filter((user) => isNew('lists', user) && isNew('titles', user)).length / USERS.length;
    expect(Math.abs(both - 0.3 * 0.3)).toBeLessThan(0.01);
  });
});

const sumsOf = (users: readonly (readonly [shown: number, followed: number])[]): ArmSums =>
  users.reduce((sums, [shown, followed]) => withUser(sums, { shown: 0, followed: 0 }, { shown, followed }), NO_SUMS);

describe('whether arms differ', () => {
  it('is found from sums by user, by hand', () => {
    // r = 2/20 and 8/20. Σ (c − r n)²: 20 users of n = 1, of whom 2 follow: 2 · 0.81 + 18 · 0.01 = 1.8; 8 · 0.36 + 12 · 0.16 = 4.8.
    // With twice as many users, so that there are 40: var = 3.6 / 1600 = 0.00225 and 9.6 / 1600 = 0.006; V = 0.00825, d = 0.3, τ² = 0.0001.
    const [first, second] = [
      sumsOf(Array.from({ length: 40 }, (_, i) => [1, Number(i < 4)] as const)),
      sumsOf(Array.from({ length: 40 }, (_, i) => [1, Number(i < 16)] as const)),
    ];
    expect([followRate(first), followRate(second)]).toEqual([0.1, 0.4]);
    const lambda = Math.sqrt(0.00825 / 0.00835) * Math.exp((0.0001 * 0.09) / (2 * 0.00825 * 0.00835));
    expect(alwaysValidP(second, first)).toBeCloseTo(1 / lambda, 9);
  });

  it('is not known of a few users, or where nothing was followed', () => {
    const few = sumsOf([[10, 5]]);
    const none = sumsOf(Array.from({ length: 100 }, () => [10, 0] as const));
    expect([alwaysValidP(few, few), alwaysValidP(none, none), alwaysValidP(NO_SUMS, none)]).toEqual([1, 1, 1]);
  });

  it('of equal arms is hardly ever said, however often one looks; of others it is', () => {
    const random = seededRandom(1);
    /** The least p at any of a hundred looks. Users differ much: some follow nothing, some all. */
    const least = (lift: number): number => {
      const arms = [NO_SUMS, NO_SUMS];
      let p = 1;
      for (let n = 1; n <= 4_000; n++) {
        const arm = n % 2;
        const rate = random() ** 3 + (arm === 1 ? lift : 0);
        const shown = 1 + Math.floor(random() * 20);
        let followed = 0;
        for (let i = 0; i < shown; i++) followed += Number(random() < rate);
        arms[arm] = withUser(arms[arm]!, { shown: 0, followed: 0 }, { shown, followed });
        if (n % 40 === 0) p = Math.min(p, alwaysValidP(arms[1]!, arms[0]!));
      }
      return p;
    };
    const wrong = Array.from({ length: 100 }, () => least(0)).filter((p) => p < 0.05).length;
    expect(wrong).toBeLessThanOrEqual(5);
    const found = Array.from({ length: 20 }, () => least(0.1)).filter((p) => p < 0.05).length;
    expect(found).toBeGreaterThan(15);
  });
});
