/** Feeds a world: once, and again from the start whenever the log has lost something, as a careful publisher would. */
import type { FailingLog } from '../support/failing-log.js';
import type { Feed, SimulatedRun } from './job.js';

interface FedWorld extends SimulatedRun {
  readonly job: SimulatedRun['job'] & { readonly feed: (feed: Feed) => Promise<void> };
  readonly isOpen: boolean;
  connection(name: string): FailingLog;
}

export class Feeding {
  done = false;
  failure: Error | undefined;
  private abort = new AbortController();
  private round = 0;

  constructor(private readonly world: FedWorld) {}

  begin(): void {
    this.abort.abort(new Error('broken off'));
    this.abort = new AbortController();
    this.done = false;
    const round = ++this.round;
    this.feed(this.abort.signal).then(
      () => {
        if (round === this.round) this.done = true;
      },
      (error: unknown) => {
        if (round === this.round) this.failure = error as Error;
      },
    );
  }

  private async feed(signal: AbortSignal): Promise<void> {
    const { world } = this;
    const { schedule } = world;
    // Publishers that refill a stream before its readers have looked at it would hide that it was cut back.
    while (!world.isOpen && !signal.aborted && this.round > 1) await schedule.turn('publishers wait');
    signal.throwIfAborted();
    await world.job.feed({ world, log: world.connection('feed'), clock: schedule.clock, signal });
  }
}
