/**
 * frame-chunks: a long output as frames of bounded size, split between groups.
 *
 * Rows that belong together (a user's list, a category's top list) form a group, and a group is never split: the runtime splits a frame that is too large
 * for a message at any row, so these frames stay well below that size, whatever the length of the ids.
 */
import {
  type Columns,
  type Dictionary,
  type Frame,
  FrameBuilder,
  type FrameType,
} from '../../runtime/contract/stage.js';

/** Half of the runtime's limit for a message, so that one more group always fits. */
const FRAME_BYTES = 256 * 1024;
const BYTES = { f64: 8, u32: 4, u8: 1, text: 4 } as const;
const ROWS_INITIAL_MAX = 16_384;

export class FrameChunks<C extends Columns> {
  /** The current frame: `reserve` before writing to its columns. */
  frame: FrameBuilder<C>;
  private readonly done: Frame<C>[] = [];
  private readonly rowBytes: number;
  private readonly rowsInitial: number;
  /** Of the current frame. */
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

  /** Starts a group of rows. True when it starts in a new frame, whose dictionaries are empty again. */
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
