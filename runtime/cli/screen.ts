/** A page that is redrawn: on the terminal's alternate screen, so that the previous content returns afterwards. */
import { shortened } from './terminal.js';

export interface PageLine {
  readonly text: string;
  /** Continues on the next rows if too long, as one line that can be copied; else it is cut. */
  readonly whole?: true;
}

export interface PageSize {
  readonly columns: number;
  readonly rows: number;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

export const hasScreen = (out: NodeJS.WriteStream): boolean => out.isTTY && process.env.TERM !== 'dumb';

export class Screen {
  private open = false;
  private readonly onExit = (): void => this.leave();

  constructor(private readonly out: NodeJS.WriteStream) {}

  get isOpen(): boolean {
    return this.open;
  }

  /** The room for content, one row less than the terminal has. */
  get size(): PageSize {
    const { columns = 80, rows = 24 } = this.out;
    return { columns: columns - 1, rows: rows - 1 };
  }

  /** Content that does not fit is cut at the bottom. */
  draw(lines: readonly PageLine[]): void {
    if (!this.open) {
      this.open = true;
      this.out.write(ENTER);
      // The terminal must be restored, however the process ends.
      process.on('exit', this.onExit);
    }
    const { columns, rows } = this.size;
    let left = rows;
    const shown: string[] = [];
    for (const { text, whole } of lines) {
      left -= whole === true ? rowsOf(text, columns) : 1;
      if (left < 0) break;
      shown.push((whole === true ? text : shortened(text, columns)) + CLEAR_LINE);
    }
    this.out.write(`${HOME}${shown.join('\r\n')}\r\n${CLEAR_BELOW}`);
  }

  /** Idempotent. */
  leave(): void {
    if (!this.open) return;
    this.open = false;
    process.off('exit', this.onExit);
    this.out.write(LEAVE);
  }
}

/** The terminal breaks lines one column later than this cuts them: never fewer rows than it uses. */
export const rowsOf = (text: string, columns: number): number => Math.max(1, Math.ceil(text.length / columns));
