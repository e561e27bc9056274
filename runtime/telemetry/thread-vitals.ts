/** How a thread is: hold-ups of its event loop, its work, its memory. Telemetry only. */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { LoopDelay } from '../loop-delay.js';

/** May be posted between threads. */
export interface ThreadVitals {
  /** The longest that the event loop was held up since the last time it was asked. */
  readonly loopDelayMs: number;
  /** Time since its start in which the event loop was not idle. */
  readonly busyMs: number;
  readonly heapBytes: number;
}

export interface NamedVitals extends ThreadVitals {
  readonly thread: string;
  /** The longest hold-up in the last PEAK_MS to twice that. */
  readonly loopDelayPeakMs: number;
}

const PEAK_MS = 15_000;

/** Of the thread that makes it. */
export class OwnVitals {
  private readonly loopDelay = new LoopDelay();

  take(): ThreadVitals {
    return {
      loopDelayMs: this.loopDelay.takeMaxMs(),
      busyMs: performance.eventLoopUtilization().active,
      heapBytes: getHeapStatistics().used_heap_size,
    };
  }
}

/** The highest of late. Whoever asks takes nothing away from others who ask. */
export class Peak {
  private sinceMs = -Infinity;
  private before = 0;
  private now = 0;

  note(value: number, nowMs: number): void {
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
