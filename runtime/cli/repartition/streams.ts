/** The streams of a repartition: those between stages begin anew, with one message in each mailbox that says so. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { destinationsOf, REPARTITION, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import type { Log } from '../../contract/ports.js';
import { type StreamLimits, streamsOf } from '../../contract/streams.js';
import { outputPositionOf } from '../../actor/output-position.js';
import { type Beginning, type Change, movedStages } from './state.js';

/** Answers nothing: who finds it as the last message of a subject has said nothing there yet. */
const NOTHING = toBinary(EnvelopeSchema, create(EnvelopeSchema, { lastPart: true }));

/** Of stages that the build which made the deployment had not: a node of this one would make them when it starts. */
export async function addMissingStreams(
  topology: Topology,
  archive: StreamArchive,
  log: Log,
  limits: StreamLimits,
): Promise<void> {
  const present = new Set(await archive.names());
  for (const spec of streamsOf(topology, { ...limits, payloadBytesMax: log.payloadBytesMax })) {
    if (!present.has(spec.name)) await log.ensureStream(spec);
  }
}

/** All of it again when it was broken off: nobody has read them. */
export async function streamsAnew(
  { before, after }: Change,
  archive: StreamArchive,
  log: Log,
  limits: StreamLimits,
): Promise<Map<string, Beginning>> {
  const moved = movedStages(after);
  const streams = new Set(moved.map(streamOf));
  for (const name of await archive.names()) if (streams.has(name)) await archive.delete(name);
  // Those of the source stay, with the new record of the deployment.
  for (const spec of streamsOf(after, { ...limits, payloadBytesMax: log.payloadBytesMax })) {
    await log.ensureStream(spec);
  }
  const beginnings = new Map<string, Beginning>();
  for (const id of moved) {
    // Sequence 0 would be no snapshot; and who has none reads this first, and knows that something is missing.
    for (let q = 0; q < after.count(id); q++)
      await log.publish(subjectOf(id, q, REPARTITION, 0), NOTHING, { expected: 0 });
    const { identity, lastSequence } = await log.info(streamOf(id));
    beginnings.set(id, { stream: identity, sequence: lastSequence });
  }
  for (const topology of [before, after]) {
    for (const id of moved) {
      for (let p = 0; p < topology.count(id); p++) await endLines(topology, id, p, new Set(moved), log);
    }
  }
  return beginnings;
}

/** What is in a browsable log answers messages of a stream that is gone: it stays, and counts for nothing. */
async function endLines(
  topology: Topology,
  id: string,
  p: number,
  moved: ReadonlySet<string>,
  log: Log,
): Promise<void> {
  for (const { to, subject } of destinationsOf(topology, id, p)) {
    if (moved.has(to)) continue;
    await endLine(log, streamOf(to), subject);
  }
}

/** What is said there stays, and is taken for no answer any more. */
export async function endLine(log: Log, stream: string, subject: string): Promise<void> {
  const last = await log.last(stream, subject);
  if (last === undefined || outputPositionOf(fromBinary(EnvelopeSchema, last.data)).sequence === 0) return;
  await log.publish(subject, NOTHING, { expected: last.sequence });
}
