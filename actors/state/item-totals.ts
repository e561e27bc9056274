/**
 * item-totals: the totals of each item, in a table, with its category and its brand as numbers of names.
 *
 * Numbers are per partition: when the partitions change, items get new ones, and all lists count as changed, so that they are published
 * completely, also those that no item is in any more.
 */
import { frameType, partitionBy, type StateOf, tables } from '../../runtime/contract/stage.js';
import { ItemCategories, markMoved } from './item-categories.js';
import { type NameTables, NumberedNames } from './numbered-names.js';

/**
 * `purchases` is the popularity N, in purchases, as of `time`, that of the item's latest counted event. `category` is a number of item-categories, `brand`
 * one of names, 0 for none; their times are those of the events that they come from, -Infinity for a table. `given` is what a table has given to N, as of
 * when it was loaded, and `givenPrice` its average price.
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
  given: 'f64',
  givenPrice: 'f64',
});

export const itemTotals = () => tables(itemRows, { key: ['item'] });
export type ItemTotals = StateOf<ReturnType<typeof itemTotals>>;

/** Distinct brands; further ones count as none. */
const BRANDS_MAX = 65_536;

/** Beside the tables of item-categories. */
export const brandsIn = (names: NameTables): NumberedNames => new NumberedNames(names, 1, BRANDS_MAX);

export interface ItemState {
  readonly items: ItemTotals;
  readonly names: NameTables;
}

export function moveItems(from: readonly ItemState[], to: readonly ItemState[]): void {
  const targets = to.map(({ items, names }) => ({
    table: items.table(0),
    categories: new ItemCategories(names),
    brands: brandsIn(names),
  }));
  for (const { items, names } of from) {
    const [categories, brands] = [new ItemCategories(names), brandsIn(names)];
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
  markMoved(from, to);
}
