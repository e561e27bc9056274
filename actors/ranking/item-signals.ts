/**
 * ItemSignals: what the stream says of each item, by number: how much is done with it lately, what it is, and what goes with it.
 *
 *   count(i)   events of i so far                     lately(i, h)   log2 Σ 2^(t / h) over them, of the half-lives h (maths/rank/log-decay)
 *   top(h)     the first 60 items by lately(i, h)     top            the first 60 by count
 *   top(c), top(c, b)    the first 40 items of main category c, and of its brand b, by what was done within hours
 *
 * Category, brand and price are those of the item's latest event that had one. Lists are complete at any time and follow from the table; they are built
 * again after a restart, and one of them when an item leaves it.
 *
 * Bounded: of more than ITEMS_MAX items the half on which most was done within a day stays, with new numbers.
 */
import { type FrameOf, frameType, type StateOf, tables, textAt } from '../../runtime/contract/stage.js';
import { betterHalf } from '../maths/heavy-hitters.js';
import { Leaders } from '../maths/leaders.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { addEvent, NEVER } from '../maths/rank/log-decay.js';
import { NONE } from '../maths/rank/neighbour-list.js';
import type { sampledEvents } from '../model.js';
import { ItemCategories } from '../state/item-categories.js';
import { brandsIn } from '../state/item-totals.js';
import { type NameTables, NamesOfColumn, NO_NAME, type NumberedNames } from '../state/numbered-names.js';

const MINUTE_MS = 60_000;
/** The columns of `lately`, each with its half-life. */
export const HALF_LIVES_MS = {
  minutes: 10 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
  hours: 6 * 60 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
} as const;
export type HalfLife = keyof typeof HALF_LIVES_MS;
const HALF_LIVES = Object.entries(HALF_LIVES_MS) as [HalfLife, number][];

/** `price` is 0 for none. Times are epoch ms. */
const itemRows = frameType('item-signal', {
  item: 'text',
  minutes: 'f64',
  hour: 'f64',
  hours: 'f64',
  day: 'f64',
  count: 'f64',
  category: 'u32',
  categoryTime: 'f64',
  brand: 'u32',
  brandTime: 'f64',
  price: 'f64',
  firstTime: 'f64',
  lastTime: 'f64',
});

export const itemSignals = () => tables(itemRows, { key: ['item'], by: 'item' });
export type ItemSignalTables = StateOf<ReturnType<typeof itemSignals>>;

/** Some 5 kB each at most, with what goes with it: most have far less. */
export const ITEMS_MAX = 50_000;
const TOP_MAX = 60;
const GROUP_MAX = 40;
const TABLE = 0;
/** Above the numbers of brands. */
const CATEGORY_STEP = 1 << 17;

export class ItemSignals {
  private readonly categories: ItemCategories;
  private readonly brands: NumberedNames;
  private readonly tops: Record<'minutes' | 'hour' | 'count', Leaders>;
  private readonly groups = new Leaders(GROUP_MAX, (a, b) => this.beats('hours', a, b));
  private groupNumbers = new Map<number, number>();
  private readonly numbers = new Map<string, number>();
  /** By number, decoded once. */
  private texts = { items: [] as string[], categories: [] as string[], brands: [] as string[] };
  /** Events counted since the start of the process. */
  counted = 0;
  private latest = -Infinity;
  private isBuilt = false;

  constructor(
    private readonly items: ItemSignalTables,
    names: NameTables,
    private readonly itemsMax = ITEMS_MAX,
  ) {
    this.categories = new ItemCategories(names);
    this.brands = brandsIn(names);
    const top = (by: HalfLife | 'count'): Leaders => new Leaders(TOP_MAX, (a, b) => this.beats(by, a, b));
    this.tops = { minutes: top('minutes'), hour: top('hour'), count: top('count') };
  }

  /** By number. */
  get rows(): ReturnType<ItemSignalTables['table']> {
    return this.items.table(TABLE);
  }

  /** The number of a known item. */
  find(item: string): number | undefined {
    const { numbers, rows } = this;
    for (let number = numbers.size; number < rows.rows; number++) numbers.set(this.text(number), number);
    return numbers.get(item);
  }

  /** The numbers of the items that are known. */
  known(items: readonly string[]): number[] {
    return items.map((item) => this.find(item)).filter((number) => number !== undefined);
  }

  /** The first code of the table's dictionary is that of its first row. */
  text(number: number): string {
    return (this.texts.items[number] ??= textAt(this.rows.dictionary('item'), number + 1)!);
  }

  /** The main categories of an item, as numbers. */
  categoriesOf(number: number): readonly number[] {
    return this.categories.namesOf(this.rows.values.category[number]!);
  }

  categoryText(number: number): string | undefined {
    const first = this.categories.first(this.rows.values.category[number]!);
    return first === NO_NAME ? undefined : (this.texts.categories[first] ??= this.categories.text(first)!);
  }

  categoryNumber(name: string): number {
    return this.categories.names.find(name);
  }

  factsOf(number: number): { readonly brand: string | undefined; readonly price: number | undefined } {
    const { brand, price } = this.rows.values;
    const own = brand[number]!;
    return {
      brand: own === NO_NAME ? undefined : (this.texts.brands[own] ??= this.brands.text(own)!),
      price: price[number]! > 0 ? price[number] : undefined,
    };
  }

  /** Of the latest event, epoch ms; -Infinity before the first one. */
  get latestMs(): number {
    this.build();
    return this.latest;
  }

  /** Best first. */
  top(by: 'minutes' | 'hour' | 'count'): readonly number[] {
    this.build();
    return this.tops[by].of(0)!;
  }

