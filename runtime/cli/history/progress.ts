/** The progress of a command that reads the history through, and its interruption by Ctrl-C. */
import { SingleBar } from 'cli-progress';
import { Interrupted } from '../exit.js';

export class HistoryProgress {
  private readonly abort = new AbortController();
  private readonly bar: SingleBar | undefined;
  private readonly onSignal = (): void => this.abort.abort(new Interrupted('interrupted'));

  constructor(called: string) {
    process.once('SIGINT', this.onSignal);
    if (!process.stderr.isTTY) return;
    const format = `{bar} {percentage}% of the history  {found} ${called}  {duration_formatted}`;
    this.bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
    this.bar.start(100, 0, { found: 0 });
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  update(share: number, found: number): void {
    this.bar?.update(Math.floor(share * 100), { found });
  }

  end(): void {
    this.bar?.stop();
    process.off('SIGINT', this.onSignal);
  }
}
