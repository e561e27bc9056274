/**
 * Of the rows with one id, the first passes and the others do not; rows without an id all pass.
 *
 *   ids    a b a - b c -        (idsMax large)
 *   pass   a b . - . c -
 *
 * Rows of several kinds have a memory each, so that many of one kind do not make it forget the ids of another. What one of them knows is known.
 *
 * State    per kind the ids seen, in two generations of at most ⌊idsMax / 2⌋: a full one becomes the old one, and the previous old one is dropped. So at least the
 *          last ⌊idsMax / 2⌋ ids are known, and at most idsMax. Generations change at an id, not at the end of a frame: the output does not depend on
 *          how rows were framed.
 * Restart  restored with the snapshot.
 */
import { map, type OperatorFunction } from 'rxjs';
import {
  ABSENT,
  type DictionaryBuilder,
  type Frame,
  frameType,
  gather,
  type StateOf,
  tables,
} from '../../runtime/contract/stage.js';

/** Ids of rows, in a parallel frame; absent for a row without an id. */
export const rowIds = frameType('row-id', { id: 'text' });
type Ids = typeof rowIds.columns;

export const seenIds = () => tables(rowIds, { key: ['id'] });
type SeenIds = StateOf<ReturnType<typeof seenIds>>;

/** Rows, and their ids unless no row has one. */
export interface Identified<F extends Frame = Frame> {
  readonly rows: F;
  readonly ids: Frame<Ids> | undefined;
}

export interface Passed {
  /** How many rows were dropped. */
  readonly duplicates: number;
  /** The numbers of those that passed; absent for all. */
  readonly passed: Uint32Array | undefined;
}

/** Other data that comes with the rows is passed on. `kindsOf`: which of the memories is that of each row. */
export function dropDuplicates<I extends Identified>(
  memories: readonly SeenIds[],
  idsMax: number,
  kindsOf: (rows: I['rows']) => Uint8Array,
): OperatorFunction<I, Omit<I, 'ids'> & Passed> {
  const max = Math.max(1, Math.floor(idsMax / 2));
  const generations = memories.map((seen) => new Generations(seen, max));
  return map(({ ids, ...rest }) => {
    const { rows } = rest;
    const passed = ids === undefined ? undefined : firsts(ids, kindsOf(rows), generations);
    if (passed === undefined || passed.length === rows.rows) return { ...rest, duplicates: 0, passed: undefined };
    return { ...rest, rows: gather(rows, passed), duplicates: rows.rows - passed.length, passed };
  });
}

/** The rows without an id, or with a new one, which is stored. */
function firsts(ids: Frame<Ids>, kinds: Uint8Array, generations: readonly Generations[]): Uint32Array {
  const { codes, dictionary } = ids.columns.id;
  const passes = new Uint8Array(ids.rows);
  const candidates = new Uint32Array(ids.rows);
  for (let row = 0; row < ids.rows;) {
    const kind = kinds[row]!;
    const own = generations[kind]!;
    const young = own.young();
    const known = generations.flatMap((one) => (one === own ? own.old() : one.all()));
    // No more rows at a time than the young generation has room for if all of them are new.
    const room = own.max - young.rows;
    let count = 0;
    for (; row < ids.rows && count < room && kinds[row] === kind; row++) {
      const code = codes[row]!;
      if (code === ABSENT) passes[row] = 1;
      else if (!known.some((older) => older.holds(dictionary, code))) candidates[count++] = row;
    }
    let next = young.rows;
    const found = young.upsert(ids.columns, candidates.subarray(0, count));
    for (let i = 0; i < count; i++) {
      if (found[i] !== next) continue;
      passes[candidates[i]!] = 1;
      next++;
    }
  }
  return setRows(passes);
}

class Generations {
  constructor(
    private readonly seen: SeenIds,
    readonly max: number,
  ) {}

  /** The generation that new ids are added to, a new one when the last is full. */
  young(): ReturnType<SeenIds['table']> {
    const numbers = this.seen.numbers();
    const last = numbers.at(-1) ?? 0;
    const table = this.seen.table(last);
    if (table.rows < this.max) return table;
    if (numbers.length > 1) this.seen.drop(numbers[0]!);
    return this.seen.table(last + 1);
  }

  old(): DictionaryBuilder[] {
    return this.all().slice(0, -1);
  }

  all(): DictionaryBuilder[] {
    return this.seen.numbers().map((number) => this.seen.table(number).dictionary('id'));
  }
}

/** The numbers of the set rows. */
function setRows(passes: Uint8Array): Uint32Array {
  const rows = new Uint32Array(passes.length);
  let count = 0;
  for (let row = 0; row < passes.length; row++) if (passes[row] === 1) rows[count++] = row;
  return rows.subarray(0, count);
}
