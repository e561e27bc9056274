/** The rows of a topic, or of a mailbox, as the log accepted them. */
import { type PlainRow } from '../support/topology-driver.js';
import { rowsOf } from '../../runtime/frames/frame.js';
import { frameIn } from '../../runtime/frames/codec.js';
import { isSource, streamOf, writerOf } from '../../runtime/contract/graph.js';
import { RAW } from '../../runtime/contract/stage.js';
import type { SimulatedRun } from './job.js';

export interface SaidMessage {
  readonly subject: string;
  /** Of the stage that reads it; absent where it has no rows. */
  readonly input: string | undefined;
  readonly rows: readonly PlainRow[];
  readonly epoch: number;
  readonly endsEpoch: boolean;
  readonly endsInput: boolean;
}

export function messagesSaid(world: SimulatedRun, id: string): SaidMessage[] {
  const { topology } = world.job;
  return world.server.history(streamOf(id)).flatMap(({ message: { subject }, envelope }) => {
    if (envelope === undefined || envelope.claim) return [];
    const { body, output, epoch, endsEpoch, endsInput } = envelope;
    const hasRows = body.case === 'frame' || body.case === 'deflatedFrame';
    const writer = writerOf(subject).id;
    const type = hasRows ? topology.stage(writer).outputs[output] : undefined;
    const frame = type === undefined || (type as unknown) === RAW ? undefined : frameIn(body, type);
    const rows: PlainRow[] = frame === undefined ? [] : rowsOf(frame);
    const read = topology.edges.find(
      ({ from, to }) => !isSource(from) && from.stage === writer && from.name === output && to.stage === id,
    );
    return [{ subject, input: read?.to.name, rows, epoch, endsEpoch, endsInput }];
  });
}

export const rowsSaid = (world: SimulatedRun, id: string): PlainRow[] =>
  messagesSaid(world, id).flatMap(({ rows }) => rows);
