/**
 * The stage contract: what an engineer implements to add a step to the pipeline.
 *
 * A stage is a pure fold of its mailbox: frames, epoch ends and ticks go in as observables, frames come out, and all that
 * it remembers is in its state. The runtime provides supervision, exactly-once, snapshots and metrics.
 *
 * Invariants
 * STAGE-1  The pipeline is synchronous: it emits all output of an input before the runtime passes the next one.
 * STAGE-2  State is in the declared state only. A restart rebuilds the pipeline and restores the state; operator closures are lost.
 *   STAGE-3  No clock, no randomness, no environment: time is event time, a watermark or a tick.
 * STAGE-4  A pipeline does not complete or error on purpose; a throw is a crash, and the runtime restores and replays.
 */
import type { Observable } from 'rxjs';
import type { StageState, StateSpec } from '../state/kinds.js';
import type { Columns, Frame, FrameType } from '../frames/frame.js';

export {
  ABSENT,
  CodeMap,
  type Dictionary,
  DictionaryBuilder,
  entryStart,
  grown,
  hashAt,
  textAt,
} from '../frames/dictionary.js';
export {
  type Columns,
  type Frame,
  FrameBuilder,
  type FrameType,
  frameOf,
  frameType,
  gather,
  partitionBy,
  type Row,
  rowsOf,
  slice,
  type TextColumn,
} from '../frames/frame.js';
export {
  type Codec,
  json,
  type KeyedState as Keyed,
  keyed,
  type StateSpec,
  type ValueState as Value,
  value,
} from '../state/kinds.js';
export { type ColumnTable, NO_ROW } from '../frames/table.js';
export { HashedIndex } from '../frames/row-index.js';
export { type TableState as Tables, tables } from '../state/tables.js';
export { deadLetters } from '../dead-letters/frame.js';
export { type Rescaling, partitionOf, type PartitionCounts } from '../state/rescaling.js';
export { poison } from './errors.js';
export { textOf, utf8 } from '../frames/bytes.js';

/** A message as a publisher or a file source sent it, before parse has interpreted it. */
export interface RawMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the log stored it, epoch ms: the same on every replay. */
  readonly storedAtMs: number;
  readonly data: Uint8Array;
  /** The publisher's `content-type` header, lower case; if absent, the format is detected. */
  readonly contentType?: string;
  /** Set for a piece of a file: whole lines, and their position. */
  readonly chunk?: {
    readonly format: string;
    readonly file: string;
    /** 1-based number of the first line in `data`. */
    readonly line: number;
    readonly header: Uint8Array;
  };
}

export interface RawBatch {
  readonly messages: readonly RawMessage[];
}

/** The input type of a stage that reads publishers' bytes: parse, and parse-items. */
export const RAW = 'raw';
export type InputType = FrameType | typeof RAW;

/** How an input is read. A side input is processed for the whole epoch before the other inputs of that epoch. */
export interface InputSpec<T extends InputType = InputType> {
  readonly type: T;
  readonly side: boolean;
}

export const input = <T extends InputType>(type: T): InputSpec<T> => ({ type, side: false });
export const sideInput = <T extends InputType>(type: T): InputSpec<T> => ({ type, side: true });

export interface EpochEnd {
  /** 0-based number of the epoch that ends here, counted by this instance. */
  readonly epoch: number;
  /** The watermark known at the start of this epoch, epoch ms; -Infinity before any. */
  readonly watermarkMs: number;
  /** The latest event time that any upstream has reported, epoch ms; -Infinity before any. */
  readonly asOfMs: number;
}

export interface Tick {
  readonly timeMs: number;
}

/** A writer's own progress, beside rows. Only sources and watermark report it. */
export interface Progress {
  readonly watermarkMs?: number;
  /** The writer has been silent so long that its watermark must not delay others. */
  readonly idle?: boolean;
  readonly endsEpoch?: boolean;
  /** Number of epochs that end, if more than one: all but the first are empty. */
  readonly epochs?: number;
  readonly tickMs?: number;
  /** The event time up to which the writer has seen all events; its results carry it on (`as_of` of an answer). */
  readonly asOfMs?: number;
  /** Sent to every partition of every destination, with or without rows. */
  readonly everywhere?: boolean;
}

export interface Emission {
  readonly output: string;
  readonly frame: Frame;
  readonly progress?: Progress;
}

type Inputs = Readonly<Record<string, InputSpec>>;
type Outputs = Readonly<Record<string, FrameType>>;
type State = Readonly<Record<string, StateSpec<StageState>>>;

export type FrameOf<T> = T extends FrameType<infer C extends Columns> ? Frame<C> : never;
export type InputOf<S> = S extends InputSpec<infer T> ? (T extends FrameType ? FrameOf<T> : RawBatch) : never;
export type StateOf<S> = S extends StateSpec<infer T> ? T : never;

