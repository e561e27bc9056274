/**
 * PopularItems: how often each item was bought, and the first items of each category and of all, over the state of popularity.
 *
 *   N(i), top(c)       see popularity.ts
 *   changedLists()     the lists that changed since the last call, complete
 */
import { ABSENT, type FrameOf, textAt } from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { NumberedOrder } from '../maths/item-order.js';
import { Leaders } from '../maths/leaders.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { type events, type popularItems, PURCHASE, topLists } from '../model.js';
import { brandsIn, categoriesIn, type ItemState, type ItemTotals } from './item-totals.js';
import { NO_NAME, type NumberedNames, NamesOfColumn } from './numbered-names.js';

/** With fewer items than this, few are known. */
const ITEMS_FEW = 10;

/** Number of the list over all: it has no category. */
const OVER_ALL = NO_NAME;

/** The items and their lists. Its fields follow from the state. */
export class PopularItems {
  private readonly items: ReturnType<ItemTotals['table']>;
  private readonly categories: NumberedNames;
  private readonly brands: NumberedNames;
  private readonly leaders: Leaders;
  private readonly order = new NumberedOrder((row) => this.text(row));
  /** Whether all lists have been known since the start: then one that never was belongs to a new category. */
  private started = false;

  constructor(
    { items, names }: ItemState,
    private readonly listSize: number,
  ) {
    this.items = items.table(0);
    this.categories = categoriesIn(names);
    this.brands = brandsIn(names);
    this.leaders = new Leaders(listSize, (a, b) => this.beats(a, b));
  }

  /** Counts the purchases among events. True when few items were known before. */
  addPurchases(frame: FrameOf<typeof events>): boolean {
    const few = this.items.rows < ITEMS_FEW;
    const { type, item, category, brand, price, time } = frame.columns;
    const bought = selected(frame.rows, (row) => type[row] === PURCHASE && item.codes[row] !== ABSENT);
    if (bought.length === 0) return few;
    const mains = new NamesOfColumn(this.categories, mainCategoryColumn(category));
    const brands = new NamesOfColumn(this.brands, brand);
    const found = this.items.upsert(frame.columns, bought);
    const { values } = this.items;
    for (let i = 0; i < bought.length; i++) {
      const [row, at] = [found[i]!, bought[i]!];
      const main = mains.latest(at, values.category[row]!, values.categoryTime, row, time[at]!);
      values.brand[row] = brands.latest(at, values.brand[row]!, values.brandTime, row, time[at]!);
      this.addPrice(row, price[at]!);
      this.change(row, values.purchases[row]! + 1, main);
    }
    return few;
  }

  /** Applies rows of a popularity table, which replace the values of their items. True when few items were known before. */
  putTable(frame: FrameOf<typeof popularItems>): boolean {
    const few = this.items.rows < ITEMS_FEW;
    const { item, purchases, category, brand, price } = frame.columns;
    const given = selected(frame.rows, (row) => item.codes[row] !== ABSENT);
    const found = this.items.upsert(frame.columns, given);
    const { values } = this.items;
    for (let i = 0; i < given.length; i++) {
      const [row, at] = [found[i]!, given[i]!];
      values.brand[row] = this.brands.number(textAt(brand.dictionary, brand.codes[at]!));
      values.priceSum[row] = values.priced[row] = 0;
      this.addPrice(row, price[at]!);
      const count = purchases[at]! > 0 ? purchases[at]! : 0;
      this.change(row, count, this.categories.number(textAt(category.dictionary, category.codes[at]!)));
    }
    return few;
  }

  /** The lists that changed since they were last published, complete. */
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

  /** Sets an item's count and category, and marks the lists that change. */
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

  /** Before an item falls or leaves: if it was among the leaders, another may follow it. */
  private leave(list: number, row: number): void {
    if (this.isLeftForLater(list) || !this.leaders.of(list)!.includes(row)) return;
    this.leaders.forget(list);
    this.categories.mark(list, true);
  }

  /** After an item rose or was added: inserts it if it is among the leaders. */
  private enter(list: number, row: number): void {
    if (!this.isLeftForLater(list) && this.leaders.place(list, row)) this.categories.mark(list, true);
  }

  /** A marked, unknown list will be rebuilt when it is published, and needs no updates until then. Any other becomes known here. */
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
