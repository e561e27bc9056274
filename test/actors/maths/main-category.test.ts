import { describe, expect, it } from 'vitest';
import { mainCategoryColumn } from '../../../actors/maths/main-category.js';
import { frameOf, frameType, rowsOf, textAt } from '../../../runtime/contract/stage.js';

const type = frameType('categories', { category: 'text' });
const column = (categories: (string | undefined)[]) =>
  frameOf(
    type,
    categories.map((category) => ({ category })),
  ).columns.category;

describe('main categories', () => {
  it.each([
    ['electronics.audio.headphone', 'electronics'],
    ['electronics', 'electronics'],
    ['électronique.été', 'électronique'],
    ['.hidden', undefined],
    [undefined, undefined],
  ])('of %s is %s', (category, main) => {
    const { codes, dictionary } = mainCategoryColumn(column([category]));
    expect(textAt(dictionary, codes[0]!)).toBe(main);
  });

  it('are one code where they are one text', () => {
    const mapped = mainCategoryColumn(column(['a.x', 'b', 'a.y', undefined, 'a']));
    const rows = rowsOf({ type, rows: 5, columns: { category: mapped } });
    expect(rows.map(({ category }) => category)).toEqual(['a', 'b', 'a', undefined, 'a']);
    expect(Array.from(mapped.codes)).toEqual([1, 2, 1, 0, 1]);
  });
});
