/** Candidates of each source and their features, in a world of a few events, by hand. */
import { describe, expect, it } from 'vitest';
import { sampledEvents } from '../../../actors/model.js';
import { signalsOf } from '../../../actors/ranking/item-signals.js';
import { knowledgeOf, RankingLearner } from '../../../actors/ranking/learn.js';
import { type Choice, contextOf, CONTEXTS, FEATURES, Ranker } from '../../../actors/ranking/ranker.js';
import { NO_SCORES, ranksOf, withChoice } from '../../../actors/ranking/running-scores.js';
import { SOURCE_NAMES, SOURCES, type SourceName } from '../../../actors/ranking/sources.js';
import { Scoreboard } from '../../../actors/maths/rank/scoreboard.js';
import { rankingState } from '../../../actors/ranking-learner.js';
import { frameOf } from '../../../runtime/contract/stage.js';

const NOON = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

interface Event {
  readonly user: string;
  readonly item: string;
  /** Minutes before noon. */
  readonly ago: number;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
}

function worldOf(events: readonly Event[]) {
  const specs = rankingState();
  const state = {
    items: specs.items.create(),
    names: specs.names.create(),
    neighbours: specs.neighbours.create(),
    users: specs.users.create(),
    weights: specs.weights.create(),
    scores: specs.scores.create(),
    factors: specs.factors.create(),
    newItems: specs.newItems.create(),
    shown: specs.shown.create(),
    sums: specs.sums.create(),
  };
  const rows = events.map(({ ago, ...event }) => ({ price: NaN, past: 0, ...event, time: NOON - ago * MINUTE }));
  new RankingLearner(state, { learntEvery: () => 1 }).take(frameOf(sampledEvents, rows));
  const signals = signalsOf(state);
  const known = knowledgeOf(signals, state);
  const numbers = (items: readonly string[]): number[] => items.map((item) => signals.find(item)!);
  return {
    /** What a source gives for a history, newest first. */
    given: (source: SourceName, ...history: readonly string[]): string[] =>
      SOURCES[source](known, { history: numbers(history), atMs: NOON, taste: undefined }, new Scoreboard()).map((one) =>
        signals.text(one),
      ),
    /** A feature of an item among the candidates. */
    feature: (name: string, item: string, ...history: readonly string[]): number => {
      const { items, rows: features } = new Ranker(known).candidates({ history: numbers(history), atMs: NOON });
      return features.values[items.indexOf(signals.find(item)!) * FEATURES.length + FEATURES.indexOf(name)]!;
    },
    candidates: (...history: readonly string[]): string[] =>
      new Ranker(known).candidates({ history: numbers(history), atMs: NOON }).items.map((one) => signals.text(one)),
  };
}

/** Ann went a, b, c; Bob a, c; Cid saw d, which is of another category, long ago. */
const world = worldOf([
  { user: 'cid', item: 'd', ago: 600, category: 'garden', brand: 'zeta', price: 3 },
  { user: 'ann', item: 'a', ago: 60, category: 'video', brand: 'acme', price: 99 },
  { user: 'ann', item: 'b', ago: 50, category: 'video', brand: 'acme', price: 49 },
  { user: 'ann', item: 'c', ago: 40, category: 'audio', brand: 'acme' },
  { user: 'bob', item: 'a', ago: 30 },
  { user: 'bob', item: 'c', ago: 5 },
]);

describe('a source gives, best first', () => {
  it.each<[SourceName, readonly string[], readonly string[]]>([
    ['popular', [], ['a', 'c', 'd', 'b']],
    // Of the last minutes: c 5 minutes ago, a 30, b 50, d 600.
    ['popular-10m', [], ['c', 'a', 'b', 'd']],
    // Video weighs 1 for b, audio 0.8 for c. By a half-life of 6 h a has 2^(-1/6) + 2^(-1/12) = 1.84, c 0.8 · (2^(-1/9) + 2^(-1/72)) = 1.53, b 0.91.
    ['category', ['b', 'c'], ['a', 'c', 'b']],
    // From video people went to video once (a → b), and twice to audio (b → c, a → c).
    ['next-category', ['a'], ['c', 'a', 'b']],
    ['brand', ['a'], ['a', 'b']],
    // a with b once, a with c twice.
    ['co-visitation', ['a'], ['c', 'b']],
    ['transitions', ['a'], ['b', 'c']],
    // c: 1 + 0.9 by √((2 + 2)(2 + 2)) = 0.475; b: 1 by √((1 + 2)(2 + 2)) = 0.289
    ['item-knn', ['a'], ['c', 'b']],
    ['recent', ['b', 'a'], ['b', 'a']],
  ])('%s after %j', (source, history, expected) => {
    expect(world.given(source, ...history)).toEqual(expected);
  });

  it('nothing that needs a history to somebody who has none', () => {
    const needing = SOURCE_NAMES.filter((name) => !['popular-10m', 'last-hour', 'popular'].includes(name));
    expect(needing.flatMap((name) => world.given(name))).toEqual([]);
  });
});

