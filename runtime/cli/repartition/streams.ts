/** The streams of a repartition: those between stages are recreated, each mailbox with one initial message. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { destinationsOf, REPARTITION, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import type { Log } from '../../contract/ports.js';
import { type StreamLimits, streamsOf } from '../../contract/streams.js';
import { outputPositionOf } from '../../actor/output-position.js';
import { type Beginning, type Change, movedStages } from './state.js';

/** An output without a position: a writer that finds it as the last message of a subject has no outputs there yet. */
const NOTHING = toBinary(EnvelopeSchema, create(EnvelopeSchema, { lastPart: true }));
/** A claim of a writer that starts over: its readers keep their place. */
const READ_AGAIN = toBinary(EnvelopeSchema, create(EnvelopeSchema, { lastPart: true, claim: true }));

/** Streams of stages that the build of the deployment did not have: a node of this build would create them at its start. */
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

/** Repeated after an interruption: no node has read them. */
export async function streamsAnew(
  { before, after }: Change,
  archive: StreamArchive,
  log: Log,
  limits: StreamLimits,
): Promise<Map<string, Beginning>> {
  const moved = movedStages(after);
  // A chain has fewer than its stages have alone.
  const streams = new Set([...movedStages(before), ...moved].map(streamOf));
  for (const name of await archive.names()) if (streams.has(name)) await archive.delete(name);
  // The source's streams stay, with the new record of the deployment.
  for (const spec of streamsOf(after, { ...limits, payloadBytesMax: log.payloadBytesMax })) {
    await log.ensureStream(spec);
  }
  const beginnings = new Map<string, Beginning>();
  for (const id of moved) {
    // A snapshot cannot be at sequence 0; and an instance without state reads this message first, and finds that something is missing.
    for (let q = 0; q < after.count(id); q++)
      await log.publish(subjectOf(id, q, REPARTITION, 0), NOTHING, { expected: 0 });
    const { identity, lastSequence } = await log.info(streamOf(id));
    beginnings.set(id, { stream: identity, sequence: lastSequence });
  }
  for (const topology of [before, after]) {
    const own = movedStages(topology);
    for (const id of own) {
      for (let p = 0; p < topology.count(id); p++) await invalidatePositions(topology, id, p, new Set(own), log);
    }
  }
  return beginnings;
}

/** The messages of a browsable log have positions in a deleted stream: they stay, but their positions are not used any more. */
async function invalidatePositions(
  topology: Topology,
  id: string,
  p: number,
  moved: ReadonlySet<string>,
  log: Log,
): Promise<void> {
  for (const { to, subject } of destinationsOf(topology, id, p)) {
    if (moved.has(to)) continue;
    await invalidatePosition(log, streamOf(to), subject);
  }
}

/** The messages stay, but count as no outputs of the new streams. `sameInputs`: the inputs are the same ones, which are read again. */
export async function invalidatePosition(
  log: Log,
  stream: string,
  subject: string,
  { sameInputs = false } = {},
): Promise<void> {
  const last = await log.last(stream, subject);
  if (last === undefined || outputPositionOf(fromBinary(EnvelopeSchema, last.data)).sequence === 0) return;
  await log.publish(subject, sameInputs ? READ_AGAIN : NOTHING, { expected: last.sequence });
}
