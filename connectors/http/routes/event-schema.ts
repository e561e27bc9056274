/** The event schema in the OpenAPI document. For readers only: events are validated as in the parse stage (actors/formats). */
import { z } from 'zod';
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { NAME_BYTES_MAX, RATING_MAX, RATING_MIN, REVIEW_CHARACTERS_MAX } from '../../../actors/formats/limits.js';
import type { Schema } from '../../../actors/formats/schema.js';
import { EVENT_TYPES } from '../../../actors/model.js';
import { PLAIN_TEXT } from './fields.js';

const plain = z.string().max(NAME_BYTES_MAX).regex(new RegExp(PLAIN_TEXT));
/** For optional fields, null and the empty text count as absent. */
const id = z.union([plain, z.int()]).nullish();
const label = plain.nullish();
const text = z.string().nullish();
const requiredId = z.union([plain.min(1), z.int()]).optional();

const KINDS: Readonly<Record<FieldName, z.ZodType>> = {
  event_id: id.describe('A second event with the same id is counted as a duplicate and dropped'),
  event_type: z.enum(EVENT_TYPES).optional(),
  event_time: z
    .union([z.string().min(1), z.number().min(0)])
    .optional()
    .describe(
      'ISO-8601: 2026-01-02T03:04:05.678Z, 2026-01-02 03:04:05 UTC, 2026-01-02, with an offset, or with none for UTC; or epoch seconds below 10^11, milliseconds from there on',
    ),
  user_id: requiredId.describe('Who did it; a whole number is kept as text'),
  item_id: requiredId.describe('To which item'),
  category_code: label.describe('Dotted path, the widest first: electronics.audio.headphone'),
  brand: label,
  price: z.number().min(0).nullish(),
  session_id: id.describe('The visit that it is part of'),
  rating: z.number().min(RATING_MIN).max(RATING_MAX).nullish().describe('Required when event_type is rating'),
  page_url: text,
  device_type: text,
  click_type: text,
  referrer: text,
  review_text: z.string().max(REVIEW_CHARACTERS_MAX).nullish(),
};

const ABOUT = [
  'A field may be sent by any of its names; by two of them, they must say the same. Fields that an event has not are ignored.',
  `Ids, category_code and brand have at most ${NAME_BYTES_MAX} bytes of UTF-8, and no control characters.`,
].join(' ');

const RATED = { properties: { rating: { type: 'number' } }, required: ['rating'] };

/** With each field under all names that the deployment accepts for it. */
export function eventSchema(schema: Schema) {
  const namesOf = (field: FieldName): readonly string[] => schema.names[FIELDS.indexOf(field)]!;
  const shape = FIELDS.flatMap((field) =>
    namesOf(field).map((name, i) => {
      const kind = KINDS[field];
      return [name, i === 0 ? kind : kind.meta({ description: `As ${namesOf(field)[0]!}` })] as const;
    }),
  );
  const example = {
    ...{ [namesOf('event_type')[0]!]: 'view', [namesOf('event_time')[0]!]: '2026-01-02T03:04:05.678Z' },
    ...{ [namesOf('user_id')[0]!]: 'u1', [namesOf('item_id')[0]!]: 'i1' },
  };
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
  return z
    .looseObject(Object.fromEntries(shape))
    .meta({ id: 'Event', description: ABOUT, examples: [example], allOf: [...required, { anyOf: typed }, rated] });
}

/** Under such an item name, an event without a type is a rating. */
function impliesRating(schema: Schema, name: string): boolean {
  const bytes = Buffer.from(name);
  return schema.find(bytes, 0, bytes.length)!.impliesRating;
}