describe('a feature is', () => {
  it.each<[feature: string, item: string, history: readonly string[], expected: number]>([
    // The first of a source 1, the second 21/22; what is not given 0.
    ['co-visitation', 'c', ['a'], 1],
    ['co-visitation', 'b', ['a'], 21 / 22],
    ['co-visitation', 'd', ['a'], 0],
    // Less the greatest of the candidates, which is 2 events of c; a is no candidate, since it is looked at.
    ['log-count-ever', 'b', ['a'], Math.log(2) - Math.log(3)],
    ['log-count-ever', 'c', ['a'], 0],
    ['seen', 'c', ['b', 'c'], 1],
    ['seen', 'a', ['b', 'c'], 0],
    ['same-category', 'b', ['a'], 1],
    ['same-category', 'c', ['a'], 0],
    // One of the newest three is of it.
    ['recent-category', 'c', ['a', 'c'], 1],
    ['category-share', 'b', ['a', 'c', 'd'], 1 / 3],
    ['same-brand', 'b', ['a'], 1],
    ['same-brand', 'd', ['a'], 0],
    ['price-distance', 'b', ['a'], Math.log(100) - Math.log(50)],
    ['price-distance', 'c', ['a'], 0],
    ['age', 'c', ['a'], Math.log1p(40 * 60)],
    ['idle', 'c', ['a'], Math.log1p(5 * 60)],
    ['new', 'c', ['a'], 1],
    ['after', 'b', ['a'], Math.log(2)],
    ['after', 'd', ['a'], 0],
  ])('%s of %s after %j', (feature, item, history, expected) => {
    expect(world.feature(feature, item, ...history)).toBeCloseTo(expected, 9);
  });
});

it('the item that a user looks at is no candidate', () => {
  expect(world.candidates('a')).not.toContain('a');
  expect(world.candidates('b', 'a')).toContain('a');
});

it.each([
  [0, 0, 0],
  [0, 9e9, 0],
  [1, 0, 2],
  [1, 31 * MINUTE, 3],
  [2, 0, 4],
  [4, 30 * MINUTE, 4],
  [5, 0, 6],
  [20, 31 * MINUTE, 7],
])('the context of %d items after %d ms is %d', (length, sinceMs, expected) => {
  expect(contextOf(length, sinceMs)).toBe(expected);
  expect(expected).toBeLessThan(CONTEXTS);
});

describe('running scores', () => {
  const rows = (values: readonly number[][]) => ({
    ...{ features: FEATURES.length, count: values.length },
    values: Float64Array.from(values.flatMap((own) => FEATURES.map((_, k) => own[k] ?? 0))),
  });
  /** Of two candidates the second was chosen: the first source does not give it, the second one does. */
  const choice: Choice = {
    ...{ row: 0, history: [0], chosen: 8, items: [7, 8] },
    rows: rows([
      [1, 1],
      [0, 21 / 22],
    ]),
    scores: Float64Array.of(0.1, 0.2),
  };

  it('rank the chosen item by each source and by the learnt scores', () => {
    const ranks = ranksOf(choice);
    expect([ranks[0], ranks[1], ranks[2], ranks.at(-1)]).toEqual([Infinity, 2, Infinity, 1]);
  });

  it('are the shares of events whose item was among the first ten', () => {
    const once = withChoice(NO_SCORES, choice);
    const twice = withChoice(once, { ...choice, chosen: 9 });
    expect([twice.judged, twice.rates[0], twice.rates[1], twice.rates.at(-1)]).toEqual([2, 0, 0.5, 0.5]);
  });
});

it('of a new deployment the rank in each source counts alike, in every context', () => {
  const { values } = rankingState().weights.create().get();
  expect(values).toHaveLength(FEATURES.length * (CONTEXTS + 1));
  const first = FEATURES.filter((_, k) => values[k] === 0.2);
  expect(first).toEqual(SOURCE_NAMES);
  expect(values.reduce((sum, one) => sum + one)).toBeCloseTo(0.2 * SOURCE_NAMES.length, 12);
});
