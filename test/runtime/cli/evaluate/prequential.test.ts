/** A stream of ten events, its hits counted by hand: each is predicted from those before it alone. */
import { expect, it } from 'vitest';
import { VIEW } from '../../../../actors/model.js';
import { judgeStream } from '../../../../runtime/cli/evaluate/prequential.js';

const STREAM = 'ann a, ann b, bob a, bob b, bob b, cid b, cid a, cid c, ann c, bob a'.split(', ').map((text, i) => {
  const [user, item] = text.split(' ') as [string, string];
  const none = { category: undefined, brand: undefined, price: NaN, past: 0, position: NaN, arm: undefined };
  return { ...none, time: Date.UTC(2026, 0, 1) + i * 1_000, type: VIEW, user, item };
});

/**
 * The first fifth, two events, is warm-up. Of the others `bob a` and `cid b` are the first of their users, and the second `bob b` is what Bob looks at
 * already: five are judged. The newest item of a user is no candidate. Ranks of what came, – for not listed:
 *
 *            history   popular         co-visitation                      transitions              recent
 *   bob b    a         a2 b1      1    b 1                           1    a → b               1         –
 *   cid a    b         b4 a2      1    a 2                           1    b → nothing         –         –
 *   cid c    a b       c is new   –                                  –                        –         –
 *   ann c    b a       b4 a3 c1   2    a 3, c 1 + 0.7 · 1            2    a 1, c 0.6 · 1      2    a    –
 *   bob a    b a       b4 a3 c2   1    c 2 + 0.7 · 2, a 3            2    c 1 + 0.6 · 1, a 1  2    a    1
 */
it('is judged as by hand', () => {
  const scores = (k: number) => {
    const { judged, reached, models } = judgeStream(STREAM, k, () => undefined, 1);
    const of = (name: string) => models.find(({ model }) => model === name)!;
    const figures = ['popular', 'co-visitation', 'transitions', 'recent', 'als'].map((name) => [
      name,
      ...[of(name).hitRate.mean, of(name).mrr.mean].map((value) => Math.round(value * 1e6) / 1e6),
    ]);
    return { judged, reached, figures };
  };
  expect(scores(1)).toEqual({
    ...{ judged: 5, reached: 4 / 5 },
    figures: [
      ['popular', 3 / 5, (1 + 1 + 1 / 2 + 1) / 5],
      ['co-visitation', 2 / 5, (1 + 1 + 1 / 2 + 1 / 2) / 5],
      ['transitions', 1 / 5, (1 + 1 / 2 + 1 / 2) / 5],
      ['recent', 1 / 5, 1 / 5],
      // There are too few events to train from.
      ['als', 0, 0],
    ],
  });
  expect(scores(10).figures.map(([, hitRate]) => hitRate)).toEqual([4 / 5, 4 / 5, 3 / 5, 1 / 5, 0]);
});
