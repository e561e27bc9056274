/**
 * JSON Schema (draft 2020-12) of the fields of events, and of POST /events in the OpenAPI document. For readers only: events are validated as in the parse
 * stage (actors/formats).
 */
import { z } from 'zod';
import { ISO_TIME, POSITIVE_ID, UUID } from '../../../actors/formats/contracts.js';
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import {
  type EventRules,
  NAME_BYTES_MAX,
  POSITION_MAX,
  REVIEW_CHARACTERS_MAX,
} from '../../../actors/formats/limits.js';
import type { Schema } from '../../../actors/formats/schema.js';
import { EVENT_TYPES, type EventType } from '../../../actors/model.js';
import { PLAIN_TEXT } from './fields.js';

/** How events are read: an EventReader. */
export interface EventForm {
  readonly schema: Schema;
  readonly rules: Pick<EventRules, 'ratingMin' | 'ratingMax'>;
}

type Json = Readonly<Record<string, unknown>>;

const PLAIN = { maxLength: NAME_BYTES_MAX, pattern: PLAIN_TEXT };
/** Of optional fields, null and the empty text count as absent. */
const LABEL = { type: ['string', 'null'], ...PLAIN };
const TEXT = { type: ['string', 'null'] };
const LOOSE_ID = { type: ['string', 'integer', 'null'], ...PLAIN };

const ISO = 'ISO-8601: 2026-01-02T03:04:05.678Z';

/** By field, whatever its name. */
export function kindsOf({ schema: { isStrict }, rules: { ratingMin, ratingMax } }: EventForm): Record<FieldName, Json> {
  const id = isStrict
    ? { type: ['string', 'integer'], pattern: POSITIVE_ID, minimum: 1, maximum: Number.MAX_SAFE_INTEGER }
    : { type: ['string', 'integer'], minLength: 1, ...PLAIN };
  const duplicates = 'A second event with the same id is counted as a duplicate and dropped';
  return {
    event_id: {
      ...(isStrict ? { type: 'string', format: 'uuid', pattern: UUID } : LOOSE_ID),
      description: duplicates,
    },
    event_type: { type: 'string', enum: EVENT_TYPES },
    event_time: isStrict
      ? { type: 'string', pattern: ISO_TIME, description: `${ISO}, with an offset, or with none for UTC` }
      : {
          ...{ type: ['string', 'number'], minLength: 1, minimum: 0 },
          description: `${ISO}, 2026-01-02 03:04:05 UTC, 2026-01-02, with an offset, or with none for UTC; or epoch seconds below 10^11, milliseconds from there on`,
        },
    user_id: { ...id, description: 'Who did it; a whole number is kept as text' },
    item_id: { ...id, description: 'To which item' },
    category_code: { ...LABEL, description: 'Dotted path, the widest first: electronics.audio.headphone' },
    brand: LABEL,
    price: { type: ['number', 'null'], minimum: 0 },
    session_id: { ...LOOSE_ID, description: 'The visit that it is part of' },
    rating: {
      ...{ type: ['number', 'null'], minimum: ratingMin, maximum: ratingMax },
      description: 'Required when event_type is rating',
    },
    page_url: TEXT,
    device_type: TEXT,
    click_type: TEXT,
    referrer: TEXT,
    review_text: { ...TEXT, maxLength: REVIEW_CHARACTERS_MAX },
    position: {
      description: `Of an impression: its place in the list, 1 to ${POSITION_MAX}; ignored in other events, as are model and arm`,
    },
    model: { description: 'Of an impression: what made the list, as `model` of the answer' },
    arm: { description: 'Of an impression: the arm of the experiment, as `arm` of the answer' },
  };
}

const BYTES = `Ids, category_code and brand have at most ${NAME_BYTES_MAX} bytes of UTF-8, and no control characters.`;
const ABOUT = [
  'A field may be sent by any of its names; by two of them, they must say the same. Fields that an event has not are ignored.',
  BYTES,
].join(' ');

const RATED = { properties: { rating: { type: 'number' } }, required: ['rating'] };

/** With each field under all names that the deployment accepts for it. */
export function eventSchema(form: EventForm) {
  const { schema } = form;
  const kinds = kindsOf(form);
  const namesOf = (field: FieldName): readonly string[] => schema.names[FIELDS.indexOf(field)]!;
  const properties = FIELDS.flatMap((field) =>
    namesOf(field).map((name, i) => {
      const kind = kinds[field];
      return [name, i === 0 ? kind : { ...kind, description: `As ${namesOf(field)[0]!}` }] as const;
    }),
  );
  const required = (['event_time', 'user_id', 'item_id'] as const).map((field) => ({
    anyOf: namesOf(field).map((name) => ({ required: [name] })),
  }));
  const typed = [
    { required: ['event_type'] },
    ...namesOf('item_id')
      .filter((name) => impliesRating(schema, name))
      .map((name) => ({ ...RATED, required: [name, 'rating'] })),
  ];
  const rated = { if: { properties: { event_type: { const: 'rating' } }, required: ['event_type'] }, then: RATED };
  return z.looseObject({}).meta({
    ...{ id: 'Event', description: ABOUT, properties: Object.fromEntries(properties) },
    ...(schema.isStrict && { required: ['event_id'] }),
    allOf: [...required, { anyOf: typed }, rated],
    examples: [exampleOf(form, 'view')],
  });
}

/** Under such an item name, an event without a type is a rating. */
function impliesRating(schema: Schema, name: string): boolean {
  const bytes = Buffer.from(name);
  return schema.find(bytes, 0, bytes.length)!.impliesRating;
}

export function exampleOf({ schema: { names, isStrict }, rules: { ratingMax } }: EventForm, type: EventType): Json {
  const given: Partial<Record<FieldName, unknown>> = {
    ...(isStrict && { event_id: '123e4567-e89b-12d3-a456-426614174000' }),
    ...{ event_type: type, event_time: '2026-01-02T03:04:05.678Z' },
    ...(isStrict ? { user_id: 512, item_id: 31 } : { user_id: 'u1', item_id: 'i1' }),
    ...(type === 'rating' && { rating: ratingMax }),
  };
  const nameOf = (field: string): string => names[FIELDS.indexOf(field as FieldName)]![0]!;
  return Object.fromEntries(Object.entries(given).map(([field, value]) => [nameOf(field), value]));
}
