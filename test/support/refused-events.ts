/** Dead letters as the runtime writes them, and what is in a stream. */
import { create, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { deadLetters } from '../../runtime/dead-letters/frame.js';
import { FrameBuilder, type Row } from '../../runtime/frames/frame.js';
import { encodeFrame } from '../../runtime/frames/codec.js';
import { streamOf, subjectOf } from '../../runtime/contract/graph.js';
import type { Log, LogMessage } from '../../runtime/contract/ports.js';

/** A row of a dead-letter frame; what is not given is as in REFUSED. */
export interface Refused extends Partial<Omit<Row<typeof deadLetters.columns>, 'original'>> {
  readonly original: string | Uint8Array;
}

export const REFUSED: Omit<Refused, 'original'> = {
  subject: 'rivulet.parse.2.events.view.u1',
  sequence: 77,
  stage: 'parse',
  rule: 'price_negative',
  field: 'price',
  reason: 'price is -1: send 0 or more',
  storedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
};

/** One message of the topic, as an instance's outbox writes it; gives its sequence. */
export async function refuseEvents(log: Log, rows: readonly Refused[], output = 'deadLetters'): Promise<number> {
  const builder = new FrameBuilder(deadLetters, 4);
  for (const { original, ...row } of rows) {
    builder.add({ ...REFUSED, ...row });
    const bytes = Buffer.from(original);
    const { codes, dictionary } = builder.columns.original;
    codes[builder.rows - 1] = dictionary.add(bytes, 0, bytes.length);
  }
  const body = { case: 'frame' as const, value: encodeFrame(builder.finish()) };
  const envelope = create(EnvelopeSchema, { first: 1, sequence: 1, lastPart: true, output, body });
  return log.publish(subjectOf('dead-letter', 0, 'parse', 0), toBinary(EnvelopeSchema, envelope));
}

/** Everything that is in a stream now. */
export async function messagesIn(log: Log, stream: string): Promise<LogMessage[]> {
  const { firstSequence, lastSequence } = await log.info(streamOf(stream));
  const found: LogMessage[] = [];
  if (firstSequence > lastSequence) return found;
  const reader = await log.read(streamOf(stream), { filters: ['rivulet.>'], from: firstSequence });
  while ((found.at(-1)?.sequence ?? 0) < lastSequence) {
    for (const message of await reader.take(100)) found.push({ ...message, data: message.data.slice() });
  }
  await reader.close();
  return found;
}
