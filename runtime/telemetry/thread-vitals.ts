/** Vitals of a thread: event loop delays, work, memory. Telemetry only. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../contract/ports.js';

/** Can be posted between threads. */
export interface ThreadVitals {
  /** The longest event loop delay since the last report. */
  readonly loopDelayMs: number;
  /** Time since its start in which the event loop was not idle. */
  readonly busyMs: number;
  readonly heapBytes: number;
}

export interface NamedVitals extends ThreadVitals {
  readonly thread: string;
  /** The longest delay within a window of PEAK_MS to twice that. */
  readonly loopDelayPeakMs: number;
}

const PEAK_MS = 15_000;
/** Each sample wakes the thread: at 5 ms they were a quarter of what an idle node took. A delay is reported up to this much too short. */
const RESOLUTION_MS = 100;

/** Vitals of the current thread. */
export class OwnVitals {
  private readonly loopDelays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.loopDelays.enable();
  }

  take(): ThreadVitals {
    return {
      loopDelayMs: this.takeLoopDelayMs(),
      busyMs: performance.eventLoopUtilization().active,
      heapBytes: getHeapStatistics().used_heap_size,
    };
  }

  private takeLoopDelayMs(): number {
    const { count, max } = this.loopDelays;
    this.loopDelays.reset();
    // The histogram measures the time between two samples.
    return count === 0 ? 0 : Math.max(0, max / 1e6 - RESOLUTION_MS);
  }
}

/** The recent maximum. Reading does not reset it for other readers. */
export class Peak {
  private sinceMs = -Infinity;
  private before = 0;
  private now = 0;

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  record(value: number): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.sinceMs > PEAK_MS) {
      this.before = this.now;
      this.now = 0;
      this.sinceMs = nowMs;
    }
    this.now = Math.max(this.now, value);
  }

  get value(): number {
    return Math.max(this.before, this.now);
  }
}
