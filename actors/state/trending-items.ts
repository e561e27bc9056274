/**
 * trending-items: the items of trending, as small numbers, and their counts in each hour, and in each step of the last two hours.
 *
 *   number(i) = its row in the table of items        panes, recentPanes: hour, step → (number → views, clicks)
 *
 * Numbers are per partition. They are reassigned when most of them belong to items that are in no pane any more, and when the partitions change.
 */
import { type FrameOf, frameType, partitionOf, type StateOf, tables, textAt } from '../../runtime/contract/stage.js';
import { ItemCategories, markMoved } from './item-categories.js';
import type { NameTables } from './numbered-names.js';

/** `category` is a number of item-categories, 0 for none; `categoryTime` that of the event that it comes from; `heat`: see trending.ts. */
export const trendingItems = frameType('trending-item', {
  item: 'text',
  category: 'u32',
  categoryTime: 'f64',
  heat: 'f64',
});

/** `item` is a number; `floor`: see heavy-hitters.ts. */
export const paneCounts = frameType('pane-count', { item: 'u32', views: 'u32', clicks: 'u32', floor: 'f64' });

export const itemTables = () => tables(trendingItems, { key: ['item'] });
export const paneTables = () => tables(paneCounts, { key: ['item'] });
export type ItemTables = StateOf<ReturnType<typeof itemTables>>;
export type PaneTables = StateOf<ReturnType<typeof paneTables>>;

export interface TrendingItems {
  readonly items: ItemTables;
  readonly names: NameTables;
  readonly panes: PaneTables;
  readonly recentPanes: PaneTables;
}

const PANES = ['panes', 'recentPanes'] as const;

/** The number of the one table of items. */
export const ITEMS = 0;

/** With fewer items renumbering is not worth while. */
const ITEMS_FEW = 1_024;
const CATEGORIES_FEW = 1_024;

/** By number, 1 for items that are in a pane. */
function usedItems(state: TrendingItems): Uint8Array {
  const isUsed = new Uint8Array(state.items.table(ITEMS).rows);
  for (const panes of PANES.map((name) => state[name])) {
    for (const pane of panes.numbers()) for (const item of panes.table(pane).keyOf('item')) isUsed[item] = 1;
  }
  return isUsed;
}

/** Drops categories when most have no item in a pane and are not marked: a marked one must be published first. */
export function releaseCategories(state: TrendingItems, categories: ItemCategories): void {
  const items = state.items.table(ITEMS);
  const { category } = items.values;
  const inUse = new Set<number>();
  usedItems(state).forEach((used, item) => {
    if (used === 1) inUse.add(category[item]!);
  });
  const numbered = categories.keepOnly(inUse, CATEGORIES_FEW);
  if (numbered === undefined) return;
  items.touchWhole();
  for (let item = 0; item < items.rows; item++) category[item] = numbered(category[item]!);
}

/** Renumbers the items when most are in no pane; returns whether it did. */
export function numberAnew(state: TrendingItems): boolean {
  const { items } = state;
  const table = items.table(ITEMS);
  if (table.rows < ITEMS_FEW) return false;
  const isUsed = usedItems(state);
  const used = Uint32Array.from(isUsed.keys()).filter((number) => isUsed[number] === 1);
  if (used.length * 2 > table.rows) return false;
  const kept = table.frame(used);
  const numbers = new Uint32Array(table.rows);
  used.forEach((number, i) => (numbers[number] = i));
  items.drop(ITEMS);
  items.table(ITEMS).put(kept);
  for (const panes of PANES.map((name) => state[name])) {
    for (const pane of panes.numbers()) replacePane(panes, pane, panes.table(pane).frame(), numbers);
  }
  return true;
}

type PaneFrame = FrameOf<typeof paneCounts>;

/** Replaces the rows of a pane, with the new numbers of the items. */
export function replacePane(panes: PaneTables, pane: number, rows: PaneFrame, numbers?: Uint32Array): void {
  panes.drop(pane);
  putRows(panes, pane, rows, numbers);
}

function putRows(panes: PaneTables, pane: number, rows: PaneFrame, numbers?: Uint32Array): void {
  const item = numbers === undefined ? rows.columns.item : rows.columns.item.map((number) => numbers[number]!);
  panes.table(pane).put({ ...rows, columns: { ...rows.columns, item } });
}

/** From old partitions to new ones; every list counts as changed, so that it is published again. */
export function moveTrending(from: readonly TrendingItems[], to: readonly TrendingItems[]): void {
  for (const old of from) {
    const { items, names } = old;
    const known = items.table(ITEMS);
    const categoriesBefore = new ItemCategories(names);
    const partitions = Uint32Array.from({ length: known.rows }, (_, item) =>
      partitionOf(itemOf(items, item), to.length),
    );
    for (const [q, target] of to.entries()) {
      const categories = new ItemCategories(target.names);
      const table = target.items.table(ITEMS);
      const own = Uint32Array.from(partitions.keys()).filter((item) => partitions[item] === q);
      const numbers = new Uint32Array(known.rows);
      own.forEach((item, i) => (numbers[item] = table.rows + i));
      const rows = known.frame(own);
      const category = rows.columns.category.map((number) => categories.number(categoriesBefore.text(number)));
      table.put({ ...rows, columns: { ...rows.columns, category } });
      for (const name of PANES) {
        for (const pane of old[name].numbers()) {
          const counts = old[name].table(pane);
          const counted = counts.keyOf('item');
          const ownRows = Uint32Array.from(counted.keys()).filter((row) => partitions[counted[row]!] === q);
          if (ownRows.length > 0) putRows(target[name], pane, counts.frame(ownRows), numbers);
        }
      }
    }
  }
  markMoved(from, to);
}

/** The item of a number. */
export const itemOf = (items: ItemTables, number: number): string =>
  textAt(items.table(ITEMS).dictionary('item'), number + 1)!;
