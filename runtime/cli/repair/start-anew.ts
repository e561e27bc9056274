/**
 * Recomputes everything from the events that NATS still has: deletes the streams between stages with all outputs, the copies of state, and the
 * quarantine records, since those messages get another try. Events that are already missing are recorded as lost. The shared deployment record stays; that
 * of a popularity table is removed, since the table, or a newer one, is loaded again; and so are those of imported files, most of whose events are no longer
 * in NATS, so that they can be imported again. The record of a watched folder stays, as its rows are events of that mailbox: a file that was read again would
 * count twice with what is left of it.
 *
 * The mailbox of parse stays, since it has the events, and so do parse's dead letters and the history: its inputs keep their sequences, so that no dead
 * letter is published twice. The history is: without the events and ticks that were trimmed its rows are grouped otherwise, so no position says which of them
 * are in it; its readers drop repeated events. If the mailbox is another one, what is in these logs stays but no longer counts as output. The clock's messages
 * are deleted: earlier ones were trimmed, which would look like a gap.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { recordLoss } from '../../actor/quarantine.js';
import { nodesIn } from '../../cluster/entries.js';
import { fatal } from '../../contract/errors.js';
import {
  DEAD_LETTER,
  destinationsOf,
  isSource,
  mailboxOf,
  QUARANTINE,
  PUBLISHERS,
  streamOf,
  type Topology,
} from '../../contract/graph.js';
import { BUCKETS } from '../../node/buckets.js';
import { isImport, TABLE_KEY } from '../../node/deployment.js';
import type { Log } from '../../contract/ports.js';
import { readsEvents, streamInfo } from '../../contract/streams.js';
import { outputPositionOf } from '../../actor/output-position.js';
import { openBucket, openNodes } from '../buckets.js';
import { invalidatePosition } from '../repartition/streams.js';

/** Streams that are not mailboxes: they are created again on demand. */
const BESIDE = [`KV_${BUCKETS.manifests}`, `OBJ_${BUCKETS.objects}`];

export interface EventsLeft {
  /** Messages in the mailboxes of parse. */
  readonly messages: number;
  readonly firstAt: string | undefined;
  readonly lastAt: string | undefined;
}

const entryStages = (topology: Topology): string[] =>
  topology.stages
    .map(({ id }) => id)
    .filter((id) => topology.upstreams(id).some((upstream) => PUBLISHERS.has(upstream.id)));

/** Logs for people that entry stages write to. */
const entryLogs = ({ topics, edges }: Topology, entries: ReadonlySet<string>): ReadonlySet<string> =>
  new Set(
    topics
      .filter(
        ({ id, browsable }) =>
          browsable && edges.some(({ from, to }) => to.stage === id && !isSource(from) && entries.has(from.stage)),
      )
      .map(({ id }) => id),
  );

const allStreams = (topology: Topology): string[] => [...topology.stages, ...topology.topics].map(({ id }) => id);

export async function eventsLeft(topology: Topology, connection: NatsConnection): Promise<EventsLeft> {
  const manager = await jetstreamManager(connection);
  let messages = 0;
  let [firstAt, lastAt]: (string | undefined)[] = [];
  const present = await streamsOn(manager);
  for (const id of entryStages(topology).filter((one) => readsEvents(topology, one))) {
    if (!present.has(streamOf(id))) continue;
    const { state } = await manager.streams.info(streamOf(id), { subjects_filter: '>' });
    for (const [subject, count] of Object.entries(state.subjects ?? {})) if (!isClock(id, subject)) messages += count;
    if (state.messages > 0) [firstAt, lastAt] = [String(state.first_ts), String(state.last_ts)];
  }
  return { messages, firstAt, lastAt };
}

const isClock = (id: string, subject: string): boolean =>
  new RegExp(`^rivulet\\.${id}\\.\\d+\\.clock\\.`).test(subject);

