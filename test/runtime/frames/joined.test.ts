/** Messages of several parts (JOINED-1): all parts in order, and the output position of the last. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { type Envelope, EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { joined, partsIn } from '../../../runtime/frames/joined.js';

const part = (sequence: number, output: string): Envelope =>
  create(EnvelopeSchema, { sequence, output, traces: [{ traceparent: 'x'.repeat(sequence) }] });
const encoded = (parts: readonly Envelope[]): Uint8Array[] => parts.map((one) => toBinary(EnvelopeSchema, one));

it.each([1, 2, 3, 40])('gives %i parts back as they were', (count) => {
  // Lengths of one, two and three bytes as varints.
  const parts = Array.from({ length: count }, (_, i) => part(7 + i ** 3, `out-${i}`));
  const message = joined(encoded(parts));
  const found = partsIn(message);
  expect(found.map(({ sequence, output, traces }) => [sequence, output, traces])).toEqual(
    parts.map(({ sequence, output, traces }) => [sequence, output, traces]),
  );
  expect(fromBinary(EnvelopeSchema, message)).toMatchObject({ sequence: parts.at(-1)!.sequence });
});

it('leaves a message of one part as it is', () => {
  const [bytes] = encoded([part(1, 'rows')]);
  expect(joined([bytes!])).toBe(bytes);
});
