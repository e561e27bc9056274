/**
 * One instance of a stage, synchronous and without I/O: inputs in, emissions out, states in between.
 * The actor drives it from a mailbox; the topology driver and stage tests drive it by hand.
 */
import { type Observable, Subject, type Subscription } from 'rxjs';
import { type StageState, type ChangedEntry, type StateSpec, type StoredState, value } from '../state/kinds.js';
import type { Frame } from '../frames/frame.js';
import { newTally, stateOf, type Tally } from '../plan/chain.js';
import type {
  AnyStage,
  ConservedCounter,
  Counter,
  Emission,
  EpochEnd,
  Progress,
  RawBatch,
  Tick,
} from '../contract/stage.js';

/** The others are absent until they are counted. */
export type Counters = Readonly<Record<ConservedCounter, number> & Partial<Record<Counter, number>>>;

export const NO_COUNTS: Counters = { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 };

/** A change of one state, named. */
export interface StateChange extends ChangedEntry {
  readonly state: string;
}

type StateCut = readonly [state: string, changes: Iterable<ChangedEntry>];

/** The state in which the runtime keeps the counters of every instance. */
export const COUNTERS = '$counters';

export class StageInstance {
  private readonly inputs: Record<string, Subject<Frame | RawBatch>> = {};
  private readonly epochEnds = new Subject<EpochEnd>();
  private readonly ticks = new Subject<Tick>();
  private readonly inputEnd = new Subject<void>();
  private readonly stateByName: Record<string, StageState> = {};
  private readonly counters = value<Counters>(() => NO_COUNTS).create();
  /** Of the stages of a chain. */
  readonly tallies: readonly Tally[];
  private readonly subscription: Subscription;
  private collected: Emission[] = [];
  private open = false;
  private failure: { readonly error: unknown } | undefined;

  /** `stored` returns the entries of a state in the last snapshot. */
  constructor(
    readonly stage: AnyStage,
    readonly partition: number,
    stored: (state: string) => StoredState = () => NOTHING_STORED,
  ) {
    for (const [name, spec] of Object.entries(stage.state)) this.stateByName[name] = restored(spec, stored(name));
    this.counters.restore(stored(COUNTERS));
    this.stateByName[COUNTERS] = this.counters;
    for (const name of Object.keys(stage.inputs)) this.inputs[name] = new Subject();
    this.tallies = (stage.chain ?? []).map(newTally);
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
    this.counters.set({ ...counts, [counter]: (counts[counter] ?? 0) + n });
  }

  counts(): Counters {
    return this.counters.get();
  }

  /** Whether there is output to come without further rows (`holdsBack` of the stage). */
  holdsBack(): boolean {
    return this.stage.holdsBack?.(this.stateByName as never) ?? false;
  }

  /** Keys or rows held in memory, for metrics; of a chain those of one of its stages. */
  keys(stageId = this.stage.id): number {
    return Object.entries(this.stateByName).reduce(
      (sum, [name, state]) => (stateOf(this.stage, name) === stageId ? sum + state.keys : sum),
      0,
    );
  }

  /** The stage's states by name, for readers on the same thread; read only. */
  states(): Readonly<Record<string, StageState>> {
    return this.stateByName;
  }

  /** What changed since the last cut, as of this moment; encoded as it is taken (STATE-3). `more`: states of the runtime's own. */
  cut(more: readonly StateCut[] = []): Iterable<StateChange> {
    return changesOf([
      ...Object.entries(this.stateByName).map(([name, state]): StateCut => [name, state.cut()]),
      ...more,
    ]);
  }

  written(): void {
    for (const state of Object.values(this.stateByName)) state.written();
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
      state: this.stateByName,
      out,
      partition: this.partition,
      tallies: this.tallies,
      count: (counter: Counter, n: number): void => {
        this.count(counter, n);
      },
    };
    // The context is built from the stage's own spec, which is what its pipeline needs.
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

/** The state with its stored entries. */
export function restored(spec: StateSpec<StageState>, store: StoredState): StageState {
  if (store.restored !== undefined) return store.restored;
  const state = spec.create();
  state.restore(store);
  return state;
}

function* changesOf(cuts: readonly StateCut[]): Generator<StateChange> {
  for (const [state, changes] of cuts) for (const { key, value: bytes } of changes) yield { state, key, value: bytes };
}

export const NOTHING_STORED: StoredState = { get: () => undefined, entries: () => [] };
