/**
 * item-categories: the main categories of an item as one number, for tables that store them as a value.
 *
 *   number('c')   = the number of the name c                       0 for none
 *   number('c|d') = SETS_FROM + the number of the set 'c|d'
 *
 * Bounded: NAMES_MAX names and SETS_MAX sets. A name beyond the bound is none; an item whose set is beyond it has the first category of the set only.
 * The names of a set follow from the tables alone: which of them are known may change with what is released.
 */
import { BETWEEN_CATEGORIES } from '../maths/main-category.js';
import { type NameTables, NO_NAME, NumberedNames } from './numbered-names.js';

/** Main categories that have a list. */
export const CATEGORIES_MAX = 4_096;
/** Distinct combinations of several; the films of MovieLens have some 1,700. */
export const SETS_MAX = 16_384;
/** Above the numbers of names. */
const SETS_FROM = 65_536;

/** The tables in the state of names. */
const NAMES = 0;
const SETS = 2;

const NONE: readonly number[] = [];

export class ItemCategories {
  readonly names: NumberedNames;
  private readonly sets: NumberedNames;
  /** By number: its names, all of which are known. */
  private readonly members = new Map<number, readonly number[]>();

  constructor(tables: NameTables) {
    this.names = new NumberedNames(tables, NAMES, CATEGORIES_MAX);
    this.sets = new NumberedNames(tables, SETS, SETS_MAX);
  }

  /** Of main categories, joined: their number, given to them when they are new. */
  number(mains: string | undefined): number {
    if (mains === undefined || !mains.includes(BETWEEN_CATEGORIES)) return this.names.number(mains);
    const parts = mains.split(BETWEEN_CATEGORIES);
    const set = this.sets.number(mains);
    if (set === NO_NAME) return this.names.number(parts[0]);
    for (const part of parts) this.names.number(part);
    return SETS_FROM + set;
  }

  text(number: number): string | undefined {
    return number < SETS_FROM ? this.names.text(number) : this.sets.text(number - SETS_FROM);
  }

  /** The numbers of the names, in their order: of the lists that an item is in. */
  namesOf(number: number): readonly number[] {
    if (number === NO_NAME) return NONE;
    const known = this.members.get(number);
    if (known !== undefined) return known;
    if (number < SETS_FROM) return this.remember(number, [number]);
    const parts = this.sets.text(number - SETS_FROM)!.split(BETWEEN_CATEGORIES);
    const names = parts.map((part) => this.names.find(part)).filter((name) => name !== NO_NAME);
    return names.length === parts.length ? this.remember(number, names) : names;
  }

  /** The first name: the item's own main category where it can have only one. */
  first(number: number): number {
    return number < SETS_FROM ? number : (this.namesOf(number)[0] ?? NO_NAME);
  }

  /**
   * Drops the names and sets that are not in use, if they are most of at least `few`; marked names are in use. Returns the new numbers by the old ones, 0 for
   * what was dropped; `undefined`: all stay.
   */
  keepOnly(numbers: ReadonlySet<number>, few: number): ((number: number) => number) | undefined {
    const isMultiple = (number: number): boolean => number >= SETS_FROM;
    const hasSets = this.sets.count > 0;
    const total = this.names.rows.rows + (hasSets ? this.sets.count : 0);
    if (total < few) return undefined;
    const names = new Set([...this.names.marked(), ...[...numbers].flatMap((number) => this.namesOf(number))]);
    const sets = [...numbers].filter(isMultiple);
    if ((names.size + sets.length) * 2 > total) return undefined;
    const newNames = this.names.keepOnly((name) => names.has(name));
    const newSets = hasSets ? this.sets.keepOnly((set) => numbers.has(SETS_FROM + set)) : undefined;
    this.members.clear();
    return (number) => {
      if (!isMultiple(number)) return newNames[number]!;
      const set = newSets?.[number - SETS_FROM] ?? NO_NAME;
      return set === NO_NAME ? NO_NAME : SETS_FROM + set;
    };
  }

  private remember(number: number, names: readonly number[]): readonly number[] {
    this.members.set(number, names);
    return names;
  }
}

interface WithNames {
  readonly names: NameTables;
}

/**
 * For other partitions, after their items: all their lists are to be published, and those that the old ones had yet to publish. Readers may still list an item
 * under a category that it has left; its new partition may have no item of that category, and has to publish that its list is empty.
 */
export function markMoved(from: readonly WithNames[], to: readonly WithNames[]): void {
  const due = from.flatMap((old) => {
    const { names } = new ItemCategories(old.names);
    return names.marked().map((number) => names.text(number));
  });
  for (const target of to) {
    const { names } = new ItemCategories(target.names);
    for (const name of due) names.number(name);
    names.markAll();
  }
}
