/**
 * One instance of a stage as a plain, synchronous fold: inputs in, emissions out, states in between. No I/O.
 * The actor drives it from a mailbox; the topology driver and stage tests drive it by hand.
 */
import { type Observable, Subject, type Subscription } from 'rxjs';
import { type StageState, type ChangedEntry, type StateSpec, type StoredState, value } from '../state/kinds.js';
import type { Frame } from '../frames/frame.js';
import type { AnyStage, Counter, Emission, EpochEnd, Progress, RawBatch, Tick } from '../contract/stage.js';

export type Counters = Readonly<Record<Counter, number>>;

export const NO_COUNTS: Counters = { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 };

/** A change of one state, named. */
export interface StateChange extends ChangedEntry {
  readonly cell: string;
}

type StateCut = readonly [cell: string, changes: Iterable<ChangedEntry>];

/** The state in which the runtime keeps the counters of every instance. */
export const COUNTERS = '$counters';

export class StageInstance {
  private readonly inputs: Record<string, Subject<Frame | RawBatch>> = {};
  private readonly epochEnds = new Subject<EpochEnd>();
  private readonly ticks = new Subject<Tick>();
  private readonly inputEnd = new Subject<void>();
  private readonly cells: Record<string, StageState> = {};
  private readonly counters = value<Record<Counter, number>>(() => ({ ...NO_COUNTS })).create();
  private readonly subscription: Subscription;
  private collected: Emission[] = [];
  private open = false;
  private failure: { readonly error: unknown } | undefined;

  /** `stored` gives each state what the last snapshot holds of it. */
  constructor(
    readonly stage: AnyStage,
    readonly partition: number,
    stored: (cell: string) => StoredState = () => NOTHING_STORED,
  ) {
    for (const [name, spec] of Object.entries(stage.state)) this.cells[name] = restored(spec, stored(name));
    this.counters.restore(stored(COUNTERS));
    this.cells[COUNTERS] = this.counters;
    for (const name of Object.keys(stage.inputs)) this.inputs[name] = new Subject();
    this.subscription = this.build().subscribe({
      next: (emission) => {
        this.collect(emission);
      },
      error: (error: unknown) => {
        this.failure = { error };
      },
      complete: () => {
        this.failure = { error: new Error(`the pipeline of stage ${stage.id} has completed (rule STAGE-4)`) };
      },
    });
  }

  /** Frames (or raw messages) on one input; returns what the pipeline emits for them. */
  take(input: string, rows: Frame | RawBatch): Emission[] {
    const subject = this.inputs[input];
    if (subject === undefined) throw new TypeError(`stage ${this.stage.id} has no input ${input}`);
    return this.run(() => {
      subject.next(rows);
    });
  }

  endEpoch(end: EpochEnd): Emission[] {
    return this.run(() => {
      this.epochEnds.next(end);
    });
  }

  tick(timeMs: number): Emission[] {
    return this.run(() => {
      this.ticks.next({ timeMs });
    });
  }

  endInput(): Emission[] {
    return this.run(() => {
      this.inputEnd.next();
    });
  }

  count(counter: Counter, n: number): void {
    if (n === 0) return;
    const counts = this.counters.get();
    counts[counter] += n;
    this.counters.set(counts);
  }

  counts(): Counters {
    return this.counters.get();
  }

  /** Keys or rows held in memory, for metrics. */
  keys(): number {
    return Object.values(this.cells).reduce((sum, cell) => sum + cell.keys, 0);
  }

  /** The stage's states by name, for readers on the same thread; they may only look. */
  states(): Readonly<Record<string, StageState>> {
    return this.cells;
  }

  /** What changed since the last cut, as of this moment; encoded as it is taken (STATE-3). `more`: states of the runtime's own. */
  cut(more: readonly StateCut[] = []): Iterable<StateChange> {
    return changesOf([...Object.entries(this.cells).map(([cell, state]): StateCut => [cell, state.cut()]), ...more]);
  }

  written(): void {
    for (const cell of Object.values(this.cells)) cell.written();
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  private build(): Observable<Emission> {
    const out: Record<string, (frame: Frame, progress?: Progress) => Emission> = {};
    for (const name of Object.keys(this.stage.outputs)) {
      out[name] = (frame, progress) => ({ output: name, frame, ...(progress === undefined ? {} : { progress }) });
    }
    const context = {
      inputs: this.inputs,
      epochEnds: this.epochEnds,
      ticks: this.ticks,
      inputEnd: this.inputEnd,
      state: this.cells,
      out,
      partition: this.partition,
      count: (counter: Counter, n: number): void => {
        this.count(counter, n);
      },
    };
    // The context is built from the stage's own spec, which is what its pipeline asks for.
    return this.stage.pipeline(context as never);
  }

  private run(push: () => void): Emission[] {
    this.open = true;
    push();
    this.open = false;
    if (this.failure !== undefined) throw this.failure.error;
    const emissions = this.collected;
    this.collected = [];
    return emissions;
  }

  private collect(emission: Emission): void {
    if (this.open) this.collected.push(emission);
    else
      this.failure = {
        error: new Error(`stage ${this.stage.id} emitted ${emission.output} outside of an input (rule STAGE-1)`),
      };
  }
}

/** The state with what is stored of it. */
export function restored(spec: StateSpec<StageState>, store: StoredState): StageState {
  if (store.restored !== undefined) return store.restored;
  const cell = spec.create();
  cell.restore(store);
  return cell;
}

function* changesOf(cuts: readonly StateCut[]): Generator<StateChange> {
  for (const [cell, changes] of cuts) for (const { key, value: bytes } of changes) yield { cell, key, value: bytes };
}

export const NOTHING_STORED: StoredState = { get: () => undefined, entries: () => [] };
