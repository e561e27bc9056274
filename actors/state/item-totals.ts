/**
 * item-totals: the totals of each item, in a table, with its category and its brand as numbers of names.
 *
 * Numbers are per partition: when the partitions change, items get new ones, and all lists count as changed, so that they are published
 * completely.
 */
import { frameType, partitionBy, type StateOf, tables } from '../../runtime/contract/stage.js';
import { type NameTables, NumberedNames } from './numbered-names.js';

/**
 * `purchases` is the popularity N, in purchases, as of `time`, that of the item's latest counted event. `category` and `brand` are numbers of names, 0 for none; their
 * times are those of the events that they come from.
 */
const itemRows = frameType('item-total', {
  item: 'text',
  purchases: 'f64',
  time: 'f64',
  category: 'u32',
  categoryTime: 'f64',
  brand: 'u32',
  brandTime: 'f64',
  priceSum: 'f64',
  priced: 'f64',
});

export const itemTotals = () => tables(itemRows, { key: ['item'] });
export type ItemTotals = StateOf<ReturnType<typeof itemTotals>>;

/** Main categories that have a list. */
export const CATEGORIES_MAX = 4_096;
/** Distinct brands; further ones count as none. */
const BRANDS_MAX = 65_536;

/** The tables of names by their use. */
export const categoriesIn = (names: NameTables): NumberedNames => new NumberedNames(names, 0, CATEGORIES_MAX);
export const brandsIn = (names: NameTables): NumberedNames => new NumberedNames(names, 1, BRANDS_MAX);

export interface ItemState {
  readonly items: ItemTotals;
  readonly names: NameTables;
}

export function moveItems(from: readonly ItemState[], to: readonly ItemState[]): void {
  const targets = to.map(({ items, names }) => ({
    table: items.table(0),
    categories: categoriesIn(names),
    brands: brandsIn(names),
  }));
  for (const { items, names } of from) {
    const [categories, brands] = [categoriesIn(names), brandsIn(names)];
    partitionBy(items.table(0).frame(), 'item', to.length).forEach((frame, q) => {
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