  /** Of a main category, or of a brand in it. */
  group(category: number, brand: number = NO_NAME): readonly number[] {
    this.build();
    const group = this.groupNumbers.get(keyOf(category, brand));
    if (group === undefined) return NOTHING;
    if (this.groups.of(group) === undefined) this.buildGroups(new Set([group]));
    return this.groups.of(group)!;
  }

  /** The numbers of the items of the rows, new ones are given to new items. */
  numbersOf({ columns: { item } }: FrameOf<typeof sampledEvents>): Uint32Array {
    return this.rows.upsert({ item });
  }

  /** What counts the events of a frame, by row, one after the other. */
  counterOf(frame: FrameOf<typeof sampledEvents>, numbers: Uint32Array): (row: number) => void {
    this.build();
    const { time, price, brand } = frame.columns;
    const categories = new NamesOfColumn(this.categories, mainCategoryColumn(frame.columns.category));
    const brands = new NamesOfColumn(this.brands, brand);
    return (row) => {
      const number = numbers[row]!;
      const { values } = this.rows;
      const at = time[row]!;
      const [count, was, wasBrand] = [values.count[number]!, values.category[number]!, values.brand[number]!];
      values.category[number] = categories.latest(row, was, values.categoryTime, number, at);
      values.brand[number] = brands.latest(row, wasBrand, values.brandTime, number, at);
      if (price[row]! > 0 && at >= values.lastTime[number]!) values.price[number] = price[row]!;
      values.firstTime[number] = count === 0 ? at : Math.min(values.firstTime[number]!, at);
      values.lastTime[number] = Math.max(values.lastTime[number]!, at);
      this.latest = Math.max(this.latest, at);
      this.counted++;
      for (const [name, halfLifeMs] of HALF_LIVES) {
        values[name][number] = addEvent(count === 0 ? NEVER : values[name][number]!, at, halfLifeMs);
      }
      values.count[number] = count + 1;
      if (was !== values.category[number] || wasBrand !== values.brand[number]) this.leave(number, was, wasBrand);
      for (const top of Object.values(this.tops)) top.place(0, number);
      for (const group of this.groupsOf(number)) {
        if (this.groups.of(group) !== undefined) this.groups.place(group, number);
      }
    };
  }

  /** When there are too many items: the new numbers of all, NONE of those that are dropped. */
  dropRare(): Uint32Array | undefined {
    const { rows } = this;
    if (rows.rows <= this.itemsMax) return undefined;
    const { rows: kept } = betterHalf(rows.values.day.subarray(0, rows.rows));
    const numbers = new Uint32Array(rows.rows).fill(NONE);
    kept.forEach((was, number) => (numbers[was] = number));
    const frame = rows.frame(kept);
    this.items.drop(TABLE);
    this.rows.put(frame);
    this.numbers.clear();
    this.texts.items = [];
    this.groupNumbers = new Map();
    this.isBuilt = false;
    return numbers;
  }

  private build(): void {
    if (this.isBuilt) return;
    this.isBuilt = true;
    const { rows } = this.rows;
    for (const top of Object.values(this.tops))
      top.build(OVER_ALL, rows, (number) => (this.isCounted(number) ? ONE_LIST : NOTHING));
    for (let number = 0; number < rows; number++) {
      this.groupsOf(number);
      if (this.isCounted(number)) this.latest = Math.max(this.latest, this.rows.values.lastTime[number]!);
    }
    this.buildGroups(new Set(this.groupNumbers.values()));
  }

  private buildGroups(groups: ReadonlySet<number>): void {
    this.groups.build(groups, this.rows.rows, (number) => (this.isCounted(number) ? this.groupsOf(number) : NOTHING));
  }

  /** Numbers are given to items before they are counted. */
  private isCounted(number: number): boolean {
    return this.rows.values.count[number]! > 0;
  }

  private groupsOf(number: number): number[] {
    const brand = this.rows.values.brand[number]!;
    return this.categoriesOf(number).flatMap((category) =>
      (brand === NO_NAME ? [NO_NAME] : [NO_NAME, brand]).map((one) => this.groupNumber(category, one)),
    );
  }

  private groupNumber(category: number, brand: number): number {
    const key = keyOf(category, brand);
    const known = this.groupNumbers.get(key);
    if (known !== undefined) return known;
    const number = this.groupNumbers.size;
    this.groupNumbers.set(key, number);
    this.groups.open(number);
    return number;
  }

  /** Lists that the item was in are built again when they are next read. */
  private leave(number: number, category: number, brand: number): void {
    for (const name of this.categories.namesOf(category)) {
      for (const one of [NO_NAME, brand]) {
        const group = this.groupNumbers.get(keyOf(name, one));
        if (group !== undefined && this.groups.of(group)?.includes(number) === true) this.groups.forget(group);
      }
    }
  }

  private beats(by: HalfLife | 'count', a: number, b: number): boolean {
    const column = this.rows.values[by];
    return column[a]! > column[b]! || (column[a] === column[b] && a < b);
  }
}

const NOTHING: readonly number[] = [];
const ONE_LIST: readonly number[] = [0];
const OVER_ALL: ReadonlySet<number> = new Set(ONE_LIST);

const keyOf = (category: number, brand: number): number => category * CATEGORY_STEP + brand;

const signals = new WeakMap<ItemSignalTables, ItemSignals>();

/** One for a state: who writes it and who reads it have the same lists. */
export function signalsOf({
  items,
  names,
}: {
  readonly items: ItemSignalTables;
  readonly names: NameTables;
}): ItemSignals {
  let known = signals.get(items);
  if (known === undefined) signals.set(items, (known = new ItemSignals(items, names)));
  return known;
}
