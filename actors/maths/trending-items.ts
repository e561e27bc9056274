/**
 * trending-items: the items that trending knows, as small numbers, and what happened to each in each hour.
 *
 *   number(i) = its row in the table of items        panes: hour → (number → views, clicks)
 *
 * Numbers are those of one partition. They are given anew when most of them are of items that no pane has any more, and when there are other
 * partitions.
 */
import {
  type ColumnTable,
  type Frame,
  frameType,
  partitionBy,
  tables,
  type Tables,
  textAt,
} from '../../runtime/stage.js';
import { type names, NO_NAME, type NumberedNames } from './numbered-names.js';
import { categoriesIn } from './item-totals.js';

/** `category` is a number of names, 0 for none; `categoryTime` that of the event that said it; `heat`: see trending.ts. */
export const trendingItems = frameType('trending-item', {
  item: 'text',
  category: 'u32',
  categoryTime: 'f64',
  heat: 'f64',
});

/** `item` is a number; `floor`: see heavy-hitters.ts. */
export const paneCounts = frameType('pane-count', { item: 'u32', views: 'u32', clicks: 'u32', floor: 'f64' });

export type ItemTables = Tables<(typeof trendingItems)['columns']>;
export type PaneTables = Tables<(typeof paneCounts)['columns']>;
export type PaneTable = ColumnTable<(typeof paneCounts)['columns']>;

export const itemTables = () => tables(trendingItems, { key: ['item'] });
export const paneTables = () => tables(paneCounts, { key: ['item'] });

export interface TrendingCells {
  readonly items: ItemTables;
  readonly names: Tables<(typeof names)['columns']>;
  readonly panes: PaneTables;
}

/** The number of the one table of items. */
export const ITEMS = 0;

/** Below so many it is not worth while to number anew. */
const ITEMS_FEW = 1_024;

/** Numbers the items anew when most are in no pane; says whether it did. */
export function numberAnew({ items, panes }: TrendingCells): boolean {
  const table = items.table(ITEMS);
  if (table.rows < ITEMS_FEW) return false;
  const isUsed = new Uint8Array(table.rows);
  for (const pane of panes.numbers()) for (const item of panes.table(pane).keyOf('item')) isUsed[item] = 1;
  const used = Uint32Array.from(isUsed.keys()).filter((number) => isUsed[number] === 1);
  if (used.length * 2 > table.rows) return false;
  const kept = table.frame(used);
  const numbers = new Uint32Array(table.rows);
  used.forEach((number, i) => (numbers[number] = i));
  items.drop(ITEMS);
  items.table(ITEMS).put(kept);
  for (const pane of panes.numbers()) replacePane(panes, pane, panes.table(pane).frame(), numbers);
  return true;
}

type PaneFrame = ReturnType<PaneTable['frame']>;

/** The rows of a pane as its only ones, with the numbers that items have now. */
export function replacePane(panes: PaneTables, pane: number, rows: PaneFrame, numbers?: Uint32Array): void {
  const item = numbers === undefined ? rows.columns.item : rows.columns.item.map((number) => numbers[number]!);
  panes.drop(pane);
  panes.table(pane).put({ ...rows, columns: { ...rows.columns, item } });
}

/** From old partitions into new ones; every list counts as changed, so that it is said again. */
export function moveTrending(from: readonly TrendingCells[], to: readonly TrendingCells[]): void {
  for (const cells of from) {
    const [known, names] = [cells.items.table(ITEMS), categoriesIn(cells.names)];
    const { rows } = known;
    const [partition, numbers] = [new Uint32Array(rows), new Uint32Array(rows)];
    partitionBy(withNumbers(known), 'item', to.length).forEach((frame, q) => {
      if (frame === undefined) return;
      const target = to[q]!;
      const categories = categoriesIn(target.names);
      const category = frame.columns.category.map((number) => categories.number(names.text(number)));
      const table = target.items.table(ITEMS);
      const first = table.rows;
      table.put({ type: trendingItems, rows: frame.rows, columns: { ...frame.columns, category } } as never);
      for (let i = 0; i < frame.rows; i++) {
        partition[frame.columns.number[i]!] = q;
        numbers[frame.columns.number[i]!] = first + i;
      }
    });
    for (const pane of cells.panes.numbers()) {
      const counts = cells.panes.table(pane);
      const items = counts.keyOf('item');
      to.forEach((target, q) => {
        const own = Uint32Array.from(items.keys()).filter((row) => partition[items[row]!] === q);
        if (own.length === 0) return;
        const frame = counts.frame(own);
        const item = frame.columns.item.map((number) => numbers[number]!);
        target.panes.table(pane).put({ ...frame, columns: { ...frame.columns, item } });
      });
    }
  }
  for (const { names } of to) markAll(categoriesIn(names));
}

const numbered = frameType('numbered-item', { ...trendingItems.columns, number: 'u32' });

function withNumbers(table: ColumnTable<(typeof trendingItems)['columns']>): Frame<(typeof numbered)['columns']> {
  const { rows, columns } = table.frame();
  return { type: numbered, rows, columns: { ...columns, number: Uint32Array.from({ length: rows }, (_, i) => i) } };
}

export function markAll(categories: NumberedNames): void {
  for (let number = NO_NAME; number < categories.rows.rows; number++) categories.mark(number, true);
}

/** The item of a number. */
export const itemOf = (items: ItemTables, number: number): string =>
  textAt(items.table(ITEMS).dictionary('item'), number + 1)!;
