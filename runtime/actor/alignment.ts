/**
 * Epochs and watermarks of one instance, computed from what its upstreams report.
 *
 * Invariants
 *   ALIGNMENT-1  W moves only at the end of an epoch; it never moves back. It is the minimum over the upstreams that have reported and are not idle,
 *                the maximum when all are.
 *   ALIGNMENT-2  Aligned: an epoch ends when every upstream has ended it (or has ended its input). What an upstream sends of the next epoch before
 *                that waits in the alignment buffer, in order. A source that is not awaited is no upstream here: what it sends is processed at once.
 *   ALIGNMENT-3  Aligned: a side input of an epoch is processed completely before any other input of that epoch.
 *   ALIGNMENT-4  `tickMs`: everything that the log had stored by then was processed; `asOfMs`: event time up to which it was. Both are minima over all
 *                upstreams but side inputs. An upstream has progressed up to its latest event, or its latest tick, after which nothing older comes. Neither
 *                moves back. Aligned: they move only at the end of an epoch, since its outputs are published then.
 *   ALIGNMENT-5  The end of all inputs is not for good: when a bounded job goes on, the first message after it opens the inputs again, all but other
 *                sources. Before the job goes on, every instance has the ends of all its inputs (cli/replay).
 */
import type { Topology } from '../contract/graph.js';
import type { EpochEnd } from '../contract/stage.js';

export interface UpstreamProgress {
  ended: number;
  finished: boolean;
  watermarkMs: number | null;
  idle: boolean;
  /** Absent: it has reported none. */
  asOfMs?: number;
  tickMs?: number;
}

export interface AlignmentState {
  epoch: number;
  /** null before any: JSON has no -Infinity. */
  watermarkMs: number | null;
  asOfMs: number | null;
  tickMs?: number;
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

/** The fields of a message that report progress. */
export interface ProgressReport {
  readonly endsEpoch: boolean;
  /** How many end, when more than one. */
  readonly epochs: number;
  readonly endsInput: boolean;
  readonly watermarkMs?: number | undefined;
  readonly idle: boolean;
  readonly asOfMs?: number | undefined;
  readonly tickMs?: number | undefined;
}

export class Alignment {
  readonly aligned: boolean;
  private readonly sides = new Map<string, boolean>();
  private readonly sources = new Set<string>();
  /** All that are no side inputs; where there are only these, all. */
  private readonly mains: readonly string[];

  constructor(
    topology: Topology,
    stageId: string,
    partition: number,
    readonly state: AlignmentState,
  ) {
    this.aligned = topology.aligned.has(stageId);
    for (const { id, side, awaited, output, instances } of topology.upstreams(stageId)) {
      if (!awaited) continue;
      for (const p of instances(partition)) {
        const key = writerKey(id, p);
        if (output === undefined) this.sources.add(key);
        this.sides.set(key, side && (this.sides.get(key) ?? true));
      }
    }
    const writers = [...this.sides.keys()];
    const mains = writers.filter((key) => this.sides.get(key) === false);
    this.mains = mains.length > 0 ? mains : writers;
    if (!this.aligned) return;
    for (const key of this.sides.keys()) this.progressOf(key);
  }

  get watermarkMs(): number {
    return this.state.watermarkMs ?? -Infinity;
  }

  /** -Infinity before the first (ALIGNMENT-4). */
  get tickMs(): number {
    return this.state.tickMs ?? -Infinity;
  }

  knows(writer: string): boolean {
    return this.sides.has(writer);
  }

  /** Called with the writer of each message, before anything else is done with it (ALIGNMENT-5). */
  reopen(writer: string): void {
    if (!this.state.finished || !this.knows(writer)) return;
    this.state.finished = false;
    for (const key of this.sides.keys())
      if (key === writer || !this.sources.has(key)) this.progressOf(key).finished = false;
  }

  /** Must this writer's next message wait? (ALIGNMENT-2, ALIGNMENT-3) */
  mustBuffer(writer: string): boolean {
    if (!this.aligned) return false;
    const { epoch } = this.state;
    if (this.progressOf(writer).ended > epoch) return true;
    if (this.sides.get(writer) !== false) return false;
    for (const [key, side] of this.sides) if (side && !this.isThrough(key)) return true;
    return false;
  }

  /** Records the progress that a message reports. W does not move yet. */
  observe(writer: string, report: ProgressReport): void {
    if (this.aligned && !this.knows(writer)) return;
    const progress = this.progressOf(writer);
    if (report.watermarkMs !== undefined)
      progress.watermarkMs = Math.max(report.watermarkMs, progress.watermarkMs ?? -Infinity);
    progress.idle = report.idle;
    if (report.endsEpoch) progress.ended += Math.max(1, report.epochs);
    if (report.endsInput) progress.finished = true;
    if (report.asOfMs !== undefined) progress.asOfMs = Math.max(report.asOfMs, progress.asOfMs ?? -Infinity);
    if (report.tickMs !== undefined) progress.tickMs = Math.max(report.tickMs, progress.tickMs ?? -Infinity);
    if (!this.aligned) this.updateProgress();
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

  /** Ends the epoch, and the empty ones after it that all upstreams have ended. Returns the end for the stage, then moves W (ALIGNMENT-1). */
  endEpoch(): EpochEnd {
    if (this.aligned) this.updateProgress();
    const end = { epoch: this.state.epoch, watermarkMs: this.watermarkMs, asOfMs: this.latest() };
    this.state.epoch = this.aligned ? Math.max(end.epoch + 1, this.endedByAll()) : end.epoch + 1;
    const next = this.lowest();
    if (next > this.watermarkMs) this.state.watermarkMs = next;
    return end;
  }

  /** True when the last upstream has ended its input and no epoch is open. */
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

  private updateProgress(): void {
    const { state } = this;
    let asOfMs = Infinity;
    let tickMs = Infinity;
    for (const key of this.mains) {
      const { asOfMs: latest = -Infinity, tickMs: ticked = -Infinity } = state.upstreams[key] ?? {};
      asOfMs = Math.min(asOfMs, Math.max(latest, ticked));
      tickMs = Math.min(tickMs, ticked);
    }
    asOfMs = Math.min(asOfMs, this.latest());
    if (asOfMs > (state.asOfMs ?? -Infinity)) state.asOfMs = asOfMs;
    if (tickMs > this.tickMs && tickMs < Infinity) state.tickMs = tickMs;
  }

  /** The latest event time that any upstream but a side input has reported. */
  private latest(): number {
    const { asOfMs, upstreams } = this.state;
    return this.mains.reduce((high, key) => Math.max(high, upstreams[key]?.asOfMs ?? -Infinity), asOfMs ?? -Infinity);
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
