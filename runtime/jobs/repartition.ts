/**
 * Repartitions the state of a stage. Offline: its mailboxes are read to their end, and no node runs.
 *
 * Invariants
 * REPARTITION-1  Each state follows its rescaling (state/rescaling.ts): the new partitions together have what the old ones had together, once.
 * REPARTITION-2  Counters and quarantine records refer to the old partitions: their sum goes to partition 0, so that over all partitions each event counts once.
 * REPARTITION-3  The reported progress of upstreams holds for all partitions, since all of it has arrived: the latest counts. The watermark, which decides
 *                what is late, is the lowest: an event that was on time in any partition still is.
 * REPARTITION-4  Heads are not written here: state without a head is void.
 */
import { type AlignmentState, initialAlignment, type UpstreamProgress, writerKey } from '../actor/alignment.js';
import { type StageState, type StateSpec, json } from '../state/kinds.js';
import { fatal } from '../contract/errors.js';
import { ALIGNMENT, QUARANTINED } from '../actor/processor.js';
import { type Quarantined } from '../actor/quarantine.js';
import type { Topology } from '../contract/graph.js';
import { BUFFERED } from '../actor/alignment-buffer.js';
import { COUNTERS, type Counters, NO_COUNTS, restored } from '../actor/instance.js';
import { storedStates, instancePrefix } from '../state/keyspace.js';
import { type Rescaling, partitionOf } from '../state/rescaling.js';
import type { Store, StoreChange } from '../contract/ports.js';
import type { AnyStage, Counter } from '../contract/stage.js';

export interface Repartitioned {
  readonly before: Topology;
  readonly after: Topology;
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
  const { after, stage: id, to } = request;
  const stage = after.stage(id);
  const writers = to.map((store, partition) => new Writer(store, instancePrefix(id, partition)));
  await moveOwnStates(request, writers);
  const together: string[] = [];
  for (const [name, { rescale }] of Object.entries(stage.state)) {
    if (rescale === undefined) together.push(name);
    else if (rescale.kind === 'move') await moveStates(request, stage, writers, [name], onlyState(name, rescale));
    else await moveEntries(request, writers, name, rescale);
  }
  if (together.length > 0) {
    const { repartition } = stage;
    if (repartition === undefined)
      throw fatal('RESCALING_MISSING', `${id} does not declare how to rescale ${together.join(', ')}`);
    await moveStates(request, stage, writers, together, repartition as Move);
  }
  for (const writer of writers) await writer.flush();
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
  stage: AnyStage,
  writers: readonly Writer[],
  names: readonly string[],
  move: Move,
): Promise<void> {
  const specs = names.map((name): [string, StateSpec<StageState>] => [name, stage.state[name]!]);
  const old: StatesByName[] = [];
  for (const [partition, store] of from.entries()) {
    const resident = specs.filter(([, spec]) => spec.resident).map(([name]) => name);
    const stored = await storedStates(store, stage, partition, resident);
    old.push(Object.fromEntries(specs.map(([name, spec]) => [name, restored(spec, stored(name))])));
  }
  const fresh = writers.map((): StatesByName => Object.fromEntries(specs.map(([name, spec]) => [name, spec.create()])));
  move(old, fresh);
  for (const [q, cells] of fresh.entries()) {
    for (const name of names) {
      for (const { key, value } of cells[name]!.cut()) await writers[q]!.put(name, key, value);
    }
  }
}

/** Entry by entry: their number is not bounded. */
async function moveEntries(
  { after, stage, from }: Repartitioned,
  writers: readonly Writer[],
  name: string,
  rescale: Exclude<Rescaling<StageState>, { kind: 'move' }>,
): Promise<void> {
  // State that is the same in all partitions is read from partition 0.
  for (const [partition, store] of (rescale.kind === 'same' ? from.slice(0, 1) : from).entries()) {
    const prefix = `${instancePrefix(stage, partition)}${name}/`;
    const view = store.view();
    try {
      for await (const some of view.entries(prefix)) {
        for (const [path, bytes] of some) {
          const key = path.slice(prefix.length);
          if (rescale.kind === 'keys') await writers[partitionOf(key, writers.length)]!.put(name, key, bytes);
          else {
            const revised = rescale.revise(bytes, after.partitions);
            for (const writer of writers) await writer.put(name, key, revised);
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

/** The runtime's own states. */
async function moveOwnStates(request: Repartitioned, writers: readonly Writer[]): Promise<void> {
  const { stage: id, from } = request;
  const stored = from.map((store, partition) => {
    const get = (cell: string): Uint8Array | undefined => store.getSync(`${instancePrefix(id, partition)}${cell}/`);
    return { alignment: get(ALIGNMENT), counters: get(COUNTERS), quarantined: get(QUARANTINED) };
  });
  const alignment = await mergedAlignment(
    request,
    stored.map((one) => (one.alignment === undefined ? initialAlignment() : alignments.decode(one.alignment))),
  );
  for (const [q, writer] of writers.entries()) await writer.put(ALIGNMENT, '', alignments.encode(alignment(q)));
  const counted: Partial<Record<Counter, number>> = { ...NO_COUNTS };
  const total = { messages: 0, rows: 0 };
  for (const one of stored) {
    if (one.counters !== undefined) add(counted, counters.decode(one.counters));
    if (one.quarantined !== undefined) add(total, quarantined.decode(one.quarantined));
  }
  await writers[0]!.put(COUNTERS, '', counters.encode(counted as Counters));
  await writers[0]!.put(QUARANTINED, '', quarantined.encode(total));
}

function add<K extends string>(sum: Partial<Record<K, number>>, more: Readonly<Partial<Record<K, number>>>): void {
  for (const name of Object.keys(more) as K[]) sum[name] = (sum[name] ?? 0) + (more[name] ?? 0);
}

/** Returns the alignment of each new partition. */
async function mergedAlignment(
  { before, after, stage, from }: Repartitioned,
  states: readonly AlignmentState[],
): Promise<(partition: number) => AlignmentState> {
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
  const common = {
    epoch,
    watermarkMs: lowest(states.map(({ watermarkMs }) => watermarkMs)),
    asOfMs: highest(states.map(({ asOfMs }) => asOfMs)),
    ...latest('tickMs', states),
    finished: states.every(({ finished }) => finished),
  };
  if (!after.aligned.has(stage)) return () => ({ ...common, upstreams });
  const ended = (key: string): number => upstreams[key]?.ended ?? epoch;
  const isOpen = states.some(
    (state) =>
      state.epoch !== epoch || Object.entries(state.upstreams).some(([key, said]) => said.ended !== ended(key)),
  );
  const buffered = await Promise.all(
    from.map((store, partition) => store.entries(`${instancePrefix(stage, partition)}${BUFFERED}/`)),
  );
  if (isOpen || buffered.some((entries) => entries.length > 0)) {
    throw fatal('REPARTITION_EPOCH', `${stage} is in the middle of epoch ${epoch}: some of its inputs have ended it`, {
      hint: 'nothing was changed: start the node, let it take in what there is, stop it, and try again',
    });
  }
  return (partition) => {
    const own: Record<string, UpstreamProgress> = { ...upstreams };
    for (const { id, awaited, instances } of after.upstreams(stage)) {
      if (!awaited) continue;
      for (const p of instances(partition)) {
        own[writerKey(id, p)] ??= { ended: epoch, finished: common.finished, watermarkMs: null, idle: false };
      }
    }
    return { ...common, upstreams: own };
  };
}

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