export interface StageContext<I extends Inputs, O extends Outputs, S extends State> {
  readonly inputs: { readonly [K in keyof I]: Observable<InputOf<I[K]>> };
  readonly epochEnds: Observable<EpochEnd>;
  readonly ticks: Observable<Tick>;
  /** Once, after the last end of an epoch, when the input of a bounded job has ended. */
  readonly inputEnd: Observable<void>;
  readonly state: StatesOf<S>;
  /** `out.rows(frame)` creates the emission that sends the frame to output `rows`. */
  readonly out: { readonly [K in keyof O]: (frame: FrameOf<O[K]>, progress?: Progress) => Emission };
  /** Adds to a counter that is part of the state: conservation is checked on these. */
  readonly count: (counter: Counter, n: number) => void;
  /** The number of this instance: 0 ≤ partition < partitions. */
  readonly partition: number;
}

/** events = on time + late + dead-letter + duplicates, always. */
export type ConservedCounter = 'events' | 'on_time' | 'late' | 'dead_letter' | 'duplicates';
export type Counter = ConservedCounter | 'unknown_items';

export interface StageSpec<I extends Inputs = Inputs, O extends Outputs = Outputs, S extends State = State> {
  /** kebab-case; subjects, streams, state keys and metric labels derive from it. */
  readonly id: string;
  /** Version of the state's content; a snapshot of another version is refused. */
  readonly version: number;
  /** What its instances are partitioned by. */
  readonly key: PartitionKey;
  readonly inputs: I;
  readonly outputs: O;
  readonly state: S;
  /** The event counters of the stage, for metrics; default none. Other counters are not shown. */
  readonly counts?: readonly Counter[];
  readonly pipeline: (context: StageContext<I, O, S>) => Observable<Emission>;
  /** Whether its state has rows that its output does not reflect yet, but will after some ticks: each message reports it. Default: never. */
  readonly holdsBack?: (state: StatesOf<S>) => boolean;
  /** For states without a rescaling of their own because they refer to each other: from the states of all old partitions to those of the new. */
  readonly repartition?: (from: readonly StatesOf<S>[], to: readonly StatesOf<S>[]) => void;
  /**
   * Its snapshots are so many times the configured interval apart, because each would write most of what the one before wrote; more is replayed after a
   * restart. Default 1.
   */
  readonly snapshotEvery?: number;
  /** Of a chain (runtime/plan): the stages that it runs, in order. */
  readonly chain?: readonly AnyStage[];
}

type StatesOf<S extends State> = { readonly [K in keyof S]: StateOf<S[K]> };

/** `whole`: one instance has all keys. */
export type PartitionKey = 'source' | 'user' | 'item' | 'whole';

export interface Stage<
  I extends Inputs = Inputs,
  O extends Outputs = Outputs,
  S extends State = State,
> extends StageSpec<I, O, S> {
  readonly in: { readonly [K in keyof I]: InPort };
  readonly out: { readonly [K in keyof O]: OutPort };
}

export interface InPort {
  readonly stage: string;
  readonly name: string;
  readonly type: InputType;
  readonly side: boolean;
}

export interface OutPort {
  readonly stage: string;
  readonly name: string;
  readonly type: FrameType;
}

/** A stage of any inputs, outputs and state, as the runtime sees it. */
// They are called with values built from the same spec, so their parameters may be widened here.
export type AnyStage = Omit<Stage, 'pipeline' | 'holdsBack' | 'repartition'> & {
  readonly pipeline: (context: never) => Observable<Emission>;
  readonly holdsBack?: (state: never) => boolean;
  readonly repartition?: (from: never, to: never) => void;
};

export function stage<I extends Inputs, O extends Outputs, S extends State>(spec: StageSpec<I, O, S>): Stage<I, O, S> {
  const inPorts = Object.entries(spec.inputs).map(([name, { type, side }]) => [
    name,
    { stage: spec.id, name, type, side },
  ]);
  const outPorts = Object.entries(spec.outputs).map(([name, type]) => [name, { stage: spec.id, name, type }]);
  return {
    ...spec,
    in: Object.fromEntries(inPorts) as Stage<I, O, S>['in'],
    out: Object.fromEntries(outPorts) as Stage<I, O, S>['out'],
  };
}

/**
 * How a view is read: a function of the states of an instance of its stage (`instance.states()`), as declared by `state`. Reads are
 * synchronous, between two inputs. Throws TypeError on the states of another stage.
 */
export function readerOf<S extends State, R>(
  state: S,
  read: (states: StatesOf<S>) => R,
): (states: Readonly<Record<string, StageState>>) => R {
  return (states) => {
    const missing = Object.keys(state).find((name) => !(name in states));
    if (missing !== undefined) throw new TypeError(`these are states of another stage: there is no ${missing}`);
    return read(states as StatesOf<S>);
  };
}
