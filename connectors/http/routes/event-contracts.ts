/**
 * The contracts of film events as JSON Schema (draft 2020-12): view_event, click_event and rating_event. GET /schemas/events/… serves them with the names
 * and the range of ratings of this deployment; the files in proto/schemas/events have the names of MovieLens and the range by default.
 */
import { z } from 'zod';
import { CONTRACTS } from '../../../actors/formats/contracts.js';
import { type FieldName, FIELDS, IMPRESSION_FIELDS } from '../../../actors/formats/fields.js';
import { Schema, strictOf } from '../../../actors/formats/schema.js';
import { type EventForm, exampleOf, kindsOf } from './event-schema.js';
import { unchanged } from './fields.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const CONTRACT_TYPES = ['view', 'click', 'rating'] as const;

const ABOUT =
  'As rivulet accepts it where pipeline.schema is a strict one. Fields that are not named here are ignored. Refused as well, though a schema cannot say it: ' +
  'a day that does not exist, a time in the future, a text id above 2^53 − 1, more than 256 bytes of UTF-8 in category_code, brand or session_id.';
const ABOUT_OTHERS = 'Not part of this contract; checked as in any event where they are given.';

/** By name: `view_event`. Served for a schema that is not strict: what it accepts of its strict variant. */
export function eventContracts({ schema: { name }, rules }: EventForm): ReadonlyMap<string, object> {
  const form = { schema: new Schema(strictOf(name)), rules };
  return new Map(CONTRACT_TYPES.map((type) => [`${type}_event`, contractOf(form, type)]));
}

function contractOf(form: EventForm, type: (typeof CONTRACT_TYPES)[number]): object {
  const { required, optional } = CONTRACTS[type];
  const { rating, ...kinds } = kindsOf(form);
  const isRated = required.includes('rating');
  const fields = { ...kinds, event_type: { const: type }, rating: isRated ? { ...rating, type: 'number' } : rating };
  const nameOf = (field: FieldName): string => form.schema.names[FIELDS.indexOf(field)]![0]!;
  const of = (some: readonly FieldName[]): object => Object.fromEntries(some.map((one) => [nameOf(one), fields[one]]));
  const own = [...required, ...optional];
  const others = FIELDS.filter((field, i) => !own.includes(field) && !IMPRESSION_FIELDS.includes(i));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `${type}_event`,
    description: ABOUT,
    type: 'object',
    properties: of(own),
    required: required.map(nameOf),
    allOf: [{ $comment: ABOUT_OTHERS, properties: of(others) }],
    examples: [exampleOf(form, type)],
  };
}

const INDEX = '/schemas/events';
const indexSchema = z
  .object({ schemas: z.array(z.object({ title: z.string(), href: z.string() })) })
  .meta({ id: 'EventSchemas' });

export function eventContractRoutes(app: App, form: EventForm): void {
  const contracts = eventContracts(form);
  const hrefOf = (name: string): string => `${INDEX}/${name}.json`;
  const config = { isPage: true };
  const tags = ['Events'];
  const index = JSON.stringify({ schemas: [...contracts.keys()].map((title) => ({ title, href: hrefOf(title) })) });
  app.get(
    INDEX,
    { config, schema: { tags, summary: 'The schemas of events', response: { 200: indexSchema, 304: unchanged } } },
    (request, reply) => sendJson(request, reply, index),
  );
  for (const [name, contract] of contracts) {
    const body = JSON.stringify(contract);
    const summary = `JSON Schema of ${name}`;
    const response = {
      200: z.looseObject({ $schema: z.string() }).meta({ description: 'JSON Schema, draft 2020-12' }),
      304: unchanged,
    };
    app.get(hrefOf(name), { config, schema: { tags, summary, description: ABOUT, response } }, (request, reply) =>
      sendJson(request, reply, body),
    );
  }
}
