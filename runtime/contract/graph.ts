/**
 * The topology as a value: stages, sources, topics, and the edges between them.
 * Subjects, streams and the set of upstreams of each instance are derived here and nowhere else.
 *
 *   stream   RIVULET_<STAGE>                        one per mailbox kind
 * subject  rivulet.<to>.<q>.<from>.<p>            written by instance p of <from> only
 */
import { fatal } from './errors.js';
import type { FrameType } from '../frames/frame.js';
import { STAGE_STRATEGY, type StageStrategy, strategyProblems } from '../supervision/strategy.js';
import type { AnyStage, InPort, InputType, OutPort, PartitionKey } from './stage.js';

/** Where messages enter from outside the topology: publishers, a file reader. Has as many writers as its target has partitions. */
export interface Source {
  readonly kind: 'source';
  readonly id: string;
  /** Whether aligned stages wait until it ends its epochs, or its input. What another one writes is processed when it arrives. */
  readonly awaited: boolean;
}

/** Where messages leave the topology: a mailbox without an actor, read by sinks, views and people. */
export interface Topic {
  readonly kind: 'topic';
  readonly id: string;
  readonly key: PartitionKey;
  /** Retained for people, not consumed by a sink: the oldest messages are dropped when it is full. */
  readonly browsable: boolean;
  /** How long and how much of it is retained; absent: as much as of other streams. */
  readonly retention?: Retention;
  /** Its frames are compressed: for many rows that are seldom read. */
  readonly compressed: boolean;
  readonly in: { readonly rows: InPort };
}

export interface Retention {
  readonly ageMs: number;
  readonly bytes: number;
}

export const source = (id: string, { awaited = true }: { readonly awaited?: boolean } = {}): Source => ({
  kind: 'source',
  id,
  awaited,
});

export const topic = (
  id: string,
  type: FrameType,
  key: PartitionKey,
  {
    browsable,
    compressed = false,
    retention,
  }: { readonly browsable: boolean; readonly compressed?: boolean; readonly retention?: Retention },
): Topic => ({
  kind: 'topic',
  id,
  key,
  browsable,
  compressed,
  ...(retention === undefined ? {} : { retention }),
  in: { rows: { stage: id, name: 'rows', type, side: false } },
});

/**
 * How the rows of an edge find their partition: by the hash of a text column; to `all`; or to the `same` number.
 * Rows that are already partitioned by the upstream's key stay in their partition.
 */
export interface Edge {
  readonly from: OutPort | Source;
  readonly to: InPort;
  readonly by: string;
}

export const edge = (from: OutPort | Source, to: InPort, options: { readonly by: string }): Edge => ({
  from,
  to,
  by: options.by,
});

export type Partitions = Readonly<Record<Exclude<PartitionKey, 'whole'>, number>>;

const countOf = (partitions: Partitions, key: PartitionKey): number => (key === 'whole' ? 1 : partitions[key]);

export interface TopologySpec {
  readonly partitions: Partitions;
  readonly stages: readonly AnyStage[];
  readonly topics: readonly Topic[];
  readonly edges: readonly Edge[];
  /** Stages whose epochs end with aligned markers (barriers); at all others each message is an epoch of its own. */
  readonly aligned: ReadonlySet<string>;
  /** Stages that the façade reads: every node runs them. */
  readonly views?: ReadonlySet<string>;
  /** By stage: the overrides of its restart strategy. */
  readonly strategies?: Strategies;
}

export type Strategies = Readonly<Record<string, Partial<StageStrategy>>>;

/** One destination of one output of one instance kind. */
export interface Route {
  readonly output: string;
  readonly to: string;
  readonly input: string;
  readonly by: string;
  /** Number of instances of `to`. */
  readonly targets: number;
  readonly compressed: boolean;
}

/** The writers of a mailbox: instances 0..count-1 of `id`, or only the one with the mailbox's own number. */
export interface Upstream {
  readonly id: string;
  readonly input: string;
  readonly side: boolean;
  /** See `Source`; true for stages. */
  readonly awaited: boolean;
  readonly type: InputType;
  readonly instances: (partition: number) => readonly number[];
  /** The output it comes from; an upstream may feed two inputs from two outputs. */
  readonly output: string | undefined;
}

export interface Topology extends TopologySpec {
  readonly views: ReadonlySet<string>;
  /** Of one whose stages run as chains: what they are apart. */
  readonly logical?: Topology;
  readonly stage: (id: string) => AnyStage;
  /** Instances of a stage or topic. */
  readonly count: (id: string) => number;
  readonly routes: (id: string) => readonly Route[];
  readonly upstreams: (id: string) => readonly Upstream[];
  readonly strategy: (id: string) => StageStrategy;
}

