/**
 * Repartitions the state of a stage. Offline: its mailboxes are read to their end, and no node runs.
 *
 * Invariants
 * REPARTITION-1  Each state follows its rescaling (state/rescaling.ts): the new partitions together have what the old ones had together, once.
 * REPARTITION-2  Counters and quarantine records refer to the old partitions: their sum goes to partition 0, so that over all partitions each event counts once.
 * REPARTITION-3  The reported progress of upstreams holds for all partitions, since all of it has arrived: the latest counts. The watermark, which decides
 *                what is late, is the lowest: an event that was on time in any partition still is.
 * REPARTITION-4  Heads are not written here: state without a head is void.
 * REPARTITION-5  What ran as one and runs apart after, or the other way round, takes along the states of its stages, whose names differ in a chain.
 */
import { type AlignmentState, initialAlignment, type UpstreamProgress, writerKey } from '../actor/alignment.js';
import { type StageState, type StateSpec, json } from '../state/kinds.js';
import { fatal } from '../contract/errors.js';
import { ALIGNMENT, QUARANTINED } from '../actor/processor.js';
import { type Quarantined } from '../actor/quarantine.js';
import type { Topology } from '../contract/graph.js';
import { counterOf, hostOf, nameInChain, stagesIn } from '../plan/chain.js';
import { BUFFERED } from '../actor/alignment-buffer.js';
import { COUNTERS, type Counters, NO_COUNTS, restored } from '../actor/instance.js';
import { storedStates, instancePrefix } from '../state/keyspace.js';
import { type Rescaling, partitionOf } from '../state/rescaling.js';
import type { Store, StoreChange } from '../contract/ports.js';
import type { AnyStage, Counter } from '../contract/stage.js';

export interface Repartitioned {
  readonly before: Topology;
  readonly after: Topology;
  /** As it runs after: one, or a chain. */
  readonly stage: string;
  /** By partition. The old ones are only read. */
  readonly from: readonly Store[];
  readonly to: readonly Store[];
}

/** States of stages keyed by user or item without a rescaling: `<stage>.<state>`. */
export const statesWithoutRescaling = ({ stages }: Topology): string[] =>
  stages
    .filter(({ key, repartition }) => key !== 'source' && repartition === undefined)
    .flatMap(({ id, state }) =>
      Object.entries(state).flatMap(([name, { rescale }]) => (rescale === undefined ? [`${id}.${name}`] : [])),
    );

/** Fatal REPARTITION_EPOCH when an epoch is open that only some writers have ended. */
export async function repartitionStage(request: Repartitioned): Promise<void> {
  const { before, after, stage: id, to } = request;
  const host = after.stage(id);
  const writers = to.map((store, partition) => new Writer(store, instancePrefix(id, partition)));
  await moveOwnStates(request, writers);
  for (const stage of stagesIn(host)) await moveStatesOf(request, stage, [hostOf(before, stage.id), host], writers);
  for (const writer of writers) await writer.flush();
}

/** `hosts`: what runs the stage before and after, each with a name of its own for a state. */
async function moveStatesOf(
  request: Repartitioned,
  stage: AnyStage,
  [old, host]: readonly [AnyStage, AnyStage],
  writers: readonly Writer[],
): Promise<void> {
  const { id, state, repartition } = stage;
  const together: MovedState[] = [];
  for (const [own, spec] of Object.entries(state)) {
    const port = { stage: id, name: own };
    const moved = { own, spec, before: nameInChain(port, old), after: nameInChain(port, host) };
    const { rescale } = spec;
    if (rescale === undefined) together.push(moved);
    else if (rescale.kind === 'move') await moveStates(request, old, writers, [moved], onlyState(own, rescale));
    else await moveEntries(request, old, writers, moved, rescale);
  }
  if (together.length === 0) return;
  if (repartition === undefined) {
    const names = together.map(({ own }) => own).join(', ');
    throw fatal('RESCALING_MISSING', `${id} does not declare how to rescale ${names}`);
  }
  await moveStates(request, old, writers, together, repartition as Move);
}

/** A state by the name that it has in its stage, and in what runs the stage before and after. */
interface MovedState {
  readonly spec: StateSpec<StageState>;
  readonly own: string;
  readonly before: string;
  readonly after: string;
}

type StatesByName = Readonly<Record<string, StageState>>;
type Move = (from: readonly StatesByName[], to: readonly StatesByName[]) => void;

const onlyState =
  (name: string, rescale: Extract<Rescaling<StageState>, { kind: 'move' }>): Move =>
  (from, to) => {
    rescale.move(
      from.map((cells) => cells[name]!),
      to.map((cells) => cells[name]!),
    );
  };

