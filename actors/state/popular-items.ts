/**
 * PopularItems: how much each item is in demand, and the first items of each category and of all, over the state of popularity.
 *
 *   N(i), top(c)       see popularity.ts
 *   changedLists()     the lists that changed since the last call, complete
 */
import { ABSENT, type FrameOf, textAt, type Value } from '../../runtime/contract/stage.js';
import { addDecayed, decay, type DecayedSum } from '../maths/decay.js';
import { type PopularitySource, roundedWeight, UNWEIGHTED, weightsByCode } from '../maths/engagement-weights.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { NumberedOrder } from '../maths/item-order.js';
import { Leaders } from '../maths/leaders.js';
import { categoriesText, mainCategoryColumn } from '../maths/main-category.js';
import { codeOfType, type engagements, type popularItems, topLists } from '../model.js';
import { ItemCategories } from './item-categories.js';
import { brandsIn, type ItemState, type ItemTotals } from './item-totals.js';
import { NamesOfColumn, NO_NAME, type NumberedNames } from './numbered-names.js';

/** With fewer items than this, few are known. */
const ITEMS_FEW = 10;

const RATING = codeOfType('rating');
/** All lists are published again after this part of the half-life. */
const FADED = 1 / 16;

/** Of a table's categories and brands: before that of any event. */
const PAST = -Infinity;

/** So that the order in which prices were added does not show. */
const roundedPrice = (price: number): number => Math.round(price * 1e4) / 1e4;

/** Number of the list over all: it has no category. */
const OVER_ALL = NO_NAME;

export interface PopularState extends ItemState {
  readonly asOf: Value<number>;
  readonly faded: Value<number>;
  readonly countedBy: Value<string>;
}

/** The items and their lists. Its fields follow from the state. */
export class PopularItems {
  private readonly items: ReturnType<ItemTotals['table']>;
  private readonly categories: ItemCategories;
  private readonly brands: NumberedNames;
  private readonly leaders: Leaders;
  /** Weights by code of the event type. */
  private readonly weights: Float64Array;
  private readonly ratingMin: number;
  private readonly halfLifeMs: number;
  private readonly countedBy: string;
  /** Whether a table is the past of events, by whose rule its categories are read. Alone it has the last word, as in the classic job. */
  private readonly isPast: boolean;
  private readonly order = new NumberedOrder((row) => this.text(row));
  /** Whether all lists have been known since the start: then one that never was belongs to a new category. */
  private started = false;

  constructor(
    private readonly state: PopularState,
    source: PopularitySource,
    private readonly listSize: number,
  ) {
    const { weights, ratingMin, halfLifeMs } = source.from === 'events' ? source : UNWEIGHTED;
    this.weights = weightsByCode(weights);
    this.isPast = source.from === 'events';
    this.ratingMin = ratingMin;
    this.halfLifeMs = halfLifeMs;
    this.countedBy = JSON.stringify([[...this.weights], ratingMin, halfLifeMs]);
    this.items = state.items.table(0);
    this.categories = new ItemCategories(state.names);
    this.brands = brandsIn(state.names);
    this.leaders = new Leaders(listSize, (a, b) => this.beats(a, b));
  }

  /** Adds the weights of events to their items. True when few items were known before. */
  add(frame: FrameOf<typeof engagements>): boolean {
    const few = this.items.rows < ITEMS_FEW;
    const { weights, ratingMin } = this;
    const { type, item, category, brand, price, rating, time, storedAt } = frame.columns;
    const counted = selected(frame.rows, (row) => {
      if (item.codes[row] === ABSENT || !(weights[type[row]!]! > 0)) return false;
      return type[row] !== RATING || rating[row]! >= ratingMin;
    });
    if (counted.length === 0) return few;
    this.dateRows(time[counted[0]!]!);
    const mains = new NamesOfColumn(this.categories, mainCategoryColumn(category));
    const brands = new NamesOfColumn(this.brands, brand);
    const found = this.items.upsert(frame.columns, counted);
    const { values } = this.items;
    let latestMs = this.state.asOf.get();
    for (let i = 0; i < counted.length; i++) {
      const [row, at] = [found[i]!, counted[i]!];
      // An event from the future counts as if it happened when it was stored.
      const timeMs = time[at]! > storedAt[at]! ? storedAt[at]! : time[at]!;
      if (timeMs > latestMs) latestMs = timeMs;
      const main = mains.latest(at, values.category[row]!, values.categoryTime, row, time[at]!);
      values.brand[row] = brands.latest(at, values.brand[row]!, values.brandTime, row, time[at]!);
      if (!Number.isNaN(price[at])) {
        values.priceSum[row]! += price[at]!;
        values.priced[row]!++;
      }
      this.change(row, this.sumWith(row, weights[type[at]!]!, timeMs), main);
    }
    if (latestMs > this.state.asOf.get()) this.state.asOf.set(latestMs);
    return few;
  }

