/** Window rows on their way out. Texts are never looked at again: codes are gathered, dictionaries go along. */
import type { FrameOf, TextColumn } from '../../runtime/stage.js';
import { windowRows } from '../model.js';

export type WindowRows = FrameOf<typeof windowRows>;

/** Any frame with the columns that tell rows of one window apart. */
export interface KeyedRows {
  readonly columns: Pick<WindowRows['columns'], 'user' | 'item' | 'type' | 'category' | 'brand' | 'price'>;
}

/** Collects window rows whose keys are rows of one frame. */
export class WindowOutput {
  private rows = 0;
  private readonly from: Uint32Array;
  private readonly windowStart: Float64Array;
  private readonly windowEnd: Float64Array;
  private readonly count: Uint32Array;
  private readonly added: Uint32Array;
  private readonly time: Float64Array;

  constructor(
    private readonly keys: KeyedRows,
    rowsMax: number,
  ) {
    this.from = new Uint32Array(rowsMax);
    this.windowStart = new Float64Array(rowsMax);
    this.windowEnd = new Float64Array(rowsMax);
    this.count = new Uint32Array(rowsMax);
    this.added = new Uint32Array(rowsMax);
    this.time = new Float64Array(rowsMax);
  }

  /** A row of window [start, end) with the key of row `from`. */
  add(from: number, start: number, end: number, count: number, added: number, time: number): void {
    const row = this.rows++;
    this.from[row] = from;
    this.windowStart[row] = start;
    this.windowEnd[row] = end;
    this.count[row] = count;
    this.added[row] = added;
    this.time[row] = time;
  }

  frame(): WindowRows {
    const { rows } = this;
    const { user, item, type, category, brand, price } = this.keys.columns;
    const from = this.from.subarray(0, rows);
    const types = new Uint8Array(rows);
    const prices = new Float64Array(rows);
    for (let row = 0; row < rows; row++) types[row] = type[from[row]!]!;
    for (let row = 0; row < rows; row++) prices[row] = price[from[row]!]!;
    return {
      type: windowRows,
      rows,
      columns: {
        windowStart: this.windowStart.subarray(0, rows),
        windowEnd: this.windowEnd.subarray(0, rows),
        user: gathered(user, from),
        item: gathered(item, from),
        type: types,
        category: gathered(category, from),
        brand: gathered(brand, from),
        price: prices,
        count: this.count.subarray(0, rows),
        added: this.added.subarray(0, rows),
        time: this.time.subarray(0, rows),
      },
    };
  }
}

function gathered({ codes, dictionary }: TextColumn, from: Uint32Array): TextColumn {
  const out = new Uint32Array(from.length);
  for (let row = 0; row < from.length; row++) out[row] = codes[from[row]!]!;
  return { codes: out, dictionary };
}
