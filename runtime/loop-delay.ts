/** How long the event loop of this thread was held up. Telemetry only. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 5;

export class LoopDelay {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.histogram.enable();
  }

  /** The longest since the last call, ms. */
  takeMaxMs(): number {
    const { count, max } = this.histogram;
    this.histogram.reset();
    // What is measured is the distance of two looks.
    return count === 0 ? 0 : Math.max(0, max / 1e6 - RESOLUTION_MS);
  }
}
