/**
 * popularity: how often each item was bought, and which items of a category were bought most.
 *
 *   N(i)   = number of purchases of item i                    or as a popularity table says
 *   top(c) = the first n items of main category c by N desc, then i asc (item-order)      n = 100; only N > 0
 *   top    = the same over all items, with a category or without
 *
 * An item's main category and brand are those of its latest purchase (by event time, then by text) that had one; its price is the mean
 * over its purchases with a price. The category of a table row is taken as it stands.
 *
 * Lists that changed are said whole: at epoch ends when `aligned`; else at ticks, and at once while hardly any item is known, so that a
 * new system has something to recommend.
 *
 * State    a row per item, all in memory (some 100 bytes and its id); a row per category (≤ 4,096) with whether its list has changed since
 *          it was last said. The items of further categories count, and are listed over all, as items without a category.
 * Restart  restored with the snapshot; the lists themselves follow from the items and are built again when first needed.
 */
import { filter, map, merge, mergeMap } from 'rxjs';
import {
  ABSENT,
  type ColumnTable,
  type Frame,
  type FrameOf,
  input,
  stage,
  type Tables,
  tables,
  textAt,
} from '../runtime/contract/stage.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { NumberedOrder } from './maths/item-order.js';
import { brandsIn, categoriesIn, type ItemColumns, items, moveItems } from './state/item-totals.js';
import { Leaders } from './maths/leaders.js';
import { mainCategoryColumn } from './maths/main-category.js';
import { SaidNames, names, NO_NAME, type NumberedNames } from './state/numbered-names.js';
import { events, LIST_MAX, popularItems, PURCHASE, topLists } from './model.js';

export interface PopularityOptions {
  readonly from: 'events' | 'table';
  /** Items per list. */
  readonly listSize?: number;
  /** Whether lists are said at epoch ends, so that rows do not depend on interleaving. */
  readonly aligned: boolean;
}

/** With fewer items than this, what changed is said at once. */
const ITEMS_FEW = 10;

/** Number of the list over all: it has no category. */
const OVER_ALL = NO_NAME;

export const popularity = ({ from, listSize = LIST_MAX, aligned }: PopularityOptions) =>
  stage({
    id: 'popularity',
    version: 1,
    key: 'item',
    inputs: { purchases: input(events), table: input(popularItems) },
    outputs: { lists: topLists },
    state: { items: tables(items, { key: ['item'] }), names: tables(names, { key: ['name'] }) },
    repartition: moveItems,
    pipeline: ({ inputs, epochEnds, ticks, state, out, partition }) => {
      const catalogue = new Catalogue(state.items, state.names, listSize);
      const whileFew = (take: () => void): boolean => {
        const few = catalogue.size < ITEMS_FEW;
        take();
        return few;
      };
      const taken =
        from === 'events'
          ? inputs.purchases.pipe(map((frame) => whileFew(() => catalogue.takeEvents(frame))))
          : inputs.table.pipe(map((frame) => whileFew(() => catalogue.takeTable(frame))));
      return merge(taken.pipe(filter((few) => few && !aligned)), aligned ? epochEnds : ticks).pipe(
        mergeMap(() => catalogue.changedLists(partition).map((frame) => out.lists(frame))),
      );
    },
  });

/** The items and their lists. What it keeps beside the cells follows from them. */
class Catalogue {
  private readonly items: ColumnTable<ItemColumns>;
  private readonly categories: NumberedNames;
  private readonly brands: NumberedNames;
  private readonly leaders: Leaders;
  private readonly order = new NumberedOrder((row) => this.text(row));
  /** Whether all lists have been known since the start: then one that never was is that of a new category. */
  private started = false;

  constructor(
    itemCell: Tables<ItemColumns>,
    nameCell: Tables<(typeof names)['columns']>,
    private readonly listSize: number,
  ) {
    this.items = itemCell.table(0);
    this.categories = categoriesIn(nameCell);
    this.brands = brandsIn(nameCell);
    this.leaders = new Leaders(listSize, (a, b) => this.beats(a, b));
  }

  get size(): number {
    return this.items.rows;
  }

  takeEvents(frame: FrameOf<typeof events>): void {
    const { type, item, category, brand, price, time } = frame.columns;
    const bought = selected(frame.rows, (row) => type[row] === PURCHASE && item.codes[row] !== ABSENT);
    if (bought.length === 0) return;
    const mains = new SaidNames(this.categories, mainCategoryColumn(category));
    const brands = new SaidNames(this.brands, brand);
    const found = this.items.upsert(frame as unknown as Frame, bought);
    const { values } = this.items;
    for (let i = 0; i < bought.length; i++) {
      const [row, at] = [found[i]!, bought[i]!];
      const main = mains.latest(at, values.category[row]!, values.categoryTime, row, time[at]!);
      values.brand[row] = brands.latest(at, values.brand[row]!, values.brandTime, row, time[at]!);
      this.addPrice(row, price[at]!);
      this.change(row, values.purchases[row]! + 1, main);
    }
  }

