/** Encodes answers as rivulet.v1.GetRecommendationsResponse and the messages that contain it, without intermediate objects. */
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  BatchGetRecommendationsResponseSchema,
  ContributionSchema,
  GetRecommendationsResponseSchema,
  RecommendedItemSchema,
  StreamRecommendationsResponseSchema,
} from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { tag, writeCount, writeDouble, writeFlag, writeText, writeTime, written } from './message-writing.js';
import type { Answer, AnswerItem } from '../../facade/ports.js';

const { LengthDelimited: BYTES, Varint: VARINT, Bit64: DOUBLE } = WireType;

const OF_BATCH = tag(BatchGetRecommendationsResponseSchema.field.recommendations, BYTES);
const OF_STREAM = tag(StreamRecommendationsResponseSchema.field.recommendations, BYTES);

const { field: inAnswer } = GetRecommendationsResponseSchema;
const USER_ID = tag(inAnswer.userId, BYTES);
const ITEM = tag(inAnswer.items, BYTES);
const AS_OF = tag(inAnswer.asOf, BYTES);
const MODEL = tag(inAnswer.model, BYTES);
const STALE = tag(inAnswer.stale, VARINT);
const AGE = tag(inAnswer.age, BYTES);
const STRATEGY = tag(inAnswer.strategy, BYTES);
const ARM = tag(inAnswer.arm, BYTES);

const { field: inItem } = RecommendedItemSchema;
const ITEM_ID = tag(inItem.itemId, BYTES);
const RANK = tag(inItem.rank, VARINT);
const SCORE = tag(inItem.score, DOUBLE);
const CATEGORY = tag(inItem.category, BYTES);
const TYPE = tag(inItem.type, BYTES);
const REASON = tag(inItem.reason, BYTES);
const TITLE = tag(inItem.title, BYTES);
const BRAND = tag(inItem.brand, BYTES);
const PRICE = tag(inItem.price, DOUBLE);
const CONTRIBUTION = tag(inItem.contributions, BYTES);

const { field: inContribution } = ContributionSchema;
const SOURCE = tag(inContribution.source, BYTES);
const SHARE = tag(inContribution.share, DOUBLE);

/** Lists are read more often than they change. */
const encoded = new WeakMap<object, { readonly limit: number; readonly items: Uint8Array }>();

/** The answer for a user, limited to `limit` items. */
export function answerBytes(userId: string, answer: Answer, limit: number): Buffer {
  const items = itemsBytes(answer, limit);
  return written((out) => writeAnswer(out, userId, answer, items));
}

/** rivulet.v1.BatchGetRecommendationsResponse: the answers for users, in the same order. */
export function batchBytes(userIds: readonly string[], answers: readonly Answer[], limit: number): Buffer {
  const items = answers.map((answer) => itemsBytes(answer, limit));
  return written((out) => {
    for (const [i, userId] of userIds.entries()) {
      out.uint32(OF_BATCH).fork();
      writeAnswer(out, userId, answers[i]!, items[i]!);
      out.join();
    }
  });
}

/** rivulet.v1.StreamRecommendationsResponse; `timeless`: without `as_of` and `age`, to compare everything else. */
export function streamedBytes(userId: string, answer: Answer, limit: number, timeless = false): Buffer {
  const items = itemsBytes(answer, limit);
  const { asOfMs: _, staleMs, ...others } = answer;
  const facts = timeless ? { ...others, staleMs: staleMs && 0 } : answer;
  return written((out) => {
    out.uint32(OF_STREAM).fork();
    writeAnswer(out, userId, facts, items);
    out.join();
  });
}

function itemsBytes(answer: Answer, limit: number): Uint8Array {
  const { sameAs } = answer;
  const known = sameAs && encoded.get(sameAs);
  if (known?.limit === limit) return known.items;
  const { items } = answer;
  const bytes = written((out) => {
    const length = Math.min(items.length, limit);
    for (let i = 0; i < length; i++) {
      out.uint32(ITEM).fork();
      writeItem(out, items[i]!);
      out.join();
    }
  });
  if (sameAs !== undefined) encoded.set(sameAs, { limit, items: bytes });
  return bytes;
}

function writeAnswer(
  out: BinaryWriter,
  userId: string,
  { asOfMs, model, strategy, arm = '', staleMs }: Pick<Answer, 'asOfMs' | 'model' | 'strategy' | 'arm' | 'staleMs'>,
  items: Uint8Array,
): void {
  writeText(out, USER_ID, userId);
  out.raw(items);
  writeTime(out, AS_OF, asOfMs);
  writeText(out, MODEL, model);
  writeFlag(out, STALE, staleMs !== undefined);
  writeTime(out, AGE, staleMs);
  writeText(out, STRATEGY, strategy);
  writeText(out, ARM, arm);
}

function writeItem(out: BinaryWriter, item: AnswerItem): void {
  writeText(out, ITEM_ID, item.itemId);
  writeCount(out, RANK, item.rank);
  writeDouble(out, SCORE, item.score);
  if (item.category !== undefined) out.uint32(CATEGORY).string(item.category);
  writeText(out, TYPE, item.type);
  if (item.reason !== undefined) out.uint32(REASON).string(item.reason);
  if (item.title !== undefined) out.uint32(TITLE).string(item.title);
  if (item.brand !== undefined) out.uint32(BRAND).string(item.brand);
  if (item.price !== undefined) out.uint32(PRICE).double(item.price);
  for (const { source, share } of item.contributions ?? []) {
    out.uint32(CONTRIBUTION).fork();
    writeText(out, SOURCE, source);
    writeDouble(out, SHARE, share);
    out.join();
  }
}
