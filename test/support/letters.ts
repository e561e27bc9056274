/** Numbered messages as a stage's line sends them, to see what is stored and heard. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { OutputLane, Outbox } from '../../runtime/actor/outbox.js';
import type { Log, LogMessage } from '../../runtime/contract/ports.js';
import type { OutputPosition } from '../../runtime/actor/output-position.js';

export const letter = (sequence: number): readonly [OutputPosition, Uint8Array] => {
  const tag = { first: sequence, sequence, part: 0, lastPart: true, inputsDigest: 0 };
  return [tag, toBinary(EnvelopeSchema, create(EnvelopeSchema, tag))];
};

export const numbersOf = (messages: readonly LogMessage[]): number[] =>
  messages.map(({ data }) => fromBinary(EnvelopeSchema, data).sequence);

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export async function openLine(
  log: Log,
  stream: string,
  subject: string,
): Promise<{ readonly line: OutputLane; readonly outbox: Outbox }> {
  const lines = new Map<string, OutputLane>();
  const outbox = new Outbox(lines);
  const line = await OutputLane.open({
    ...{ log, stream, subject, clock: systemClock, logger: SILENT, signal: new AbortController().signal },
    onAcked: () => {
      outbox.wake();
    },
    onFailed: (error) => {
      outbox.fail(error);
    },
  });
  lines.set(subject, line);
  return { line, outbox };
}
