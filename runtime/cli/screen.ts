/** A page that is drawn again and again: on the terminal's other screen, so that what was there before is there again afterwards. */
import { shortened } from './terminal.js';

export interface PageLine {
  readonly text: string;
  /** Runs on over the next rows when it is too long, as one line that can be copied; else it is cut. */
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

  /** What one row less than the terminal has can show. */
  get size(): PageSize {
    const { columns = 80, rows = 24 } = this.out;
    return { columns: columns - 1, rows: rows - 1 };
  }

  /** What is too much for the terminal is left out, from below. */
  draw(lines: readonly PageLine[]): void {
    if (!this.open) {
      this.open = true;
      this.out.write(ENTER);
      // Whatever ends the process: the terminal must be as it was.
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

/** The terminal breaks lines one column later than we cut them: never less than it takes. */
export const rowsOf = (text: string, columns: number): number => Math.max(1, Math.ceil(text.length / columns));
