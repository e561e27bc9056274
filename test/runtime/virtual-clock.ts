/** Time in hand: it moves when the test says so, to the next sleeper or by any amount. */
import type { Clock } from '../../runtime/contract/ports.js';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

export class VirtualClock implements Clock {
  private sleepers: Sleeper[] = [];
  private wallMs = 0;

  constructor(private timeMs = 1_700_000_000_000) {}

  nowMs(): number {
    return this.timeMs + this.wallMs;
  }

  /** Sets the wall clock, by so much from where it began. */
  setWall(byMs: number): void {
    this.wallMs = byMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        dueMs: this.timeMs + ms,
        wake: () => {
          this.sleepers = this.sleepers.filter((other) => other !== sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.sleepers.push(sleeper);
      signal?.addEventListener('abort', sleeper.wake);
    });
  }

  get sleeping(): number {
    return this.sleepers.length;
  }

  advance(ms: number): void {
    this.timeMs += ms;
    for (const { dueMs, wake } of [...this.sleepers]) if (dueMs <= this.timeMs) wake();
  }

  /** Moves to the next sleeper and wakes it; false when nobody sleeps. */
  wakeNext(): boolean {
    if (this.sleepers.length === 0) return false;
    this.advance(Math.max(0, Math.min(...this.sleepers.map(({ dueMs }) => dueMs)) - this.timeMs));
    return true;
  }
}

/** All that can happen without time or a turn has happened. */
export const settled = (): Promise<void> => new Promise(setImmediate);

/** Lets time pass until the condition holds. */
export async function until(clock: VirtualClock, condition: () => boolean, stepsMax = 10_000): Promise<void> {
  for (let step = 0; step < stepsMax; step++) {
    await settled();
    if (condition()) return;
    clock.wakeNext();
  }
  throw new Error(`not within ${stepsMax} steps: ${condition.toString()}`);
}
