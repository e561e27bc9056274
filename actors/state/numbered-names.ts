/**
 * numbered-names: texts as small integers, for tables that store a text as a value.
 *
 *   number(text) = the number of texts seen before it + 1; 0 for absent, and for texts beyond the bound
 *
 * The numbers are those of a table's rows, in order of first appearance, until `keepOnly` drops names; row 0 is the absent name. Everything else follows
 * from the table.
 */
import {
  ABSENT,
  frameOf,
  frameType,
  type StateOf,
  tables,
  textAt,
  type TextColumn,
} from '../../runtime/contract/stage.js';
import { compareText } from '../maths/item-order.js';

/** A name, and a mark for use by its owner. */
export const names = frameType('name', { name: 'text', marked: 'u8' });

export const nameTables = () => tables(names, { key: ['name'] });
export type NameTables = StateOf<ReturnType<typeof nameTables>>;

export const NO_NAME = 0;

export class NumberedNames {
  private readonly numbers = new Map<string, number>();

  /** At most `max` names, in table `table` of the state, whose key is the name. */
  constructor(
    private readonly tables: NameTables,
    private readonly table: number,
    private readonly max: number,
  ) {}

  /** Its rows are the names by number, always with row 0. */
  get rows(): ReturnType<NameTables['table']> {
    const table = this.tables.table(this.table);
    if (table.rows === 0) table.upsert(frameOf(names, [{}]).columns);
    return table;
  }

  number(text: string | undefined): number {
    if (text === undefined) return NO_NAME;
    const known = this.known().get(text);
    if (known !== undefined) return known;
    if (this.rows.rows > this.max) return NO_NAME;
    const [number] = this.rows.upsert(frameOf(names, [{ name: text }]).columns);
    this.numbers.set(text, number!);
    return number!;
  }

  /** The number of a known name, else 0. */
  find(text: string): number {
    return this.known().get(text) ?? NO_NAME;
  }

  /** The number of names. */
  get count(): number {
    return this.tables.has(this.table) ? this.rows.rows - 1 : 0;
  }

  text(number: number): string | undefined {
    return textAt(this.rows.dictionary('name'), number);
  }

  /** All numbers, that of the absent name too. */
  all(): number[] {
    return Array.from({ length: this.rows.rows }, (_, number) => number);
  }

  /** Drops all other names. Returns the new numbers by the old ones, 0 for dropped names. */
  keepOnly(isKept: (number: number) => boolean): Uint32Array {
    const { rows } = this;
    const kept = Uint32Array.from(this.all().filter((number) => number === NO_NAME || isKept(number)));
    const names = rows.frame(kept);
    const numbers = new Uint32Array(rows.rows);
    kept.forEach((was, number) => (numbers[was] = number));
    this.tables.drop(this.table);
    this.tables.table(this.table).put(names);
    this.numbers.clear();
    return numbers;
  }

  isMarked(number: number): boolean {
    return this.rows.values.marked[number] === 1;
  }

  mark(number: number, marked: boolean): void {
    this.rows.touch(number);
    this.rows.values.marked[number] = marked ? 1 : 0;
  }

  markAll(): void {
    for (const number of this.all()) this.mark(number, true);
  }

  marked(): number[] {
    const { rows, values } = this.rows;
    return Array.from(values.marked.subarray(0, rows).keys()).filter((number) => values.marked[number] === 1);
  }

  /** Texts to numbers; rebuilt from the table after a restart. */
  private known(): Map<string, number> {
    const { rows } = this.rows;
    for (let number = this.numbers.size + 1; number < rows; number++) this.numbers.set(this.text(number)!, number);
    return this.numbers;
  }
}

/** The names in a column; each distinct text is looked up once. */
export class NamesOfColumn {
  private readonly numbers: Int32Array;

  constructor(
    private readonly known: Pick<NumberedNames, 'number' | 'text'>,
    private readonly column: TextColumn,
  ) {
    this.numbers = new Int32Array(column.dictionary.size).fill(-1);
  }

  /**
   * The name to store for thing `row`: the one at `at`, unless a later event (or, at the same time, a later text) has set another. Records its time in
   * `times`.
   */
  latest(at: number, was: number, times: Float64Array, row: number, time: number): number {
    const code = this.column.codes[at]!;
    if (code === ABSENT) return was;
    if (was !== NO_NAME && (time < times[row]! || (time === times[row]! && this.isNotAfter(code, was)))) return was;
    times[row] = time;
    const number = this.numbers[code]!;
    return number >= 0 ? number : (this.numbers[code] = this.known.number(textAt(this.column.dictionary, code)));
  }

  private isNotAfter(code: number, was: number): boolean {
    return compareText(textAt(this.column.dictionary, code)!, this.known.text(was)!) <= 0;
  }
}
