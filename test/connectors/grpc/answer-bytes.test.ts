import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerBytes } from '../../../connectors/grpc/answer-bytes.js';
import type { Answer } from '../../../connectors/grpc/ports.js';
import { GetRecommendationsResponseSchema } from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { ANSWER } from './facade.js';

const optionalText = fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: undefined });
const item = fc.record({
  itemId: fc.string({ unit: 'binary' }),
  rank: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  score: fc.double(),
  category: optionalText,
  type: fc.string(),
  reason: optionalText,
  title: optionalText,
});
const answers: fc.Arbitrary<Answer> = fc.record({
  items: fc.array(item, { maxLength: 100 }),
  asOfMs: fc.option(fc.integer({ min: -1e15, max: 1e15 }), { nil: undefined }),
  model: fc.string(),
});

function viaMessage(userId: string, { items, asOfMs, model }: Answer): Uint8Array {
  const asOf = asOfMs === undefined ? undefined : timestampFromMs(asOfMs);
  const given = { userId, items: items.map((one) => ({ ...one })), model, ...(asOf && { asOf }) };
  return toBinary(GetRecommendationsResponseSchema, create(GetRecommendationsResponseSchema, given as object));
}

describe('the bytes of an answer', () => {
  it('are those of the message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), answers, (userId, answer) => {
        expect(answerBytes(userId, answer, 100)).toEqual(Buffer.from(viaMessage(userId, answer)));
      }),
      { numRuns: 60 },
    );
  });

  it('end with the limit', () => {
    const { items } = fromBinary(GetRecommendationsResponseSchema, answerBytes('512', ANSWER, 1));
    expect(items.map(({ itemId }) => itemId)).toEqual(['1004856']);
  });

  it('of one answer are not touched by the next', () => {
    const first = answerBytes('512', ANSWER, 10);
    const kept = Buffer.from(first);
    answerBytes('another', { ...ANSWER, model: 'x'.repeat(1000) }, 10);
    expect(first).toEqual(kept);
  });

  it('are refused for a rank that the message cannot hold, and fine again after that', () => {
    const wrong = { ...ANSWER, items: [{ ...ANSWER.items[0]!, rank: NaN }] };
    expect(() => answerBytes('512', wrong, 10)).toThrow(/uint32|NaN/);
    expect(answerBytes('512', ANSWER, 10)).toEqual(Buffer.from(viaMessage('512', ANSWER)));
  });
});
