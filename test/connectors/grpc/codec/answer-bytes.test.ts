import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRATEGIES } from '../../../../actors/model.js';
import { answerBytes, batchBytes, streamedBytes } from '../../../../connectors/grpc/codec/answer-bytes.js';
import type { Answer } from '../../../../connectors/facade/ports.js';
import {
  BatchGetRecommendationsResponseSchema,
  type GetRecommendationsResponse,
  GetRecommendationsResponseSchema,
  StreamRecommendationsResponseSchema,
} from '../../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { ANSWER } from '../facade.js';

const optionalText = fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: undefined });
const item = fc.record({
  itemId: fc.string({ unit: 'binary' }),
  rank: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  score: fc.double(),
  category: optionalText,
  type: fc.string(),
  reason: optionalText,
  title: optionalText,
  brand: optionalText,
  price: fc.option(fc.double(), { nil: undefined }),
});
const answers: fc.Arbitrary<Answer> = fc.record({
  items: fc.array(item, { maxLength: 30 }),
  asOfMs: fc.option(fc.integer({ min: -1e15, max: 1e15 }), { nil: undefined }),
  staleMs: fc.option(fc.integer({ min: 0, max: 1e12 }), { nil: undefined }),
  model: fc.string(),
  strategy: fc.constantFrom(...STRATEGIES),
});

function messageOf(userId: string, { items, asOfMs, staleMs, model, strategy }: Answer): GetRecommendationsResponse {
  const asOf = asOfMs === undefined ? undefined : timestampFromMs(asOfMs);
  const given = { userId, items: items.map((one) => ({ ...one })), model, strategy, ...(asOf && { asOf }) };
  if (staleMs !== undefined) Object.assign(given, { stale: true, age: durationFromMs(staleMs) });
  return create(GetRecommendationsResponseSchema, given as object);
}

const viaMessage = (userId: string, answer: Answer): Uint8Array =>
  toBinary(GetRecommendationsResponseSchema, messageOf(userId, answer));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the bytes of an answer', () => {
  it('are those of the message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), answers, (userId, answer) => {
        expect(hex(answerBytes(userId, answer, 100))).toBe(hex(viaMessage(userId, answer)));
      }),
      { numRuns: 60 },
    );
  });

  it('are made once for answers that say that they are the same, by limit', () => {
    let looks = 0;
    const sameAs = {};
    const answer = (asOfMs: number): Answer => ({
      model: 'm',
      strategy: 'category-popularity',
      asOfMs,
      sameAs,
      get items() {
        looks++;
        return ANSWER.items;
      },
    });
    const expected = (userId: string, asOfMs: number, limit: number): string =>
      hex(
        viaMessage(userId, {
          items: ANSWER.items.slice(0, limit),
          asOfMs,
          model: 'm',
          strategy: 'category-popularity',
        }),
      );
    for (const [user, asOfMs, limit, seen] of [
      ['ann', 1, 2, 1],
      ['bob', 2, 2, 1],
      ['bob', 3, 1, 2],
      ['ann', 4, 1, 2],
    ] as const) {
      expect(hex(answerBytes(user, answer(asOfMs), limit))).toBe(expected(user, asOfMs, limit));
      expect(looks).toBe(seen);
    }
  });

  it('within another message are those of that', () => {
    const users = fc.array(fc.tuple(fc.string({ unit: 'binary' }), answers), { maxLength: 5 });
    fc.assert(
      fc.property(users, (given) => {
        const recommendations = given.map(([userId, answer]) => messageOf(userId, answer));
        const batch = create(BatchGetRecommendationsResponseSchema, { recommendations });
        const [ids, all] = [given.map(([userId]) => userId), given.map(([, answer]) => answer)];
        expect(hex(batchBytes(ids, all, 100))).toBe(hex(toBinary(BatchGetRecommendationsResponseSchema, batch)));
        for (const [i, one] of recommendations.entries()) {
          const streamed = create(StreamRecommendationsResponseSchema, { recommendations: one });
          const bytes = hex(toBinary(StreamRecommendationsResponseSchema, streamed));
          expect(hex(streamedBytes(ids[i]!, all[i]!, 100))).toBe(bytes);
        }
      }),
      { numRuns: 30 },
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
