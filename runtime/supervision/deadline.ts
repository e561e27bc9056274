/** One deadline over the steps of a stop: each step gets the remaining time, and unfinished steps are recorded by name. */
import { explain } from '../contract/errors.js';
import type { Clock } from '../contract/ports.js';

export class Deadline {
  /** Steps that failed or did not end, as text: `the last snapshot of window.2`. */
  readonly unfinished: string[] = [];
  private readonly endMs: number;

  constructor(
    ms: number,
    private readonly clock: Clock,
  ) {
    this.endMs = clock.monotonicMs() + ms;
  }

  get leftMs(): number {
    return Math.max(0, this.endMs - this.clock.monotonicMs());
  }

  /** Resolves when the work has ended, or the time is up; work does not begin after that. Never rejects. */
  async step(name: string, work: () => Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const { leftMs } = this;
    let end = name;
    if (leftMs > 0) {
      const working = work().then(
        () => '',
        (error: unknown) => `${name} (${explain(error)})`,
      );
      const late = leftMs === Infinity ? [] : [this.clock.sleep(leftMs, over.signal).then(() => name)];
      end = await Promise.race([working, ...late]);
      over.abort();
    }
    if (end !== '') this.unfinished.push(end);
  }
}
