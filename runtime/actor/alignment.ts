/**
 * Epochs and watermarks of one instance, as a fold of what its upstreams say.
 *
 * Invariants
 *   A1  W moves only at the end of an epoch; it never moves back. It is the minimum over the upstreams heard from that are not idle,
 *       the maximum when all are.
 *   A2  Aligned: an epoch ends when every upstream has ended it (or has ended its input). What an upstream sends of the next epoch before
 *       that is held, in order, in the state.
 *   A3  Aligned: a side input of an epoch is wholly taken in before any other input of that epoch.
 */
import type { Topology } from '../contract/graph.js';
import type { EpochEnd } from '../contract/stage.js';

export interface UpstreamProgress {
  ended: number;
  finished: boolean;
  watermarkMs: number | null;
  idle: boolean;
}

export interface AlignmentState {
  epoch: number;
  /** null before any: JSON has no -Infinity. */
  watermarkMs: number | null;
  asOfMs: number | null;
  finished: boolean;
  upstreams: Record<string, UpstreamProgress>;
}

export const initialAlignment = (): AlignmentState => ({
  epoch: 0,
  watermarkMs: null,
  asOfMs: null,
  finished: false,
  upstreams: {},
});

/** What of a message matters here. */
export interface Said {
  readonly endsEpoch: boolean;
  /** How many end, when more than one. */
  readonly epochs: number;
  readonly endsInput: boolean;
  readonly watermarkMs?: number | undefined;
  readonly idle: boolean;
  readonly asOfMs?: number | undefined;
}

export class Alignment {
  readonly aligned: boolean;
  private readonly sides = new Map<string, boolean>();

  constructor(
    topology: Topology,
    stageId: string,
    partition: number,
    readonly state: AlignmentState,
  ) {
    this.aligned = topology.aligned.has(stageId);
    for (const { id, side, instances } of topology.upstreams(stageId)) {
      for (const p of instances(partition)) {
        const key = writerKey(id, p);
        this.sides.set(key, side && (this.sides.get(key) ?? true));
      }
    }
    if (!this.aligned) return;
    for (const key of this.sides.keys()) this.progressOf(key);
  }

  get watermarkMs(): number {
    return this.state.watermarkMs ?? -Infinity;
  }

  knows(writer: string): boolean {
    return this.sides.has(writer);
  }

  /** Must this writer's next message wait? (A2, A3) */
  mustHold(writer: string): boolean {
    if (!this.aligned) return false;
    const { epoch } = this.state;
    if (this.progressOf(writer).ended > epoch) return true;
    if (this.sides.get(writer) !== false) return false;
    for (const [key, side] of this.sides) if (side && !this.isThrough(key)) return true;
    return false;
  }

  /** Takes note of what a message says of its writer's progress. W does not move yet. */
  note(writer: string, said: Said): void {
    const progress = this.progressOf(writer);
    if (said.watermarkMs !== undefined)
      progress.watermarkMs = Math.max(said.watermarkMs, progress.watermarkMs ?? -Infinity);
    progress.idle = said.idle;
    if (said.endsEpoch) progress.ended += Math.max(1, said.epochs);
    if (said.endsInput) progress.finished = true;
    if (said.asOfMs !== undefined) this.state.asOfMs = Math.max(said.asOfMs, this.state.asOfMs ?? -Infinity);
  }

  /** Has every upstream ended the running epoch? */
  epochIsOver(): boolean {
    if (!this.aligned) return true;
    let someEnded = false;
    for (const key of this.sides.keys()) {
      if (!this.isThrough(key)) return false;
      someEnded ||= this.progressOf(key).ended > this.state.epoch;
    }
    return someEnded;
  }

  /** Ends the epoch, and empty ones behind it that all have ended: gives what the stage is told, then lets W move (A1). */
  endEpoch(): EpochEnd {
    const end = { epoch: this.state.epoch, watermarkMs: this.watermarkMs, asOfMs: this.state.asOfMs ?? -Infinity };
    this.state.epoch = this.aligned ? Math.max(end.epoch + 1, this.endedByAll()) : end.epoch + 1;
    const next = this.lowest();
    if (next > this.watermarkMs) this.state.watermarkMs = next;
    return end;
  }

  /** True once, when the last upstream has ended its input and no epoch is open. */
  inputIsOver(): boolean {
    if (this.state.finished || this.sides.size === 0) return false;
    for (const key of this.sides.keys()) {
      const { finished, ended } = this.progressOf(key);
      if (!finished || ended > this.state.epoch) return false;
    }
    this.state.finished = true;
    return true;
  }

  private endedByAll(): number {
    let least = Infinity;
    for (const key of this.sides.keys()) {
      const { ended, finished } = this.progressOf(key);
      if (!finished) least = Math.min(least, ended);
    }
    return least === Infinity ? 0 : least;
  }

  private isThrough(writer: string): boolean {
    const { ended, finished } = this.progressOf(writer);
    return ended > this.state.epoch || finished;
  }

  private lowest(): number {
    let low = Infinity;
    let high = -Infinity;
    for (const { watermarkMs, idle } of Object.values(this.state.upstreams)) {
      if (watermarkMs === null) continue;
      high = Math.max(high, watermarkMs);
      if (!idle) low = Math.min(low, watermarkMs);
    }
    return low === Infinity ? high : low;
  }

  private progressOf(writer: string): UpstreamProgress {
    return (this.state.upstreams[writer] ??= { ended: 0, finished: false, watermarkMs: null, idle: false });
  }
}

export const writerKey = (id: string, partition: number): string => `${id}/${partition}`;
