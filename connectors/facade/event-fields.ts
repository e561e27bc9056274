/** The rules of rivulet.v1.Event, checked before an event is stored, so that its publisher hears of a mistake at once. */
import { fromBinary } from '@bufbuild/protobuf';
import type { EventType } from '../../actors/model.js';
import { type Event, EventSchema, EventType as Type } from '../../proto/gen/rivulet/v1/event_pb.js';
import { textProblem } from './errors/text-problem.js';
import type { FieldViolation } from './errors/fault.js';

const REVIEW_CHARS_MAX = 5000;
const [RATING_MIN, RATING_MAX] = [0.5, 5];

/** By the numbers of the enum; the first is "not said". */
const TYPES: readonly (EventType | undefined)[] = [
  undefined,
  'view',
  'cart',
  'purchase',
  'remove_from_cart',
  'click',
  'rating',
];

const NAMES = [
  ['user_id', 'userId'],
  ['item_id', 'itemId'],
  ['event_id', 'eventId'],
  ['category_code', 'categoryCode'],
  ['brand', 'brand'],
  ['session_id', 'sessionId'],
] as const;

/** What the publisher of an event needs to know of it. */
export interface SoundEvent {
  readonly type: EventType;
  readonly userId: string;
}

/** Reads the bytes of one event; `latestMs` is the latest event time that is believed. */
export function soundEvent(bytes: Uint8Array, latestMs: number): SoundEvent | FieldViolation {
  let event: Event;
  try {
    event = fromBinary(EventSchema, bytes);
  } catch {
    return { field: '', description: `the bytes are not a ${EventSchema.typeName}, or a text is not UTF-8` };
  }
  return checkedEvent(event, latestMs);
}

/** Of an event that is read already, from whatever it came in. */
export function checkedEvent(event: Event, latestMs: number): SoundEvent | FieldViolation {
  const type = TYPES[event.eventType];
  if (type === undefined) {
    return {
      field: 'event_type',
      description: `${event.eventType === Type.UNSPECIFIED ? 'is required' : `is ${event.eventType}`}, must be one of ${TYPES.slice(1).join(', ')} (1 to 6)`,
    };
  }
  return nameProblem(event) ?? timeProblem(event, latestMs) ?? valueProblem(event) ?? { type, userId: event.userId };
}

function nameProblem(event: Event): FieldViolation | undefined {
  for (const [field, key] of NAMES) {
    const text = event[key];
    if (text === undefined) continue;
    const description = text === '' && (key === 'userId' || key === 'itemId') ? 'is required' : textProblem(text);
    if (description !== undefined) return { field, description };
  }
  return undefined;
}

function timeProblem({ eventTime }: Event, latestMs: number): FieldViolation | undefined {
  const says = (description: string): FieldViolation => ({ field: 'event_time', description });
  if (eventTime === undefined) return says('is required: when it happened, by the clock of the publisher');
  const ms = Number(eventTime.seconds) * 1000 + eventTime.nanos / 1e6;
  if (eventTime.nanos < 0 || eventTime.nanos > 999_999_999)
    return says(`has ${eventTime.nanos} nanos, must be from 0 to 999999999`);
  if (ms < 0) return says('is before 1970');
  if (ms > latestMs)
    return says('is too far in the future: check the clock of the publisher, and that it sends seconds');
  return undefined;
}

function valueProblem({ eventType, price, rating, reviewText }: Event): FieldViolation | undefined {
  if (price !== undefined && !(price >= 0 && price < Infinity)) {
    return { field: 'price', description: `is ${price}, must be a finite number from 0` };
  }
  if (rating === undefined ? eventType === Type.RATING : !(rating >= RATING_MIN && rating <= RATING_MAX)) {
    const is = rating === undefined ? 'is required for this event_type' : `is ${rating}`;
    return { field: 'rating', description: `${is}, must be from ${RATING_MIN} to ${RATING_MAX}` };
  }
  const chars = reviewText === undefined ? 0 : characters(reviewText);
  return chars > REVIEW_CHARS_MAX
    ? { field: 'review_text', description: `has ${chars} characters, must have at most ${REVIEW_CHARS_MAX}` }
    : undefined;
}

/** Code points; texts that fit in any case are not counted. */
const characters = (text: string): number => (text.length <= REVIEW_CHARS_MAX ? text.length : Array.from(text).length);
