/**
 * A rivulet.v1.GetRecommendationsResponse written straight from an answer: the same bytes as `toBinary` of the message (a test compares
 * them), without building the messages first.
 */
import type { DescField } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  GetRecommendationsResponseSchema,
  RecommendedItemSchema,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import type { Answer, AnswerItem } from './ports.js';
import { asBuffer } from './service-definition.js';

const tag = (field: DescField, type: WireType): number => ((field.number << 3) | type) >>> 0;
const { LengthDelimited: BYTES, Varint: VARINT, Bit64: DOUBLE } = WireType;

const { field: inAnswer } = GetRecommendationsResponseSchema;
const USER_ID = tag(inAnswer.userId, BYTES);
const ITEM = tag(inAnswer.items, BYTES);
const AS_OF = tag(inAnswer.asOf, BYTES);
const MODEL = tag(inAnswer.model, BYTES);

const { field: inItem } = RecommendedItemSchema;
const ITEM_ID = tag(inItem.itemId, BYTES);
const RANK = tag(inItem.rank, VARINT);
const SCORE = tag(inItem.score, DOUBLE);
const CATEGORY = tag(inItem.category, BYTES);
const TYPE = tag(inItem.type, BYTES);
const REASON = tag(inItem.reason, BYTES);
const TITLE = tag(inItem.title, BYTES);

const SECONDS = tag(TimestampSchema.field.seconds, VARINT);
const NANOS = tag(TimestampSchema.field.nanos, VARINT);

/** Kept, with the buffer it has grown: an answer is written in one go. */
let writer = new BinaryWriter();

/** The bytes of the answer for a user, cut off after `limit` items. Throws when a number is not what the message can hold. */
export function answerBytes(userId: string, answer: Answer, limit: number): Buffer {
  const out = writer;
  try {
    text(out, USER_ID, userId);
    const { items, asOfMs } = answer;
    const length = Math.min(items.length, limit);
    for (let i = 0; i < length; i++) {
      out.uint32(ITEM).fork();
      writeItem(out, items[i]!);
      out.join();
    }
    if (asOfMs !== undefined) {
      out.uint32(AS_OF).fork();
      writeTime(out, asOfMs);
      out.join();
    }
    text(out, MODEL, answer.model);
    return asBuffer(out.finish());
  } catch (error) {
    writer = new BinaryWriter();
    throw error;
  }
}

function writeItem(out: BinaryWriter, item: AnswerItem): void {
  text(out, ITEM_ID, item.itemId);
  if (item.rank !== 0) out.uint32(RANK).uint32(item.rank);
  if (!Object.is(item.score, 0)) out.uint32(SCORE).double(item.score);
  if (item.category !== undefined) out.uint32(CATEGORY).string(item.category);
  text(out, TYPE, item.type);
  if (item.reason !== undefined) out.uint32(REASON).string(item.reason);
  if (item.title !== undefined) out.uint32(TITLE).string(item.title);
}

function writeTime(out: BinaryWriter, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.floor(ms - seconds * 1000) * 1e6;
  if (seconds !== 0) out.uint32(SECONDS).int64(seconds);
  if (nanos !== 0) out.uint32(NANOS).int32(nanos);
}

/** A field without presence: empty is not sent. */
function text(out: BinaryWriter, fieldTag: number, value: string): void {
  if (value !== '') out.uint32(fieldTag).string(value);
}
