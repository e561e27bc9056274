/** Output rows of windows. Texts are not decoded: codes are gathered, dictionaries passed on. */
import type { FrameOf, TextColumn } from '../../runtime/contract/stage.js';
import { windowRows } from '../model.js';

export type WindowRows = FrameOf<typeof windowRows>;

/** Any frame with the columns of a window row's key. */
export interface KeyedRows {
  readonly rows: number;
  readonly columns: Pick<WindowRows['columns'], 'user' | 'item' | 'type' | 'category' | 'brand' | 'price'>;
}

/** Collects window rows whose keys are rows of one frame. */
export class WindowOutput {
  rows = 0;
  private capacity: number;
  private from: Uint32Array;
  private windowStart: Float64Array;
  private windowEnd: Float64Array;
  private count: Uint32Array;
  private added: Uint32Array;
  private time: Float64Array;

  constructor(private readonly keys: KeyedRows) {
    this.capacity = keys.rows;
    this.from = new Uint32Array(keys.rows);
    this.windowStart = new Float64Array(keys.rows);
    this.windowEnd = new Float64Array(keys.rows);
    this.count = new Uint32Array(keys.rows);
    this.added = new Uint32Array(keys.rows);
    this.time = new Float64Array(keys.rows);
  }

  /** A row of window [start, end) with the key of row `from`. */
  add(from: number, start: number, end: number, count: number, added: number, time: number): void {
    if (this.rows === this.capacity) this.grow();
    const row = this.rows++;
    this.from[row] = from;
    this.windowStart[row] = start;
    this.windowEnd[row] = end;
    this.count[row] = count;
    this.added[row] = added;
    this.time[row] = time;
  }

  /** More events of a row that was added before. */
  addTo(row: number, added: number, time: number): void {
    this.count[row]! += added;
    this.added[row]! += added;
    if (time > this.time[row]!) this.time[row] = time;
  }

  frame(): WindowRows {
    const { rows } = this;
    const { user, item, type, category, brand, price } = this.keys.columns;
    const from = this.from.subarray(0, rows);
    return {
      type: windowRows,
      rows,
      columns: {
        windowStart: this.windowStart.subarray(0, rows),
        windowEnd: this.windowEnd.subarray(0, rows),
        user: gatheredText(user, from),
        item: gatheredText(item, from),
        type: gathered(type, from, new Uint8Array(rows)),
        category: gatheredText(category, from),
        brand: gatheredText(brand, from),
        price: gathered(price, from, new Float64Array(rows)),
        count: this.count.subarray(0, rows),
        added: this.added.subarray(0, rows),
        time: this.time.subarray(0, rows),
      },
    };
  }

  private grow(): void {
    this.capacity = Math.max(64, this.capacity * 2);
    this.from = copied(this.from, new Uint32Array(this.capacity));
    this.windowStart = copied(this.windowStart, new Float64Array(this.capacity));
    this.windowEnd = copied(this.windowEnd, new Float64Array(this.capacity));
    this.count = copied(this.count, new Uint32Array(this.capacity));
    this.added = copied(this.added, new Uint32Array(this.capacity));
    this.time = copied(this.time, new Float64Array(this.capacity));
  }
}

function copied<A extends Uint32Array | Float64Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

function gathered<A extends Uint8Array | Uint32Array | Float64Array>(column: A, from: Uint32Array, out: A): A {
  for (let row = 0; row < from.length; row++) out[row] = column[from[row]!]!;
  return out;
}

const gatheredText = ({ codes, dictionary }: TextColumn, from: Uint32Array): TextColumn => ({
  codes: gathered(codes, from, new Uint32Array(from.length)),
  dictionary,
});