/** Loads all states into memory, as running nodes do. */
async function moveStates(
  { from }: Repartitioned,
  host: AnyStage,
  writers: readonly Writer[],
  moved: readonly MovedState[],
  move: Move,
): Promise<void> {
  const old: StatesByName[] = [];
  for (const [partition, store] of from.entries()) {
    const resident = moved.filter(({ spec }) => spec.resident).map(({ before }) => before);
    const stored = await storedStates(store, host, partition, resident);
    old.push(Object.fromEntries(moved.map(({ own, before, spec }) => [own, restored(spec, stored(before))])));
  }
  const fresh = writers.map((): StatesByName => Object.fromEntries(moved.map(({ own, spec }) => [own, spec.create()])));
  move(old, fresh);
  for (const [q, cells] of fresh.entries()) {
    for (const { own, after } of moved) {
      for (const { key, value } of cells[own]!.cut()) await writers[q]!.put(after, key, value);
    }
  }
}

/** Entry by entry: their number is not bounded. */
async function moveEntries(
  { after, from }: Repartitioned,
  host: AnyStage,
  writers: readonly Writer[],
  moved: MovedState,
  rescale: Exclude<Rescaling<StageState>, { kind: 'move' }>,
): Promise<void> {
  // State that is the same in all partitions is read from partition 0.
  for (const [partition, store] of (rescale.kind === 'same' ? from.slice(0, 1) : from).entries()) {
    const prefix = `${instancePrefix(host.id, partition)}${moved.before}/`;
    const view = store.view();
    try {
      for await (const some of view.entries(prefix)) {
        for (const [path, bytes] of some) {
          const key = path.slice(prefix.length);
          if (rescale.kind === 'keys') await writers[partitionOf(key, writers.length)]!.put(moved.after, key, bytes);
          else {
            const revised = rescale.revise(bytes, after.partitions);
            for (const writer of writers) await writer.put(moved.after, key, revised);
          }
        }
      }
    } finally {
      await view.close();
    }
  }
}

const alignments = json<AlignmentState>();
const counters = json<Counters>();
const quarantined = json<Quarantined>();

/** The runtime's own states: of a chain that was none its first stage's alignment, and the counters of all; a stage that was in a chain gets its own. */
async function moveOwnStates(request: Repartitioned, writers: readonly Writer[]): Promise<void> {
  const { before, after, stage: id, from } = request;
  const alignment = await mergedAlignment(request);
  for (const [q, writer] of writers.entries()) await writer.put(ALIGNMENT, '', alignments.encode(alignment(q)));
  const counted: Partial<Record<Counter, number>> = { ...NO_COUNTS };
  const total = { messages: 0, rows: 0 };
  for (const stage of stagesIn(after.stage(id))) {
    const host = hostOf(before, stage.id);
    for (const bytes of storedIn(from, host, COUNTERS)) {
      const own = Object.entries(counters.decode(bytes)).filter(
        ([name]) => counterOf(host, name as Counter) === stage.id,
      );
      add(counted, Object.fromEntries(own));
    }
    if (host.id === stage.id)
      for (const bytes of storedIn(from, host, QUARANTINED)) add(total, quarantined.decode(bytes));
  }
  await writers[0]!.put(COUNTERS, '', counters.encode(counted as Counters));
  await writers[0]!.put(QUARANTINED, '', quarantined.encode(total));
}

/** What the instances of a stage have of a state of one value, in the order of the partitions. */
const storedIn = (from: readonly Store[], { id }: AnyStage, cell: string): readonly Uint8Array[] =>
  from.flatMap((store, partition) => store.getSync(`${instancePrefix(id, partition)}${cell}/`) ?? []);

function add<K extends string>(sum: Partial<Record<K, number>>, more: Readonly<Partial<Record<K, number>>>): void {
  for (const name of Object.keys(more) as K[]) sum[name] = (sum[name] ?? 0) + (more[name] ?? 0);
}

