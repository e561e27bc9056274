/**
 * When the next batch of publishers' messages begins. A frame costs all stages behind it about the same whether it has one event or fifty, so frames are made
 * as often as the machine affords: at once while the process takes less than BUSY of it, and less than BUSY_CORES_MAX, less often the more it takes, at most
 * `everyMsMax` apart.
 * A batch after a pause never waits. Boundaries of frames are facts in the log, so this changes no result.
 */
import type { Clock } from '../contract/ports.js';

/** Of all cores. */
const BUSY = 0.2;
/** A container may have fewer cores than it sees. */
const BUSY_CORES_MAX = 1;
/** Below this share of that the pause shrinks: between the two it stays. */
const FREE = 0.85;
const LOOK_EVERY_MS = 250;
const GROW = 1.3;
const SHRINK = 0.85;
/** The first pause, and the last one before there is none. */
const PAUSE_MS_MIN = 1;

export class Pace {
  private everyMs: number;
  private begunAtMs = -Infinity;
  private lookedAtMs: number;
  private cpuMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly everyMsMax: number,
  ) {
    // Without a measure of CPU time: as if always busy.
    this.everyMs = clock.cpuMs === undefined ? everyMsMax : 0;
    this.lookedAtMs = clock.monotonicMs();
    this.cpuMs = clock.cpuMs?.() ?? 0;
  }

  /** How long the next batch must wait. */
  get waitMs(): number {
    return this.begunAtMs + this.everyMs - this.clock.monotonicMs();
  }

  /** A batch has begun. */
  began(): void {
    this.begunAtMs = this.clock.monotonicMs();
    if (this.clock.cpuMs === undefined || this.begunAtMs - this.lookedAtMs < LOOK_EVERY_MS) return;
    const cpuMs = this.clock.cpuMs();
    const busy = Math.min(BUSY * this.clock.cores!, BUSY_CORES_MAX);
    const cores = (cpuMs - this.cpuMs) / (this.begunAtMs - this.lookedAtMs);
    [this.lookedAtMs, this.cpuMs] = [this.begunAtMs, cpuMs];
    if (cores > busy) this.everyMs = Math.min(this.everyMsMax, Math.max(PAUSE_MS_MIN, this.everyMs * GROW));
    else if (cores < busy * FREE) this.everyMs = this.everyMs * SHRINK < PAUSE_MS_MIN ? 0 : this.everyMs * SHRINK;
  }
}