  /**
   * Adds what a table says of the past of items; a later row of an item replaces an earlier one, so a table that comes again changes nothing. True when
   * few items were known before.
   */
  putTable(frame: FrameOf<typeof popularItems>): boolean {
    const few = this.items.rows < ITEMS_FEW;
    const { item, purchases, brand, price, time } = frame.columns;
    const category = this.isPast ? mainCategoryColumn(frame.columns.category) : frame.columns.category;
    const rows = selected(frame.rows, (row) => item.codes[row] !== ABSENT);
    if (rows.length === 0) return few;
    if (!Number.isNaN(time[0])) this.dateRows(time[0]!);
    const found = this.items.upsert(frame.columns, rows);
    const { values } = this.items;
    for (let i = 0; i < rows.length; i++) {
      const [row, at] = [found[i]!, rows[i]!];
      // Absent in a snapshot from before there was the column.
      const before = values.given[row]! || 0;
      const given = purchases[at]! > 0 ? purchases[at]! : 0;
      values.given[row] = given;
      values.givenPrice[row] = price[at]!;
      let main = values.category[row]!;
      if (isOfTable(main, values.categoryTime[row]!)) {
        main = this.categories.number(categoriesText(textAt(category.dictionary, category.codes[at]!)));
        values.categoryTime[row] = PAST;
      }
      if (isOfTable(values.brand[row]!, values.brandTime[row]!)) {
        values.brand[row] = this.brands.number(textAt(brand.dictionary, brand.codes[at]!));
        values.brandTime[row] = PAST;
      }
      const sum = { value: values.purchases[row]!, time: values.time[row]! };
      const loadedMs = Number.isNaN(time[at]) ? sum.time : time[at]!;
      this.change(row, given === before ? sum : this.sumWith(row, given - before, loadedMs), main);
    }
    const { asOf } = this.state;
    if (time[0]! > asOf.get()) asOf.set(time[0]!);
    return few;
  }

  /** The lists that changed since they were last published, complete; all of them when they have faded. */
  changedLists(origin: number): FrameOf<typeof topLists>[] {
    this.markFaded();
    const { names } = this.categories;
    const changed = names.marked();
    this.know(changed);
    const itemWords = this.items.dictionary('item');
    const categoryWords = names.rows.dictionary('name');
    const brandWords = this.brands.rows.dictionary('name');
    const { category, brand } = this.items.values;
    const chunks = new FrameChunks(topLists, changed.length * this.listSize);
    for (const list of changed) {
      const leaders = this.leaders.of(list)!;
      chunks.group();
      const { frame } = chunks;
      frame.reserve(Math.max(1, leaders.length));
      const { columns } = frame;
      const code = columns.category.dictionary.addFrom(categoryWords, list);
      for (let i = 0; i < Math.max(1, leaders.length); i++, frame.rows++) {
        const [row, at] = [leaders[i], frame.rows];
        columns.category.codes[at] = code;
        columns.origin[at] = origin;
        // A list without items has one row.
        columns.item.codes[at] = row === undefined ? ABSENT : columns.item.dictionary.addFrom(itemWords, row + 1);
        columns.popularity[at] = row === undefined ? NaN : this.popularity(row);
        const own = list === OVER_ALL && row !== undefined ? this.categories.first(category[row]!) : list;
        columns.itemCategory.codes[at] =
          row === undefined ? ABSENT : columns.itemCategory.dictionary.addFrom(categoryWords, own);
        columns.brand.codes[at] =
          row === undefined ? ABSENT : columns.brand.dictionary.addFrom(brandWords, brand[row]!);
        columns.price[at] = row === undefined ? NaN : this.price(row);
      }
      names.mark(list, false);
    }
    return chunks.finish();
  }

  /** As of the latest event time, or of when the table was loaded. */
  private popularity(row: number): number {
    const { purchases, time } = this.items.values;
    const ageMs = this.state.asOf.get() - time[row]!;
    return purchases[row]! * decay(ageMs > 0 ? ageMs : 0, this.halfLifeMs);
  }

  /** The average over the events that had one, and the table's purchases. */
  private price(row: number): number {
    const { priceSum, priced, given, givenPrice } = this.items.values;
    const past = given[row]! > 0 && !Number.isNaN(givenPrice[row]) ? given[row]! : 0;
    if (past === 0) return roundedPrice(priceSum[row]! / priced[row]!);
    if (priced[row] === 0) return givenPrice[row]!;
    return roundedPrice((priceSum[row]! + past * givenPrice[row]!) / (priced[row]! + past));
  }