export const DEAD_LETTER = 'dead-letter';
/** Names the stream of `actor/quarantine.ts`. */
export const QUARANTINE = 'quarantine';
/** Writes the first message of a mailbox that continues from repartitioned state (jobs/repartition.ts): without that state it cannot be read. */
export const REPARTITION = 'repartition';
/** Writes ticks into a mailbox. */
export const CLOCK = 'clock';
/** Sources that external publishers may use, below `rivulet.<source>.`. */
export const PUBLISHERS: ReadonlySet<string> = new Set(['events', 'items']);
/** Subject tokens that are not stage ids. */
const RESERVED = new Set([QUARANTINE, REPARTITION, CLOCK, ...PUBLISHERS]);

export const streamOf = (id: string): string => `RIVULET_${id.toUpperCase().replaceAll('-', '_')}`;
export const mailboxOf = (id: string, partition: number): string => `rivulet.${id}.${partition}.>`;
export const subjectOf = (to: string, q: number, from: string, p: number): string => `rivulet.${to}.${q}.${from}.${p}`;

/** The writer's id and instance in a mailbox subject. */
export function writerOf(subject: string): { readonly id: string; readonly partition: number } {
  const tokens = subject.split('.');
  return { id: tokens[3] ?? '', partition: Number(tokens[4]) };
}

export const isSource = (from: OutPort | Source): from is Source => 'kind' in from;
const fromId = (from: OutPort | Source): string => (isSource(from) ? from.id : from.stage);

export function defineTopology(spec: TopologySpec): Topology {
  const stages = new Map(spec.stages.map((stage) => [stage.id, stage]));
  const topics = new Map(spec.topics.map((topic) => [topic.id, topic]));
  const keyOf = (id: string): PartitionKey => stages.get(id)?.key ?? topics.get(id)?.key ?? 'source';
  const count = (id: string): number => countOf(spec.partitions, keyOf(id));
  /** Does instance p send to instance p only? */
  const straight = ({ from, to, by }: Edge): boolean =>
    by === 'same' || (by !== 'all' && keyOf(fromId(from)) === by && keyOf(to.stage) === by);

  validate(spec, stages, topics);

  const stage = (id: string): AnyStage => {
    const found = stages.get(id);
    if (found === undefined) throw fatal('TOPOLOGY_STAGE', `no stage ${id} in the topology`);
    return found;
  };
  const routes = (id: string): Route[] =>
    spec.edges
      .filter(({ from }) => !isSource(from) && from.stage === id)
      .map((e) => ({
        output: (e.from as OutPort).name,
        to: e.to.stage,
        input: e.to.name,
        by: straight(e) ? 'same' : e.by,
        targets: count(e.to.stage),
        compressed: topics.get(e.to.stage)?.compressed === true,
      }));
  const upstreams = (id: string): Upstream[] =>
    spec.edges
      .filter(({ to }) => to.stage === id)
      .map((e) => ({
        id: fromId(e.from),
        input: e.to.name,
        side: e.to.side,
        awaited: !isSource(e.from) || e.from.awaited,
        type: e.to.type,
        output: isSource(e.from) ? undefined : e.from.name,
        instances: (partition) =>
          straight(e) || isSource(e.from) ? [partition] : Array.from({ length: count(fromId(e.from)) }, (_, p) => p),
      }));
  const strategy = (id: string): StageStrategy => ({ ...STAGE_STRATEGY, ...spec.strategies?.[id] });
  return { views: new Set(), ...spec, stage, count, routes, upstreams, strategy };
}

