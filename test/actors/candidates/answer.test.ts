import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer } from '../../../actors/candidates/answer.js';
import type { Question, RecommendationReader } from '../../../actors/candidates/source.js';
import type { RankedItem } from '../../../actors/maths/made-list.js';
import { NO_ITEMS } from '../../../actors/maths/rank/latest-items.js';

const own = (item: string, category: string, interest: number, interestRank: number, rank: number): RankedItem => ({
  item,
  category,
  score: interest,
  interest,
  interestRank,
  rank,
  kind: 0,
});
const popular = (item: string, category: string | undefined, rank: number): RankedItem => ({
  item,
  category,
  score: 0.1,
  interest: NaN,
  interestRank: 0,
  rank,
  kind: 1,
});

const LIST = [own('1', 'electronics', 3.25, 1, 1), own('2', 'kids', 2, 2, 2), own('3', 'electronics', 3.25, 1, 3)];
const POPULAR = [
  popular('9', 'auto', 1),
  popular('1', 'electronics', 2),
  popular('8', undefined, 3),
  popular('7', 'kids', 4),
];
const ELECTRONICS = [popular('1', 'electronics', 1), popular('5', 'electronics', 2), popular('6', 'electronics', 3)];

const reader = (seen: readonly string[] = []): RecommendationReader => ({
  ownList: (user) => (user === 'ada' ? LIST : []),
  seen: () => new Map(seen.map((item) => [item, 1])),
  latest: () => NO_ITEMS,
  fallback: () => POPULAR,
  topOf: (category) => (category === 'electronics' ? ELECTRONICS : []),
  factsOf: (item) => (item === '2' ? { brand: 'lego', price: 9.5 } : {}),
});

const ask = (question: Partial<Question>, seen?: readonly string[]) =>
  answer(reader(seen), { user: 'ada', limit: 10, excludeSeen: false, explain: false, ...question });
const ids = (question: Partial<Question>, seen?: readonly string[]): string[] =>
  ask(question, seen).items.map(({ itemId }) => itemId);

describe('an answer', () => {
  it('is the list as it stands', () => {
    expect(ask({})).toEqual({
      model: 'streaming-category-popularity',
      items: [
        { itemId: '1', rank: 1, score: 3.25, category: 'electronics', type: 'streaming_category_popularity' },
        {
          ...{ itemId: '2', rank: 2, score: 2, category: 'kids', type: 'streaming_category_popularity' },
          ...{ brand: 'lego', price: 9.5 },
        },
        { itemId: '3', rank: 3, score: 3.25, category: 'electronics', type: 'streaming_category_popularity' },
      ],
    });
  });

  it.each<[string, Partial<Question>, readonly string[], readonly string[]]>([
    ['is cut at the limit', { limit: 2 }, [], ['1', '2']],
    ['is empty at a limit of 0', { limit: 0 }, [], []],
    ['is the fallback for an unknown user', { user: 'eve' }, [], ['9', '1', '8', '7']],
    ['is the fallback for a user without a list', { user: 'empty', limit: 3 }, [], ['9', '1', '8']],
    ['has what was seen, unless it is to be excluded', {}, ['1'], ['1', '2', '3']],
    ['goes deeper in the list for what was seen', { excludeSeen: true, limit: 2 }, ['1'], ['2', '3']],
    ['then goes on with the fallback', { excludeSeen: true }, ['1', '9'], ['2', '3', '8', '7']],
    ['of a category is its part of the list, then its top list', { category: 'electronics' }, [], ['1', '3', '5', '6']],
    ['of a category excludes what was seen', { category: 'electronics', excludeSeen: true }, ['3', '5'], ['1', '6']],
    [
      'of a category for an unknown user is its top list',
      { user: 'eve', category: 'electronics', limit: 2 },
      [],
      ['1', '5'],
    ],
    ['of a category that nobody knows is empty', { category: 'boats' }, [], []],
  ])('%s', (_, question, seen, expected) => {
    expect(ids(question, seen)).toEqual(expected);
  });

  it('types what the list could not fill as fallback, and ranks it on', () => {
    expect(
      ask({ category: 'electronics', limit: 3 }).items.map(({ rank, type, score }) => [rank, type, score]),
    ).toEqual([
      [1, 'streaming_category_popularity', 3.25],
      [2, 'streaming_category_popularity', 3.25],
      [3, 'streaming_popular_fallback', 0.1],
    ]);
    expect(ask({ user: 'eve', limit: 1 }).items).toEqual([
      { itemId: '9', rank: 1, score: 0.1, category: 'auto', type: 'streaming_popular_fallback' },
    ]);
  });

  it('explains itself when asked to', () => {
    const reasons = (question: Partial<Question>) =>
      ask({ ...question, explain: true }).items.map(({ reason }) => reason);
    expect(reasons({ limit: 2 })).toEqual([
      'popular in electronics, which is your #1 interest (3.3)',
      'popular in kids, which is your #2 interest (2)',
    ]);
    expect(reasons({ user: 'eve', limit: 1 })).toEqual(['popular with everyone']);
    expect(reasons({ user: 'eve', limit: 1, category: 'electronics' })).toEqual(['popular in electronics']);
    expect(ask({}).items.every((item) => item.reason === undefined)).toBe(true);
  });

  it('of an empty system is empty', () => {
    const nothing: RecommendationReader = {
      ownList: () => [],
      seen: () => new Map(),
      latest: () => NO_ITEMS,
      fallback: () => [],
      topOf: () => [],
      factsOf: () => ({}),
    };
    for (const category of [undefined, 'kids']) {
      expect(answer(nothing, { user: 'ada', limit: 10, category, excludeSeen: true, explain: true }).items).toEqual([]);
    }
  });

  it('has each item once, in rank order, none excluded, never more than asked for', () => {
    const question = fc.record({
      user: fc.constantFrom('ada', 'eve', 'empty'),
      limit: fc.integer({ min: -1, max: 200 }),
      category: fc.constantFrom(undefined, 'electronics', 'kids', 'boats'),
      excludeSeen: fc.boolean(),
      explain: fc.boolean(),
    });
    fc.assert(
      fc.property(question, fc.subarray(['1', '2', '3', '5', '8', '9']), (asked, seen) => {
        const { items } = answer(reader(seen), asked);
        expect(items.length).toBeLessThanOrEqual(Math.max(0, Math.min(100, asked.limit)));
        expect(items.map(({ rank }) => rank)).toEqual(items.map((_, i) => i + 1));
        expect(new Set(items.map(({ itemId }) => itemId)).size).toBe(items.length);
        if (asked.excludeSeen) expect(items.filter(({ itemId }) => seen.includes(itemId))).toEqual([]);
        if (asked.category !== undefined) expect(items.every(({ category }) => category === asked.category)).toBe(true);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});