/** Throws Fatal NATS_IN_USE when a node is live. */
export async function startAnew(topology: Topology, connection: NatsConnection, log: Log): Promise<void> {
  await mustBeAlone(connection);
  const manager = await jetstreamManager(connection);
  const present = await streamsOn(manager);
  const ids = allStreams(topology).filter((id) => present.has(streamOf(id)));
  const entries = new Set(entryStages(topology));
  const logs = entryLogs(topology, entries);
  for (const id of ids) {
    const stream = streamOf(id);
    if (entries.has(id)) {
      for (let p = 0; p < topology.count(id); p++) {
        await manager.streams.purge(stream, { filter: mailboxOf(id, p).replace('>', 'clock.*') });
      }
    } else if (logs.has(id)) {
      for (const { id: writer } of topology.stages) {
        if (!entries.has(writer)) await manager.streams.purge(stream, { filter: `rivulet.${id}.*.${writer}.*` });
      }
    } else await manager.streams.delete(stream);
  }
  const kept = new Set([...logs].filter((id) => present.has(streamOf(id))));
  for (const id of entries) await invalidateStalePositions(id, kept, topology, manager, log);
  const records = await openBucket(await StreamArchive.open(connection), connection, BUCKETS.deployment);
  for (const entry of (await records?.entries.entries()) ?? []) {
    if (entry.key === TABLE_KEY || isImport(entry)) await records!.entries.delete(entry.key);
  }
  for (const stream of BESIDE) if (present.has(stream)) await manager.streams.delete(stream);
  if (!present.has(streamOf(QUARANTINE))) return;
  await manager.streams.purge(streamOf(QUARANTINE));
  for (const id of ids.filter((one) => entries.has(one))) {
    const { lastSequence } = await log.info(streamOf(id));
    for (let partition = 0; lastSequence > 0 && partition < topology.count(id); partition++) {
      await recordLoss({ log, stage: { id }, partition }, [[1, lastSequence]]);
    }
  }
}

/** Ends lanes to these logs whose inputs are in a deleted stream, or whose sequences now belong to other messages, and those that are published again. */
async function invalidateStalePositions(
  id: string,
  logs: ReadonlySet<string>,
  topology: Topology,
  manager: JetStreamManager,
  log: Log,
): Promise<void> {
  const stream = streamOf(id);
  const { lastSequence = 0, origins = [] } = (await streamInfo(log, stream)) ?? {};
  const beganMs = lastSequence === 0 ? Infinity : Date.parse((await manager.streams.info(stream)).created);
  for (let p = 0; p < topology.count(id); p++) {
    for (const { to, subject } of destinationsOf(topology, id, p)) {
      if (!logs.has(to)) continue;
      const last = await log.last(streamOf(to), subject);
      if (last === undefined) continue;
      const { sequence } = outputPositionOf(fromBinary(EnvelopeSchema, last.data));
      // A restored stream is younger than its messages.
      const isOurs = last.storedAtMs >= beganMs || origins.some(({ upTo }) => upTo >= sequence);
      const sameInputs = sequence <= lastSequence && isOurs;
      if (!sameInputs || to !== DEAD_LETTER) await invalidatePosition(log, streamOf(to), subject, { sameInputs });
    }
  }
}

/** Checks all nodes, including those on other machines. */
export async function mustBeAlone(connection: NatsConnection): Promise<void> {
  const table = await openNodes(await StreamArchive.open(connection), connection);
  const live = table === undefined ? [] : nodesIn(await table.nodes.entries());
  if (live.length === 0) return;
  throw fatal('NATS_IN_USE', `nodes run on this NATS: ${live.map(({ id, name }) => `${id} (${name})`).join(', ')}`, {
    hint: 'stop them, then try again; one that was killed is forgotten within seconds',
  });
}

async function streamsOn(manager: JetStreamManager): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const name of manager.streams.names()) names.add(name);
  return names;
}
