import { describe, expect, it } from 'vitest';
import { categoriesText, mainCategoryColumn, sharedByMainCategory } from '../../../actors/maths/main-category.js';
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
    ['Drama|Sci-Fi', 'Drama|Sci-Fi'],
    ['home.chair|garden.chair | home.table', 'home|garden'],
    ['a.x|a.y', 'a'],
    ['|a||.b|', 'a'],
    ['(no genres listed)', undefined],
    ['(no genres listed)|Drama', 'Drama'],
    ['(new)', '(new)'],
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

it.each([
  [' Drama |Film-Noir||Drama|(no genres listed)', 'Drama|Film-Noir'],
  [' Drama ', ' Drama '],
  ['(no genres listed)', undefined],
  ['||', undefined],
  [undefined, undefined],
])('categories in %j are %j', (text, categories) => {
  expect(categoriesText(text)).toBe(categories);
});

describe('shares', () => {
  it('of rows with one category each are the rows themselves', () => {
    const { category, several } = sharedByMainCategory(column(['a.x', undefined, 'b']));
    expect(several).toBeUndefined();
    expect(Array.from(category.codes)).toEqual([1, 0, 2]);
  });

  it('of a row with several are one for each, which sum to one', () => {
    const { category, several } = sharedByMainCategory(column(['a|b.x', undefined, 'c', 'b|c|d']));
    const names = Array.from(category.codes, (code) => textAt(category.dictionary, code));
    expect(names).toEqual(['a', 'b', undefined, 'c', 'b', 'c', 'd']);
    expect(Array.from(several!.rows)).toEqual([0, 0, 1, 2, 3, 3, 3]);
    expect(Array.from(several!.shares)).toEqual([1 / 2, 1 / 2, 1, 1, 1 / 3, 1 / 3, 1 / 3]);
  });
});
