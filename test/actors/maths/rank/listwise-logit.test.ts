/** Scores and one step of learning, by hand; and that the step goes the right way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FeatureRows, learn, newWeights, scored } from '../../../../actors/maths/rank/listwise-logit.js';

const rowsOf = (...candidates: readonly (readonly number[])[]): FeatureRows => ({
  features: candidates[0]!.length,
  count: candidates.length,
  values: Float64Array.from(candidates.flat()),
});

describe('a step', () => {
  it('moves the weights of all contexts and of its own, by hand', () => {
    const weights = newWeights([0, 0], 2);
    const rows = rowsOf([1, 0], [0, 2]);
    const scores = scored(weights, rows, 1);
    expect([...scores]).toEqual([0, 0]);
    learn(weights, rows, 1, scores, 0);
    // p = (½, ½); g = (1, 0) − (½, 1) = (½, −1); A = 10⁻⁸ + g²; W = 0.1 g / √A
    const step = (g: number): number => (0.1 * g) / Math.sqrt(1e-8 + g * g);
    const expected = [step(0.5), step(-1)];
    expect([...weights.values]).toEqual([...expected, 0, 0, ...expected].map((one) => expect.closeTo(one, 12)));
    // Twice 0.1: that of all contexts and that of its own add up. In the other context there is the first alone.
    expect([...scored(weights, rows, 1)]).toEqual([expect.closeTo(0.2, 6), expect.closeTo(-0.4, 6)]);
    expect([...scored(weights, rows, 0)]).toEqual([expect.closeTo(0.1, 6), expect.closeTo(-0.2, 6)]);
  });

  it('lets the weights before it shrink a little', () => {
    const weights = newWeights([1], 1);
    // All candidates are the same: nothing is learnt.
    const rows = rowsOf([3], [3]);
    learn(weights, rows, 0, scored(weights, rows, 0), 1);
    expect(weights.values[0]).toBeCloseTo(1 - 1e-6, 12);
  });

  it('stays finite where one candidate is far ahead', () => {
    const weights = newWeights([1e4], 1);
    const rows = rowsOf([1], [-1]);
    learn(weights, rows, 0, scored(weights, rows, 0), 1);
    expect([...weights.values, ...weights.squares].every(Number.isFinite)).toBe(true);
  });
});

it('what is chosen again and again comes first, if its features tell it from the others', () => {
  const candidate = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.uniqueArray(candidate, { minLength: 2, maxLength: 6, selector: String }), (others) => {
      // With a feature of its own.
      const rows = rowsOf([0, 0, 0, 1], ...others.map((one) => [...one, 0]));
      const weights = newWeights([0, 0, 0, 0], 1);
      for (let n = 0; n < 400; n++) learn(weights, rows, 0, scored(weights, rows, 0), 0);
      const [chosen, ...rest] = scored(weights, rows, 0);
      expect(chosen).toBeGreaterThan(Math.max(...rest));
    }),
    { numRuns: 20 },
  );
});
