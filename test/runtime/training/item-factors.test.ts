/** What factors are trained from, and how they travel. */
import { from } from 'rxjs';
import { expect, it } from 'vitest';
import { rankingState } from '../../../actors/ranking-learner.js';
import { keepFactors } from '../../../actors/ranking/factor-table.js';
import { FACTOR_OPTIONS, framesOf, Interactions, type TrainedFactors } from '../../../runtime/training/item-factors.js';

const OPTIONS = { ...FACTOR_OPTIONS, rank: 4, iterations: 3 };

/** Users of even numbers like even items, the others odd ones. */
function tastes(users: number, eventsMax?: number): Interactions {
  const interactions = new Interactions(eventsMax);
  for (let user = 0; user < users; user++) {
    for (let i = 0; i < 6; i++) {
      const item = 2 * ((user + i) % 10) + (user % 2);
      interactions.add(`u${user}`, `i${item}`);
    }
  }
  return interactions;
}

const vectorOf = ({ items, vectors, options: { rank } }: TrainedFactors, item: string): number[] => {
  const at = items.indexOf(item) * rank;
  return [...vectors.subarray(at, at + rank)];
};
const cosine = (a: readonly number[], b: readonly number[]): number => {
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, one, k) => sum + one * y[k]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

it('puts items of one taste nearer to each other than to those of another', () => {
  const trained = tastes(40).train(OPTIONS, 1)!;
  expect(trained).toMatchObject({ users: 40, interactions: 240 });
  const [i0, i2, i1] = ['i0', 'i2', 'i1'].map((item) => vectorOf(trained, item));
  expect(cosine(i0!, i2!)).toBeGreaterThan(cosine(i0!, i1!) + 0.3);
});

it('counts a user and an item once, however often they met', () => {
  const interactions = new Interactions();
  for (let n = 0; n < 5; n++) interactions.add('ann', 'a');
  interactions.add('ann', 'b');
  expect(interactions.train(OPTIONS, 1)).toMatchObject({ users: 1, interactions: 2, items: ['a', 'b'] });
});

it('has nothing to train from without interactions', () => {
  expect(new Interactions().train(OPTIONS, 1)).toBeUndefined();
});

it('remembers the events of fewer users when there are too many, all of each', () => {
  const trained = tastes(400, 600).train(OPTIONS, 1)!;
  expect(trained.interactions).toBeLessThanOrEqual(600);
  expect(trained.users).toBeGreaterThan(20);
  // All six of each.
  expect(trained.interactions).toBe(6 * trained.users);
});

it('arrives as it was', () => {
  const trained = tastes(60).train(OPTIONS, 1)!;
  const state = rankingState().factors.create();
  keepFactors(state)(from(framesOf(trained, 7))).subscribe();
  expect(state.get().latest).toEqual({
    ...{ trainedMs: 7, alpha: OPTIONS.alpha, regularisation: OPTIONS.regularisation },
    ...{ rank: OPTIONS.rank, items: trained.items, vectors: Float32Array.from(trained.vectors) },
    userGram: Float32Array.from(trained.userGram),
  });
});

it('goes in several messages when it is large', () => {
  const items = Array.from({ length: 3_000 }, (_, i) => `item-${i}`);
  const rank = 64;
  const vectors = Float64Array.from({ length: items.length * rank }, (_, i) => i / 1e6);
  const large: TrainedFactors = {
    options: { ...OPTIONS, rank },
    users: 1,
    interactions: 1,
    items,
    vectors,
    userGram: new Float64Array(rank ** 2),
  };
  const frames = [...framesOf(large, 7)];
  expect(frames.length).toBeGreaterThan(3);
  const state = rankingState().factors.create();
  keepFactors(state)(from(frames)).subscribe();
  expect(state.get().latest).toMatchObject({ items, vectors: Float32Array.from(vectors) });
});
