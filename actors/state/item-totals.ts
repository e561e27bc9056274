/**
 * item-totals: what is known of each item, in a table, with its category and its brand as numbers of names.
 *
 * Numbers are those of one partition: when there are other partitions, items take new ones with them, and all lists count as changed, so that they
 * are said whole.
 */
import { frameType, partitionBy, type Tables } from '../../runtime/contract/stage.js';
import { type names, NumberedNames } from './numbered-names.js';

/** `category` and `brand` are numbers of names, 0 for none; times are those of the purchases that said them. */
export const items = frameType('item-total', {
  item: 'text',
  purchases: 'f64',
  category: 'u32',
  categoryTime: 'f64',
  brand: 'u32',
  brandTime: 'f64',
  priceSum: 'f64',
  priced: 'f64',
});
export type ItemColumns = (typeof items)['columns'];

/** Main categories that have a list. */
export const CATEGORIES_MAX = 4_096;
/** Brands that are told apart; further ones are none. */
const BRANDS_MAX = 65_536;

type NameTables = Tables<(typeof names)['columns']>;

/** Which table of names is which. */
export const categoriesIn = (cell: NameTables): NumberedNames => new NumberedNames(cell, 0, CATEGORIES_MAX);
export const brandsIn = (cell: NameTables): NumberedNames => new NumberedNames(cell, 1, BRANDS_MAX);

export interface ItemCells {
  readonly items: Tables<ItemColumns>;
  readonly names: NameTables;
}

export function moveItems(from: readonly ItemCells[], to: readonly ItemCells[]): void {
  const targets = to.map((cells) => ({
    table: cells.items.table(0),
    categories: categoriesIn(cells.names),
    brands: brandsIn(cells.names),
  }));
  for (const cells of from) {
    const [categories, brands] = [categoriesIn(cells.names), brandsIn(cells.names)];
    partitionBy(cells.items.table(0).frame(), 'item', to.length).forEach((frame, q) => {
      if (frame === undefined) return;
      const target = targets[q]!;
      const { category, brand } = frame.columns;
      const columns = {
        ...frame.columns,
        category: category.map((number) => target.categories.number(categories.text(number))),
        brand: brand.map((number) => target.brands.number(brands.text(number))),
      };
      target.table.put({ ...frame, columns });
    });
  }
  for (const { categories } of targets) categories.markAll();
}
