/**
 * frame-chunks: a long answer as frames of bounded size, cut where it does no harm.
 *
 * Rows that belong together (a user's list, a category's top list) are one group, and a group is never cut: the runtime cuts what is too
 * large for a message by rows alone, so frames stay well below that size, whatever the length of the ids.
 */
import {
  type Columns,
  type Dictionary,
  type Frame,
  FrameBuilder,
  type FrameType,
} from '../../runtime/contract/stage.js';

/** Half of what the runtime puts into one message, so that one more group always fits. */
const FRAME_BYTES = 256 * 1024;
const BYTES = { f64: 8, u32: 4, u8: 1, text: 4 } as const;
const ROWS_INITIAL_MAX = 16_384;

export class FrameChunks<C extends Columns> {
  /** The frame that grows now: `reserve` before writing to its columns. */
  frame: FrameBuilder<C>;
  private readonly done: Frame<C>[] = [];
  private readonly rowBytes: number;
  private readonly rowsInitial: number;
  /** Of the growing frame. */
  private dictionaries: readonly Dictionary[];

  constructor(
    private readonly type: FrameType<C>,
    rowsExpected: number,
  ) {
    this.rowBytes = Object.values(type.columns).reduce((sum, kind) => sum + BYTES[kind], 0);
    this.rowsInitial = Math.max(1, Math.min(rowsExpected, ROWS_INITIAL_MAX));
    this.frame = new FrameBuilder(type, this.rowsInitial);
    this.dictionaries = dictionariesOf(this.frame);
  }

  /** Begins a group of rows. True when it begins in a new frame, whose dictionaries are empty again. */
  group(): boolean {
    if (this.bytes() < FRAME_BYTES) return false;
    this.done.push(this.frame.finish());
    this.frame = new FrameBuilder(this.type, this.rowsInitial);
    this.dictionaries = dictionariesOf(this.frame);
    return true;
  }

  /** All frames with rows, in order. */
  finish(): Frame<C>[] {
    return this.frame.rows === 0 ? this.done : [...this.done, this.frame.finish()];
  }

  private bytes(): number {
    let bytes = this.frame.rows * this.rowBytes;
    for (const { size, ends } of this.dictionaries) bytes += size * 4 + ends[size - 1]!;
    return bytes;
  }
}

const dictionariesOf = <C extends Columns>({ columns }: FrameBuilder<C>): Dictionary[] =>
  Object.values(columns as Readonly<Record<string, object>>).flatMap((column) =>
    'dictionary' in column ? [column.dictionary as Dictionary] : [],
  );
