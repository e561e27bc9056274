/**
 * Drives one stage instance by hand, in memory: feed, end epochs, tick; snapshot and crash where you like.
 * Emissions come back as `{ output: rows[] }`, so that a test reads like a table.
 */
import {
  type Emission,
  type AnyStage,
  type Frame,
  frameOf,
  type FrameType,
  type Progress,
  RAW,
  type RawBatch,
  type Row,
  type Columns,
} from '../../runtime/contract/stage.js';
import { rowsOf } from '../../runtime/frames/frame.js';
import type { StoredState } from '../../runtime/state/kinds.js';
import { type Counters, StageInstance, type StateChange } from '../../runtime/actor/instance.js';

/** A row of whatever type the input or output has. */
export type AnyRow = Readonly<Record<string, string | number | undefined>>;

export interface Said {
  readonly rows: Readonly<Record<string, readonly AnyRow[]>>;
  readonly progress: readonly Progress[];
  readonly frames: readonly Emission[];
}

export class StageDriver {
  instance: StageInstance;
  private readonly stored = new Map<string, Uint8Array>();
  private epoch = 0;
  private storedEpoch = 0;
  private cut: { readonly changes: Iterable<StateChange>; readonly epoch: number } | undefined;

  constructor(
    private readonly stage: AnyStage,
    private readonly partition = 0,
  ) {
    this.instance = this.start();
  }

  /** Rows as plain objects (or a ready frame, or raw messages) on one input. */
  feed(input: string, rows: readonly object[] | Frame | RawBatch): Said {
    return this.said(this.instance.take(input, Array.isArray(rows) ? this.frame(input, rows) : (rows as Frame)));
  }

  endEpoch(watermarkMs = -Infinity, asOfMs = -Infinity): Said {
    return this.said(this.instance.endEpoch({ epoch: this.epoch++, watermarkMs, asOfMs }));
  }

  endInput(): Said {
    return this.said(this.instance.endInput());
  }

  tick(timeMs: number): Said {
    return this.said(this.instance.tick(timeMs));
  }

  counts(): Counters {
    return this.instance.counts();
  }

  /**
   * Writes what changed since the last snapshot to the store: as in the runtime, what is cut now is encoded when later inputs may have come
   * already; here, one input later. So a stage that changes what it has not touched, or set, is found out.
   */
  snapshot(): void {
    this.writeCut();
    this.cut = { changes: this.instance.cut(), epoch: this.epoch };
  }

  /** From here on with a stage of other options, as after a stop. */
  with(stage: AnyStage): StageDriver {
    const next = new StageDriver(stage, this.partition);
    this.snapshot();
    this.writeCut();
    for (const [key, value] of this.stored) next.stored.set(key, value);
    next.instance.stop();
    next.instance = next.start();
    return next;
  }

  /** Loses everything since the last snapshot. */
  crash(): void {
    this.writeCut();
    this.instance.stop();
    this.instance = this.start();
    this.epoch = this.storedEpoch;
  }

  private writeCut(): void {
    if (this.cut === undefined) return;
    for (const { state, key, value } of this.cut.changes) {
      if (value === undefined) this.stored.delete(`${state}\0${key}`);
      // As LevelDB gives them: views of a larger buffer, at any address.
      else this.stored.set(`${state}\0${key}`, Buffer.from(value));
    }
    this.instance.written();
    this.storedEpoch = this.cut.epoch;
    this.cut = undefined;
  }

  private start(): StageInstance {
    return new StageInstance(this.stage, this.partition, (cell) => this.cellStore(cell));
  }

  private cellStore(cell: string): StoredState {
    const prefix = `${cell}\0`;
    return {
      get: (key) => this.stored.get(prefix + key),
      entries: () =>
        [...this.stored]
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]) => [key.slice(prefix.length), value] as const),
    };
  }

  private frame(input: string, rows: readonly object[]): Frame {
    const type = this.stage.inputs[input]?.type;
    if (type === undefined || type === RAW) throw new TypeError(`${this.stage.id}: input ${input} takes no rows`);
    return frameOf(type as FrameType, rows as readonly Partial<Row<Columns>>[]);
  }

  private said(emissions: ReturnType<StageInstance['take']>): Said {
    this.writeCut();
    const rows: Record<string, AnyRow[]> = {};
    for (const { output, frame } of emissions) (rows[output] ??= []).push(...(rowsOf(frame) as readonly AnyRow[]));
    return {
      rows,
      progress: emissions.flatMap(({ progress }) => (progress === undefined ? [] : [progress])),
      frames: emissions,
    };
  }
}