  takeTable(frame: FrameOf<typeof popularItems>): void {
    const { item, purchases, category, brand, price } = frame.columns;
    const given = selected(frame.rows, (row) => item.codes[row] !== ABSENT);
    const found = this.items.upsert(frame as unknown as Frame, given);
    const { values } = this.items;
    for (let i = 0; i < given.length; i++) {
      const [row, at] = [found[i]!, given[i]!];
      values.brand[row] = this.brands.number(textAt(brand.dictionary, brand.codes[at]!));
      values.priceSum[row] = values.priced[row] = 0;
      this.addPrice(row, price[at]!);
      const count = purchases[at]! > 0 ? purchases[at]! : 0;
      this.change(row, count, this.categories.number(textAt(category.dictionary, category.codes[at]!)));
    }
  }

  /** The lists that changed since they were last said, whole. */
  changedLists(origin: number): FrameOf<typeof topLists>[] {
    const changed = this.categories.marked();
    this.know(changed);
    const itemWords = this.items.dictionary('item');
    const categoryWords = this.categories.rows.dictionary('name');
    const { purchases, category } = this.items.values;
    const chunks = new FrameChunks(topLists, changed.length * this.listSize);
    for (const list of changed) {
      const leaders = this.leaders.of(list)!;
      chunks.group();
      const { frame } = chunks;
      frame.reserve(Math.max(1, leaders.length));
      const { columns } = frame;
      const code = columns.category.dictionary.addFrom(categoryWords, list);
      for (let i = 0; i < Math.max(1, leaders.length); i++, frame.rows++) {
        const row = leaders[i];
        const own = row === undefined ? NO_NAME : category[row]!;
        columns.category.codes[frame.rows] = code;
        columns.origin[frame.rows] = origin;
        columns.item.codes[frame.rows] =
          row === undefined ? ABSENT : columns.item.dictionary.addFrom(itemWords, row + 1);
        columns.purchases[frame.rows] = row === undefined ? NaN : purchases[row]!;
        columns.itemCategory.codes[frame.rows] = columns.itemCategory.dictionary.addFrom(categoryWords, own);
      }
      this.categories.mark(list, false);
    }
    return chunks.finish();
  }

  /** Gives an item its count and category, and marks the lists that look different for it. */
  private change(row: number, purchases: number, category: number): void {
    const { values } = this.items;
    const [before, was] = [values.purchases[row]!, values.category[row]!];
    if (purchases === before && category === was) return;
    if (purchases < before) this.leave(OVER_ALL, row);
    if (was !== OVER_ALL && (purchases < before || category !== was)) this.leave(was, row);
    values.purchases[row] = purchases;
    values.category[row] = category;
    if (purchases === 0) return;
    this.enter(OVER_ALL, row);
    if (category !== OVER_ALL) this.enter(category, row);
  }

  private addPrice(row: number, price: number): void {
    if (Number.isNaN(price)) return;
    this.items.values.priceSum[row]! += price;
    this.items.values.priced[row]!++;
  }

  /** Before an item falls or moves away: if it was among the leaders, another may follow it. */
  private leave(list: number, row: number): void {
    if (this.isLeftForLater(list) || !this.leaders.of(list)!.includes(row)) return;
    this.leaders.forget(list);
    this.categories.mark(list, true);
  }

  /** After an item rose or came: is it among the leaders? */
  private enter(list: number, row: number): void {
    if (!this.isLeftForLater(list) && this.leaders.place(list, row)) this.categories.mark(list, true);
  }

  /** A list that is marked and unknown will be built when it is said, and needs no care until then. Any other becomes known here. */
  private isLeftForLater(list: number): boolean {
    if (this.leaders.of(list) !== undefined) return false;
    if (this.categories.isMarked(list)) return true;
    if (this.started) this.leaders.open(list);
    else this.know([...Array(this.categories.rows.rows).keys()]);
    this.started = true;
    return false;
  }

  private know(lists: readonly number[]): void {
    const unknown = new Set(lists.filter((list) => this.leaders.of(list) === undefined));
    if (unknown.size === 0) return;
    const { purchases, category } = this.items.values;
    this.leaders.build(unknown, this.items.rows, (row) => (purchases[row]! > 0 ? [OVER_ALL, category[row]!] : []));
  }

  private beats(a: number, b: number): boolean {
    const { purchases } = this.items.values;
    if (purchases[a] !== purchases[b]) return purchases[a]! > purchases[b]!;
    return this.order.isBefore(a, b);
  }

  /** Items are the only key and never absent, so the item of row r has code r + 1. */
  private text(row: number): string {
    return textAt(this.items.dictionary('item'), row + 1)!;
  }
}

function selected(rows: number, keeps: (row: number) => boolean): Uint32Array {
  const kept = new Uint32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (keeps(row)) kept[count++] = row;
  return kept.subarray(0, count);
}