/** Returns the alignment of each new partition. */
async function mergedAlignment(request: Repartitioned): Promise<(partition: number) => AlignmentState> {
  const { before, after, stage, from } = request;
  const hosts = new Set(stagesIn(after.stage(stage)).map(({ id }) => hostOf(before, id)));
  const merged = await Promise.all([...hosts].map((host) => alignmentOf(before, host, from)));
  const first = merged[0]!;
  const { epoch, finished } = first;
  const isAligned = after.aligned.has(stage);
  if (isAligned && merged.some((one) => one.epoch !== epoch)) throw epochIsOpen(stage, epoch);
  // The watermark goes to the first stage of a chain alone.
  const watermarkMs = hostOf(before, stage).id === stage ? first.watermarkMs : null;
  return (partition) => {
    const upstreams: Record<string, UpstreamProgress> = {};
    for (const { id, awaited, instances } of after.upstreams(stage)) {
      for (const p of instances(partition)) {
        const key = writerKey(id, p);
        const said = first.upstreams[key];
        if (said !== undefined) upstreams[key] = { ...said };
        else if (isAligned && awaited) upstreams[key] = { ended: epoch, finished, watermarkMs: null, idle: false };
      }
    }
    return { ...first, watermarkMs, upstreams };
  };
}

/** Of all partitions of a stage, together. */
async function alignmentOf(before: Topology, host: AnyStage, from: readonly Store[]): Promise<AlignmentState> {
  const { id: stage } = host;
  const stored = storedIn(from, host, ALIGNMENT).map((bytes) => alignments.decode(bytes));
  // One that has no snapshot has read nothing.
  const states = [...stored, ...Array.from({ length: from.length - stored.length }, initialAlignment)];
  const epoch = Math.max(...states.map((state) => state.epoch));
  const upstreams: Record<string, UpstreamProgress> = {};
  // Partitions of the source stay; the successors of all others have ended the same epochs.
  for (const { id } of before.stages.filter(({ key }) => key === 'source')) {
    for (let p = 0; p < before.count(id); p++) {
      const key = writerKey(id, p);
      const said = states.flatMap((state) => state.upstreams[key] ?? []);
      if (said.length > 0) upstreams[key] = together(said);
    }
  }
  if (before.aligned.has(stage)) {
    const ended = (key: string): number => upstreams[key]?.ended ?? epoch;
    const isOpen = states.some(
      (state) =>
        state.epoch !== epoch || Object.entries(state.upstreams).some(([key, said]) => said.ended !== ended(key)),
    );
    const buffered = await Promise.all(
      from.map((store, partition) => store.entries(`${instancePrefix(stage, partition)}${BUFFERED}/`)),
    );
    if (isOpen || buffered.some((entries) => entries.length > 0)) throw epochIsOpen(stage, epoch);
  }
  return {
    epoch,
    watermarkMs: lowest(states.map(({ watermarkMs }) => watermarkMs)),
    asOfMs: highest(states.map(({ asOfMs }) => asOfMs)),
    ...latest('tickMs', states),
    finished: states.every(({ finished }) => finished),
    upstreams,
  };
}

const epochIsOpen = (stage: string, epoch: number): Error =>
  fatal('REPARTITION_EPOCH', `${stage} is in the middle of epoch ${epoch}: some of its inputs have ended it`, {
    hint: 'nothing was changed: start the node, let it take in what there is, stop it, and try again',
  });

function together(said: readonly UpstreamProgress[]): UpstreamProgress {
  return {
    ended: Math.max(...said.map(({ ended }) => ended)),
    finished: said.every(({ finished }) => finished),
    watermarkMs: highest(said.map(({ watermarkMs }) => watermarkMs)),
    idle: said.every(({ idle }) => idle),
    ...latest('asOfMs', said),
    ...latest('tickMs', said),
  };
}

/** Absent: none has any. */
function latest<K extends string>(
  name: K,
  said: readonly { readonly [N in K]?: number | null }[],
): { [N in K]?: number } {
  const known = said.flatMap((one) => one[name] ?? []);
  return known.length === 0 ? {} : ({ [name]: Math.max(...known) } as { [N in K]?: number });
}

/** null: none yet. */
const lowest = (instants: readonly (number | null)[]): number | null =>
  instants.reduce((low, one) => (low === null || one === null ? null : Math.min(low, one)));

const highest = (instants: readonly (number | null)[]): number | null =>
  instants.reduce((high, one) => (high === null || one === null ? (high ?? one) : Math.max(high, one)));

/** Bytes of changes in memory before they are written. */
const BATCH_BYTES = 2 * 1024 * 1024;

class Writer {
  private batch: StoreChange[] = [];
  private bytes = 0;

  constructor(
    private readonly store: Store,
    private readonly prefix: string,
  ) {}

  async put(cell: string, key: string, value: Uint8Array | undefined): Promise<void> {
    if (value === undefined) return;
    this.batch.push({ key: `${this.prefix}${cell}/${key}`, value });
    this.bytes += key.length + value.length;
    if (this.bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const { batch } = this;
    this.batch = [];
    this.bytes = 0;
    if (batch.length > 0) await this.store.write(batch);
  }
}