function validate(
  { stages: list, topics: topicList, edges, partitions, strategies = {} }: TopologySpec,
  stages: ReadonlyMap<string, AnyStage>,
  topics: ReadonlyMap<string, Topic>,
): void {
  const problems: string[] = [];
  for (const [key, n] of Object.entries(partitions)) {
    if (!Number.isInteger(n) || n < 1) problems.push(`partitions.${key} must be a whole number from 1, not ${n}`);
  }
  if (stages.size !== list.length || topics.size !== topicList.length)
    problems.push('two stages or topics have one id');
  for (const [id, own] of Object.entries(strategies)) {
    if (!stages.has(id)) problems.push(`strategies.${id}: there is no such stage`);
    problems.push(...strategyProblems(id, own));
  }
  for (const id of [...stages.keys(), ...topics.keys()]) {
    if (!/^[a-z][a-z0-9-]*$/.test(id)) problems.push(`${id}: an id is kebab-case`);
    if (RESERVED.has(id)) problems.push(`${id}: the runtime has this name for something else`);
    if (!edges.some(({ to }) => to.stage === id)) problems.push(`${id}: nothing leads there`);
  }
  const keyOf = (id: string): PartitionKey | undefined => stages.get(id)?.key ?? topics.get(id)?.key;
  const fed = new Set<string>();
  for (const { from, to, by } of edges) {
    const name = `${fromId(from)} → ${to.stage}`;
    if (!stages.has(to.stage) && !topics.has(to.stage)) problems.push(`${name}: no such stage or topic`);
    if (isSource(from)) continue;
    if (!stages.has(from.stage)) problems.push(`${name}: no such upstream`);
    if (to.type !== from.type) problems.push(`${name}: ${from.name} and ${to.name} are of different frame types`);
    const [fromKey, toKey] = [keyOf(from.stage), keyOf(to.stage)];
    const [p, q] = [countOf(partitions, fromKey ?? 'source'), countOf(partitions, toKey ?? 'source')];
    if (by === 'same' && p !== q) {
      problems.push(`${name}: one for one needs as many partitions on both sides, not ${p} and ${q}`);
    }
    const straight = by === 'same' || (fromKey === by && toKey === by);
    if (by !== 'all' && !straight && from.type.columns[by] !== 'text') {
      problems.push(`${name}: cannot partition by ${by}, which is no text column of ${from.type.name}`);
    }
    // A message names its output, which identifies its input.
    if (fed.has(`${name} ${from.name}`)) problems.push(`${name}: one output goes to one input of a stage`);
    fed.add(`${name} ${from.name}`);
  }
  if (problems.length > 0) throw fatal('TOPOLOGY', `the topology is not sound: ${problems.join('; ')}`);
}

/** Where an instance's outputs go. */
export interface Destination {
  readonly to: string;
  readonly q: number;
  readonly subject: string;
}

export function destinationsOf(topology: Topology, stageId: string, partition: number): Destination[] {
  const found = new Map<string, Destination>();
  const add = (to: string, q: number): void => {
    const subject = subjectOf(to, q, stageId, partition);
    found.set(subject, { to, q, subject });
  };
  for (const { to, by, targets } of topology.routes(stageId)) {
    if (by === 'same') add(to, partition);
    else for (let q = 0; q < targets; q++) add(to, q);
  }
  // Any stage may reject input, so every instance has an output lane to the dead letters.
  if (topology.topics.some(({ id }) => id === DEAD_LETTER)) add(DEAD_LETTER, partition);
  return [...found.values()];
}

/** The stages that this instance alone feeds, other than by side inputs: it is their only input. */
export function fedAlone(topology: Topology, stageId: string, destinations: readonly Destination[]): Destination[] {
  const stages = new Set(topology.stages.map(({ id }) => id));
  const routes = topology
    .routes(stageId)
    .filter(({ to, by, input }) => by === 'same' && stages.has(to) && topology.stage(to).inputs[input]?.side === false);
  return destinations.filter(({ to }) => routes.some((route) => route.to === to));
}

export interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  /** How rows find their partition, after the output's name, unless it is obvious. */
  readonly label: string;
}

/** The edges as they are drawn. */
export const edgesOf = ({ edges }: Topology): DrawnEdge[] =>
  edges.map(({ from, to, by }) => ({
    from: fromId(from),
    to: to.stage,
    label: isSource(from) ? by : from.name === 'rows' ? `by ${by}` : `${from.name} by ${by}`,
  }));

/** The topology as a Mermaid flowchart. */
export function toMermaid(topology: Topology): string {
  const sources = new Set(topology.edges.flatMap(({ from }) => (isSource(from) ? [from.id] : [])));
  const shape = (id: string): string => (topology.topics.some((topic) => topic.id === id) ? `${id}[(${id})]` : id);
  const lines = edgesOf(topology).map(({ from, to, label }) => {
    const start = sources.has(from) ? `${from}([${from}])` : from;
    return `  ${start} -->|${label}| ${shape(to)}`;
  });
  const strategies = Object.entries(topology.strategies ?? {}).map(([id, own]) => {
    const differs = Object.entries(own).map(([name, value]) => `${name} ${value}`);
    return `  ${id}["${[id, ...differs].join('<br/>')}"]`;
  });
  return ['flowchart LR', ...lines, ...strategies].join('\n');
}
