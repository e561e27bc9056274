/** Streams and mailbox filters, derived from the topology. */
import type { RivuletError } from './errors.js';
import { fatal, hasCode } from './errors.js';
import {
  CLOCK,
  isSource,
  mailboxOf,
  POISON,
  PUBLISHERS,
  REPARTITION,
  type Source,
  streamOf,
  subjectOf,
  type Topology,
  writerOf,
} from './graph.js';
import type { Log, StreamInfo, StreamSpec } from './ports.js';
import { RAW } from './stage.js';

/** Where publishers send events: `rivulet.events.<type>`, or `rivulet.events.<type>.<user_id>` to spread them over partitions. */
export const EVENTS_SUBJECT = 'rivulet.events.>';
/** And items of the catalogue: `rivulet.items.<whatever>`. */
export const ITEMS_SUBJECT = 'rivulet.items.>';

const openSubject = (source: string): string => `rivulet.${source}.>`;
const OPEN_PREFIXES = [...PUBLISHERS].map((source) => `rivulet.${source}.`);

/** Where it was published; `undefined` of what is written between stages, and of what a transform has spread. */
const openPrefix = (subject: string): string | undefined => OPEN_PREFIXES.find((prefix) => subject.startsWith(prefix));

/** Publishers' subjects are as many as users, and no writer's record: they are trimmed as one. */
export const publishersSubject = (subject: string): string =>
  `${openPrefix(subject) ?? `${subject.split('.', 4).join('.')}.`}>`;

/** Is it on a subject of publishers, as it is stored? */
export const isPublishers = (subject: string): boolean =>
  openPrefix(subject) !== undefined || PUBLISHERS.has(writerOf(subject).id);

export interface StreamLimits {
  readonly bytesMax: number;
  /** What the server takes in one message. */
  readonly payloadBytesMax?: number;
  readonly replicas: number;
  /** The record of the deployment, once its nodes have agreed on it. */
  readonly deployment?: string;
}

/** What a dead letter needs beside the original, with room to spare: subject, rule, reason, the envelope. */
export const DEAD_LETTER_BYTES = 16 * 1024;

/** Which publishers a stage reads. */
function publishersOf(topology: Topology, stageId: string): string | undefined {
  const reads = topology.edges.find(
    ({ from, to }) => isSource(from) && PUBLISHERS.has(from.id) && to.stage === stageId && to.type === RAW,
  );
  return reads && (reads.from as Source).id;
}

export const hasPublishers = (topology: Topology, stageId: string): boolean =>
  publishersOf(topology, stageId) !== undefined;

/** Whether it is events that a stage reads of publishers. */
export const readsEvents = (topology: Topology, stageId: string): boolean =>
  publishersOf(topology, stageId) === 'events';

/** The browsable log that a subject is of. What is in there is for people, and stays: nobody trims it. */
export const browsableLogOf = (topology: Topology, subject: string): string | undefined =>
  topology.topics.find(({ id, browsable }) => browsable && subject.startsWith(`rivulet.${id}.`))?.id;

export function streamsOf(topology: Topology, limits: StreamLimits): StreamSpec[] {
  const { bytesMax, replicas, deployment } = limits;
  const ids = [...topology.stages.map(({ id }) => id), ...topology.topics.map(({ id }) => id)];
  const streams = ids.map((id): StreamSpec => {
    const open = publishersOf(topology, id);
    const partitions = topology.count(id);
    return {
      name: streamOf(id),
      subjects: open === undefined ? [`rivulet.${id}.>`] : [openSubject(open), `rivulet.${id}.>`],
      ...{ bytesMax, replicas },
      // A dead letter holds the original and says why: what the server lets in must leave room for that.
      ...(open !== undefined && limits.payloadBytesMax !== undefined
        ? { messageBytesMax: limits.payloadBytesMax - DEAD_LETTER_BYTES }
        : {}),
      // Items stay in the order in which they were published, so all of them are partition 0's.
      ...(open === 'events' && partitions > 1
        ? {
            transform: {
              from: 'rivulet.events.*.*',
              to: `rivulet.${id}.{{partition(${partitions},2)}}.events.{{wildcard(1)}}.{{wildcard(2)}}`,
            },
          }
        : {}),
      ...(deployment === undefined || !topology.stages.some((stage) => stage.id === id) ? {} : { deployment }),
      // People read these at leisure; nobody's progress may depend on it, so the oldest go first.
      dropsOldest: topology.topics.some((topic) => topic.id === id && topic.browsable),
    };
  });
  // No mailbox, and not bounded by one: what is buried, see `actor/quarantine.ts`.
  return [
    ...streams,
    { name: streamOf(POISON), subjects: [`rivulet.${POISON}.>`], bytesMax, replicas, dropsOldest: false },
  ];
}

