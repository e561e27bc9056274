/** Why a candidate has its place, worked by hand. */
import { describe, expect, it } from 'vitest';
import { explain } from '../../../actors/ranking/explain.js';
import { FEATURES } from '../../../actors/ranking/ranker.js';
import type { Knowledge } from '../../../actors/ranking/sources.js';

type Values = Readonly<Record<string, number>>;

const columns = (values: Values): number[] => FEATURES.map((name) => values[name] ?? 0);

/** Item 1 goes with item 9 more than with item 8. */
const known = {
  signals: { text: (item: number) => `item-${item}`, categoryText: () => 'garden' },
  neighboursOf: (item: number) => ({ together: { weightOf: () => (item === 9 ? 5 : 2) } }),
} as unknown as Knowledge;

function explained(candidates: readonly Values[], place: number, weights: Values) {
  const values = Float64Array.from(candidates.flatMap(columns));
  const rows = { features: FEATURES.length, count: candidates.length, values };
  const items = candidates.map((_, i) => i + 1);
  return explain({ items, rows }, place, Float64Array.from(columns(weights)), known, [8, 9], (id) => id.toUpperCase());
}

/** Means: 0.5, 0.75 and 0.5. */
const CANDIDATES = [
  { 'co-visitation': 1, popular: 0.5, seen: 0 },
  { 'co-visitation': 0, popular: 1, seen: 1 },
];
const WEIGHTS = { 'co-visitation': 2, popular: 1, seen: -1 };

describe('a place', () => {
  it('comes from what the candidate has above the others, by its weight', () => {
    // 2 (1 − 0.5) = 1; 1 (0.5 − 0.75) < 0; −1 (0 − 0.5) = 0.5. So two thirds and one third.
    expect(explained(CANDIDATES, 0, WEIGHTS)).toEqual({
      reason: 'often seen together with ITEM-9',
      contributions: [
        { source: 'co-visitation', share: expect.closeTo(2 / 3, 9) },
        { source: 'history', share: expect.closeTo(1 / 3, 9) },
      ],
    });
    // 2 (0 − 0.5) < 0; 1 (1 − 0.75) = 0.25; −1 (1 − 0.5) < 0.
    expect(explained(CANDIDATES, 1, WEIGHTS)).toEqual({
      reason: 'popular with everyone',
      contributions: [{ source: 'popular', share: 1 }],
    });
  });

  it('of features that are signs of one thing comes from that, once, and the largest three are given', () => {
    const candidates = [
      { 'same-category': 1, 'recent-category': 1, category: 1, age: 1, brand: 0.5, popular: 0.25 },
      {},
    ];
    // Leads: category-fit 0.5 + 0.5, category 0.5, age 0.5, brand 0.25, popular 0.125; in all 2.375.
    const weights = { 'same-category': 1, 'recent-category': 1, category: 1, age: 1, brand: 1, popular: 1 };
    const { reason, contributions } = explained(candidates, 0, weights);
    expect(contributions).toEqual([
      { source: 'category-fit', share: expect.closeTo(1 / 2.375, 9) },
      { source: 'category', share: expect.closeTo(0.5 / 2.375, 9) },
      { source: 'age', share: expect.closeTo(0.5 / 2.375, 9) },
    ]);
    // Of the sources that gave it the one that leads most.
    expect(reason).toBe('popular in garden');
  });

  it('that no source gave is of what was looked for in its category', () => {
    expect(explained([{ age: 1 }, {}], 0, { age: 1 }).reason).toBe('popular in garden');
  });
});
