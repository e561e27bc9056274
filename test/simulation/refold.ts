/**
 * The strongest oracle, whatever the topology: an actor's state is a fold of its mailbox. Each mailbox, as the log accepted it, is folded again
 * from its start without faults; what that says must be what was said, message by message and byte by byte, and the counters must agree.
 *
 * Where publishers' messages enter, batches are facts only for those who heard of them: there rows and ticks are compared, in order, and not how
 * they were cut.
 */
import { create, fromBinary, toBinary, toJsonString } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { withInput } from '../../runtime/actor/input-digest.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { rowsOf } from '../../runtime/frames/frame.js';
import { frameIn } from '../../runtime/frames/codec.js';
import { MailboxProcessor } from '../../runtime/actor/processor.js';
import { filtersOf } from '../../runtime/contract/streams.js';
import type { LogMessage } from '../../runtime/contract/ports.js';
import { type AnyStage, RAW } from '../../runtime/contract/stage.js';
import { NO_OUTPUT } from '../../runtime/actor/output-position.js';
import { matches } from '../support/memory-log.js';
import type { Accepted } from './log-server.js';
import type { SimulatedRun } from './job.js';
import { Violation } from './violation.js';

/** Checks every instance; gives its fold, for a look at its state. */
export function refolded(world: SimulatedRun): ReadonlyMap<string, MailboxProcessor> {
  const { topology } = world.job;
  const bySubject = acceptedBySubject(world);
  const folds = new Map<string, MailboxProcessor>();
  for (const { id } of topology.stages) {
    for (let partition = 0; partition < topology.count(id); partition++) {
      folds.set(`${id}/${partition}`, refold(world, bySubject, id, partition));
    }
  }
  return folds;
}

function acceptedBySubject({ server, job }: SimulatedRun): Map<string, Accepted[]> {
  const bySubject = new Map<string, Accepted[]>();
  for (const { id } of [...job.topology.stages, ...job.topology.topics]) {
    for (const accepted of server.history(streamOf(id))) {
      const { subject } = accepted.message;
      const known = bySubject.get(subject);
      if (known === undefined) bySubject.set(subject, [accepted]);
      else known.push(accepted);
    }
  }
  return bySubject;
}

function refold(
  world: SimulatedRun,
  bySubject: Map<string, Accepted[]>,
  id: string,
  partition: number,
): MailboxProcessor {
  const { topology } = world.job;
  const processor = new MailboxProcessor(topology, topology.stage(id), partition);
  const said = new Map<string, Uint8Array[]>(processor.destinations.map(({ subject }) => [subject, []]));
  const lines = new Map(
    [...said].map(([subject, letters]) => [
      subject,
      { published: NO_OUTPUT, enqueue: (_: unknown, data: Uint8Array) => letters.push(data) },
    ]),
  );
  let inputsDigest = 0;
  for (const message of mailbox(world, id, partition)) {
    const { sequence } = message;
    inputsDigest = withInput(inputsDigest, message);
    const { answer, ingestedAtMs } = processor.isRaw(message)
      ? { answer: processor.takeRaw([message]), ingestedAtMs: message.storedAtMs }
      : processor.take(message);
    const head = { first: sequence, sequence, inputsDigest, ...processor.head, ingestedAtMs };
    answer.enqueueTo(head, lines as unknown as Parameters<typeof answer.enqueueTo>[1]);
  }
  const entry = Object.values(processor.instance.stage.inputs).some(({ type }) => type === RAW);
  for (const [subject, letters] of said) {
    const accepted = (bySubject.get(subject) ?? [])
      .filter(({ envelope }) => envelope?.claim !== true)
      .map(({ message, envelope }) =>
        envelope === undefined
          ? message.data
          : toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...envelope, before: [] })),
      );
    if (entry) compareContents(subject, processor.instance.stage, letters, accepted);
    else compare(subject, letters, accepted);
  }
  const status = world.lives.find(({ stage, status: one }) => stage === id && one.partition === partition)!.status;
  const [found, expected] = [JSON.stringify(status.counters), JSON.stringify(processor.instance.counts())];
  if (found !== expected) throw new Violation(`${id}.${partition} has counted ${found}, its mailbox holds ${expected}`);
  return processor;
}

function compare(subject: string, expected: readonly Uint8Array[], accepted: readonly Uint8Array[]): void {
  for (let i = 0; i < Math.max(expected.length, accepted.length); i++) {
    const [wanted, found] = [expected[i], accepted[i]];
    if (wanted !== undefined && found !== undefined && Buffer.compare(wanted, found) === 0) continue;
    const what = `${subject}: of ${expected.length} messages, number ${i + 1}`;
    if (found === undefined) throw new Violation(`${what} was never said`);
    if (wanted === undefined) throw new Violation(`${what} is one too many`);
    throw new Violation(`${what} is ${textOf(found)}, not ${textOf(wanted)}`);
  }
}

const textOf = (data: Uint8Array): string => toJsonString(EnvelopeSchema, fromBinary(EnvelopeSchema, data));

function compareContents(
  subject: string,
  stage: AnyStage,
  expected: readonly Uint8Array[],
  accepted: readonly Uint8Array[],
): void {
  const contents = (data: Uint8Array): string[] => contentsOf(stage, data);
  const [wanted, found] = [expected.flatMap(contents), accepted.flatMap(contents)];
  for (let i = 0; i < Math.max(wanted.length, found.length); i++) {
    if (wanted[i] === found[i]) continue;
    throw new Violation(`${subject}: of ${wanted.length} rows, number ${i + 1} is ${found[i]}, not ${wanted[i]}`);
  }
}

/** Rows and ticks, as text. */
function contentsOf(stage: AnyStage, data: Uint8Array): string[] {
  const { body, output, tickMs, endsEpoch, endsInput } = fromBinary(EnvelopeSchema, data);
  const marks =
    tickMs === undefined && !endsEpoch && !endsInput ? [] : [JSON.stringify({ tickMs, endsEpoch, endsInput })];
  if (body.case !== 'frame' && body.case !== 'deflatedFrame') return marks;
  return [...rowsOf(frameIn(body, stage.outputs[output]!)!).map((row) => JSON.stringify(row)), ...marks];
}

/** The mailbox as inputs, one message at a time. */
function mailbox({ server, job }: SimulatedRun, id: string, partition: number): LogMessage[] {
  const filters = filtersOf(job.topology, id, partition);
  return server
    .history(streamOf(id))
    .map(({ message }) => message)
    .filter((message, i, all) => message !== all[i - 1])
    .filter(({ subject }) => filters.some((one) => matches(one, subject)));
}