export function filtersOf(topology: Topology, stageId: string, partition: number): string[] {
  const open = publishersOf(topology, stageId);
  // Of what is missing there the sequences tell (log-integrity/gaps.ts): so all of it is read, also what a stranger has written where nobody reads.
  const own = readsAll(topology, stageId) ? `rivulet.${stageId}.>` : mailboxOf(stageId, partition);
  return open !== undefined && partition === 0 ? [own, openSubject(open)] : [own];
}

/** The last message that one of the filters matches; 0 for none. */
export async function mailboxEnd(log: Log, stream: string, filters: readonly string[]): Promise<number> {
  const lasts = await Promise.all(filters.map((filter) => log.last(stream, filter)));
  return Math.max(0, ...lasts.map((last) => last?.sequence ?? 0));
}

/** Does an instance read all messages of its stream, and publishers' among them? Then one that is missing shows. */
export const readsAll = (topology: Topology, stageId: string): boolean =>
  hasPublishers(topology, stageId) && topology.count(stageId) === 1;

/** What a mailbox holds: subjects of writers, each of whose last message is its record, and of publishers, which are nobody's. */
export function mailboxSubjects(topology: Topology, stageId: string, partition: number) {
  const writers = topology
    .upstreams(stageId)
    .flatMap(({ id, instances }) => instances(partition).map((p) => subjectOf(stageId, partition, id, p)));
  const publishers = filtersOf(topology, stageId, partition).slice(1);
  if (publishersOf(topology, stageId) === 'events') publishers.push(`rivulet.${stageId}.${partition}.events.>`);
  return { writers: [...new Set([...writers, subjectOf(stageId, partition, CLOCK, partition)])], publishers };
}

/** Subjects of a mailbox that somebody of ours writes to; what is on others, but for publishers', a stranger has written. */
export const writersOf = (topology: Topology, stageId: string, partition: number): ReadonlySet<string> =>
  new Set([...mailboxSubjects(topology, stageId, partition).writers, subjectOf(stageId, partition, REPARTITION, 0)]);

/** A restore is under way, or was broken off: a stream of this name. */
export const RESTORING_STREAM = 'RIVULET_RESTORING';

/** A repartition is. */
export const REPARTITIONING_STREAM = 'RIVULET_REPARTITIONING';

export const restoreUnfinished = (): RivuletError =>
  fatal('RESTORE_UNFINISHED', 'a restore is under way on this NATS, or was broken off', {
    hint: 'wait for it, or run rivulet restore again with --replace',
  });

/** `undefined`: there is no such stream. */
export const streamInfo = (log: Log, stream: string): Promise<StreamInfo | undefined> =>
  log.info(stream).catch((error: unknown) => {
    if (hasCode(error, 'STREAM_NOT_FOUND')) return undefined;
    throw error;
  });

/** Fatal RESTORE_UNFINISHED, REPARTITION_UNFINISHED: some streams may be there and others not, and those must not be made anew. */
export async function ensureStreams(log: Log, topology: Topology, limits: StreamLimits): Promise<void> {
  if ((await streamInfo(log, RESTORING_STREAM)) !== undefined) throw restoreUnfinished();
  if ((await streamInfo(log, REPARTITIONING_STREAM)) !== undefined) {
    throw fatal('REPARTITION_UNFINISHED', 'a repartition is under way on this NATS, or was broken off', {
      hint:
        'wait for it, or run the same rivulet repartition again on the same data directory: it goes on where it stopped. ' +
        'Where that one is lost, see rivulet repair',
    });
  }
  const specs = streamsOf(topology, { ...limits, payloadBytesMax: log.payloadBytesMax });
  await Promise.all(specs.map((spec) => log.ensureStream(spec)));
}