  /** The popularity of an item with a weight more. */
  private sumWith(row: number, weight: number, timeMs: number): DecayedSum {
    const { purchases, time } = this.items.values;
    const sum = { value: purchases[row]!, time: purchases[row] === 0 ? timeMs : time[row]! };
    addDecayed(sum, weight, timeMs, this.halfLifeMs);
    // So that a sum does not depend on the order of its events.
    if (this.halfLifeMs === Infinity) sum.value = roundedWeight(sum.value);
    return sum;
  }

  /** Items of a snapshot from before popularity could fade have no time: they are as of the first time that is known, and all lists are published. */
  private dateRows(timeMs: number): void {
    if (this.state.asOf.get() !== -Infinity) return;
    const { time } = this.items.values;
    if (!time.subarray(0, this.items.rows).some(Number.isNaN)) return;
    this.items.touchWhole();
    for (let row = 0; row < this.items.rows; row++) if (Number.isNaN(time[row])) time[row] = timeMs;
    this.categories.names.markAll();
  }

  /** Marks all lists when they have faded, and when they are counted in another way. */
  private markFaded(): void {
    const { asOf, faded } = this.state;
    const { halfLifeMs, countedBy } = this;
    if (this.state.countedBy.get() !== countedBy) {
      if (this.state.countedBy.get() !== '') this.categories.names.markAll();
      this.state.countedBy.set(countedBy);
    }
    if (halfLifeMs === Infinity || !(asOf.get() - faded.get() >= halfLifeMs * FADED)) return;
    faded.set(asOf.get());
    this.categories.names.markAll();
  }

  /** Sets an item's popularity and categories, and marks the lists that change. */
  private change(row: number, { value, time }: DecayedSum, category: number): void {
    const { values } = this.items;
    const [before, was] = [values.purchases[row]!, values.category[row]!];
    if (value === before && time === values.time[row] && category === was) return;
    // Later, it may be less and still rise among others, which have faded, too.
    const falls = value < before && (this.halfLifeMs === Infinity || time === values.time[row]);
    if (falls) this.leave(OVER_ALL, row);
    if (falls || category !== was) for (const list of this.categories.namesOf(was)) this.leave(list, row);
    values.purchases[row] = value;
    values.time[row] = time;
    values.category[row] = category;
    if (value === 0) return;
    this.enter(OVER_ALL, row);
    for (const list of this.categories.namesOf(category)) this.enter(list, row);
  }

  /** Before an item falls or leaves: if it was among the leaders, another may follow it. */
  private leave(list: number, row: number): void {
    if (this.isLeftForLater(list) || !this.leaders.of(list)!.includes(row)) return;
    this.leaders.forget(list);
    this.categories.names.mark(list, true);
  }

  /** After an item rose or was added: inserts it if it is among the leaders. */
  private enter(list: number, row: number): void {
    if (!this.isLeftForLater(list) && this.leaders.place(list, row)) this.categories.names.mark(list, true);
  }

  /** A marked, unknown list will be rebuilt when it is published, and needs no updates until then. Any other becomes known here. */
  private isLeftForLater(list: number): boolean {
    if (this.leaders.of(list) !== undefined) return false;
    if (this.categories.names.isMarked(list)) return true;
    if (this.started) this.leaders.open(list);
    else this.know(this.categories.names.all());
    this.started = true;
    return false;
  }

  private know(lists: readonly number[]): void {
    const unknown = new Set(lists.filter((list) => this.leaders.of(list) === undefined));
    if (unknown.size === 0) return;
    const { purchases, category } = this.items.values;
    this.leaders.build(unknown, this.items.rows, (row) =>
      purchases[row]! > 0 ? [OVER_ALL, ...this.categories.namesOf(category[row]!)] : [],
    );
  }

  private beats(a: number, b: number): boolean {
    const [strengthA, strengthB] = [this.strength(a), this.strength(b)];
    return strengthA === strengthB ? this.order.isBefore(a, b) : strengthA > strengthB;
  }

  /** Orders items as N does, at any time: log2 N at time T is this less T / h. */
  private strength(row: number): number {
    const { purchases, time } = this.items.values;
    const { halfLifeMs } = this;
    return halfLifeMs === Infinity ? purchases[row]! : Math.log2(purchases[row]!) + time[row]! / halfLifeMs;
  }

  /** Items are the only key and never absent, so the item of row r has code r + 1. */
  private text(row: number): string {
    return textAt(this.items.dictionary('item'), row + 1)!;
  }
}

/** Whether a table decides it: no event has. */
const isOfTable = (name: number, time: number): boolean => name === NO_NAME || time === PAST;

function selected(rows: number, keeps: (row: number) => boolean): Uint32Array {
  const kept = new Uint32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (keeps(row)) kept[count++] = row;
  return kept.subarray(0, count);
}
