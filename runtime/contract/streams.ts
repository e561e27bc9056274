/** Streams and mailbox filters, derived from the topology. */
import type { RivuletError } from './errors.js';
import { fatal, hasCode } from './errors.js';
import {
  CLOCK,
  isSource,
  mailboxOf,
  QUARANTINE,
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

/** The prefix that it was published to; `undefined` for internal subjects, and for subjects that a transform has rewritten. */
const openPrefix = (subject: string): string | undefined => OPEN_PREFIXES.find((prefix) => subject.startsWith(prefix));

/** Publishers' subjects are as many as users, and record no writer's position: they are trimmed as one. */
export const publishersSubject = (subject: string): string =>
  `${openPrefix(subject) ?? `${subject.split('.', 4).join('.')}.`}>`;

/** Is it a publishers' subject, as stored? */
export const isPublishers = (subject: string): boolean =>
  openPrefix(subject) !== undefined || PUBLISHERS.has(writerOf(subject).id);

export interface StreamLimits {
  readonly bytesMax: number;
  /** The server's payload limit. */
  readonly payloadBytesMax?: number;
  readonly replicas: number;
  /** The record of the deployment, once its nodes have agreed on it. */
  readonly deployment?: string;
}

/** Room in a dead letter beside the original, with a margin: subject, rule, reason, the envelope. */
export const DEAD_LETTER_BYTES = 16 * 1024;

/** The publishers that a stage reads. */
function publishersOf(topology: Topology, stageId: string): string | undefined {
  const reads = topology.edges.find(
    ({ from, to }) => isSource(from) && PUBLISHERS.has(from.id) && to.stage === stageId && to.type === RAW,
  );
  return reads && (reads.from as Source).id;
}

export const hasPublishers = (topology: Topology, stageId: string): boolean =>
  publishersOf(topology, stageId) !== undefined;

/** Does a stage read published events? */
export const readsEvents = (topology: Topology, stageId: string): boolean =>
  publishersOf(topology, stageId) === 'events';

/** The browsable log of a subject. Its messages are for people, and never trimmed. */
export const browsableLogOf = (topology: Topology, subject: string): string | undefined =>
  topology.topics.find(({ id, browsable }) => browsable && subject.startsWith(`rivulet.${id}.`))?.id;

export function streamsOf(topology: Topology, limits: StreamLimits): StreamSpec[] {
  const { bytesMax, replicas, deployment } = limits;
  const ids = [...topology.stages.map(({ id }) => id), ...topology.topics.map(({ id }) => id)];
  const streams = ids.map((id): StreamSpec => {
    const open = publishersOf(topology, id);
    const partitions = topology.count(id);
    const topic = topology.topics.find((one) => one.id === id);
    const { retention } = topic ?? {};
    return {
      name: streamOf(id),
      subjects: open === undefined ? [`rivulet.${id}.>`] : [openSubject(open), `rivulet.${id}.>`],
      ...{ bytesMax: retention?.bytes ?? bytesMax, replicas },
      ...(retention === undefined ? {} : { ageMaxMs: retention.ageMs }),
      // A dead letter contains the original and the reason: the limit must leave room for both.
      ...(open !== undefined && limits.payloadBytesMax !== undefined
        ? { messageBytesMax: limits.payloadBytesMax - DEAD_LETTER_BYTES }
        : {}),
      // Items keep the order in which they were published, so all of them go to partition 0.
      ...(open === 'events' && partitions > 1
        ? {
            transform: {
              from: 'rivulet.events.*.*',
              to: `rivulet.${id}.{{partition(${partitions},2)}}.events.{{wildcard(1)}}.{{wildcard(2)}}`,
            },
          }
        : {}),
      ...(deployment === undefined || !topology.stages.some((stage) => stage.id === id) ? {} : { deployment }),
      // People read these logs; no consumer's progress may depend on them, so the oldest messages are dropped first.
      dropsOldest: topic?.browsable === true,
    };
  });
  // Not a mailbox, and not bounded as one: the quarantine records, see `actor/quarantine.ts`.
  return [
    ...streams,
    { name: streamOf(QUARANTINE), subjects: [`rivulet.${QUARANTINE}.>`], bytesMax, replicas, dropsOldest: false },
  ];
}

export function filtersOf(topology: Topology, stageId: string, partition: number): string[] {
  const open = publishersOf(topology, stageId);
  // Sequences show missing messages (log-integrity/gaps.ts), so all subjects are read, also foreign ones.
  const own = readsAll(topology, stageId) ? `rivulet.${stageId}.>` : mailboxOf(stageId, partition);
  return open !== undefined && partition === 0 ? [own, openSubject(open)] : [own];
}

/** The last message that one of the filters matches; 0 for none. */
export async function mailboxEnd(log: Log, stream: string, filters: readonly string[]): Promise<number> {
  const lasts = await Promise.all(filters.map((filter) => log.last(stream, filter)));
  return Math.max(0, ...lasts.map((last) => last?.sequence ?? 0));
}

/** Does an instance read all messages of its stream, including publishers'? Then a missing one is detected. */
export const readsAll = (topology: Topology, stageId: string): boolean =>
  hasPublishers(topology, stageId) && topology.count(stageId) === 1;

/** The subjects of a mailbox: those of writers, whose last message is the writer's record, and those of publishers, which have no single writer. */
export function mailboxSubjects(topology: Topology, stageId: string, partition: number) {
  const writers = topology
    .upstreams(stageId)
    .flatMap(({ id, instances }) => instances(partition).map((p) => subjectOf(stageId, partition, id, p)));
  const publishers = filtersOf(topology, stageId, partition).slice(1);
  if (publishersOf(topology, stageId) === 'events') publishers.push(`rivulet.${stageId}.${partition}.events.>`);
  return { writers: [...new Set([...writers, subjectOf(stageId, partition, CLOCK, partition)])], publishers };
}

/** Subjects of a mailbox with a writer of the topology; messages on others, except publishers', are foreign. */
export const writersOf = (topology: Topology, stageId: string, partition: number): ReadonlySet<string> =>
  new Set([...mailboxSubjects(topology, stageId, partition).writers, subjectOf(stageId, partition, REPARTITION, 0)]);

/** The stream of this name exists while a restore is under way, or after it was interrupted. */
export const RESTORING_STREAM = 'RIVULET_RESTORING';

/** The same for a repartition. */
export const REPARTITIONING_STREAM = 'RIVULET_REPARTITIONING';

export const restoreUnfinished = (): RivuletError =>
  fatal('RESTORE_UNFINISHED', 'a restore is under way on this NATS, or was interrupted', {
    hint: 'wait for it, or run rivulet restore again with --replace',
  });

/** `undefined`: the stream does not exist. */
export const streamInfo = (log: Log, stream: string): Promise<StreamInfo | undefined> =>
  log.info(stream).catch((error: unknown) => {
    if (hasCode(error, 'STREAM_NOT_FOUND')) return undefined;
    throw error;
  });

/** Fatal RESTORE_UNFINISHED, REPARTITION_UNFINISHED: some streams may be missing, and must not be created empty. */
export async function ensureStreams(log: Log, topology: Topology, limits: StreamLimits): Promise<void> {
  if ((await streamInfo(log, RESTORING_STREAM)) !== undefined) throw restoreUnfinished();
  if ((await streamInfo(log, REPARTITIONING_STREAM)) !== undefined) {
    throw fatal('REPARTITION_UNFINISHED', 'a repartition is under way on this NATS, or was interrupted', {
      hint:
        'wait for it, or run the same rivulet repartition again on the same data directory: it goes on where it stopped. ' +
        'Where that one is lost, see rivulet repair',
    });
  }
  const specs = streamsOf(topology, { ...limits, payloadBytesMax: log.payloadBytesMax });
  await Promise.all(specs.map((spec) => log.ensureStream(spec)));
}
