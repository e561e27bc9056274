/** A page that is drawn again and again: on the terminal's other screen, so that what was there before is there again afterwards. */
import { shortened } from './terminal.js';

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

  /** Lines that are too long or too many for the terminal are cut. */
  draw(lines: readonly string[]): void {
    if (!this.open) {
      this.open = true;
      this.out.write(ENTER);
      // Whatever ends the process: the terminal must be as it was.
      process.on('exit', this.onExit);
    }
    const { columns = 80, rows = 24 } = this.out;
    const shown = lines.slice(0, rows - 1).map((line) => shortened(line, columns - 1) + CLEAR_LINE);
    this.out.write(`${HOME}${shown.join('\n')}\n${CLEAR_BELOW}`);
  }

  /** Idempotent. */
  leave(): void {
    if (!this.open) return;
    this.open = false;
    process.off('exit', this.onExit);
    this.out.write(LEAVE);
  }
}
