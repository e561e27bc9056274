/** The contracts of film events as JSON Schema: the files, what HTTP serves, and that they accept and refuse what the reader does. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { EventReader, isFault } from '../../actors/formats/event-reader.js';
import { CONTRACTS } from '../../actors/formats/contracts.js';
import { type FieldName, FIELDS } from '../../actors/formats/fields.js';
import type { EventRules } from '../../actors/formats/limits.js';
import { Schema, SCHEMAS, STRICT_SCHEMAS, strictOf } from '../../actors/formats/schema.js';
import { eventContracts } from '../../connectors/http/routes/event-contracts.js';
import { httpFacade } from '../connectors/http/http-facade.js';
import { ROOT } from '../guards/source-files.js';

const TYPES = ['view', 'click', 'rating'] as const;
const NOW_MS = Date.UTC(2026, 0, 3);
const UUID = '0b0e9b4f-6f3c-4f8e-9d55-3a2f6f1b7c11';

type Given = Readonly<Record<string, unknown>>;

/** An event in the names of its contract, as the contract and the reader of such a deployment see it. */
function judgeOf(rules: Partial<EventRules>) {
  const reader = new EventReader({ ...rules, futureMaxMs: 600_000 });
  const ajv = new Ajv2020({ allowUnionTypes: true });
  addFormats.default(ajv);
  const contracts = new Map([...eventContracts(reader)].map(([name, schema]) => [name, ajv.compile(schema)]));
  const { names } = new Schema(strictOf(reader.schema.name));
  const nameOf = (field: string): string => names[FIELDS.indexOf(field as FieldName)]?.[0] ?? field;
  return (type: string, event: Given) => {
    const text = JSON.stringify(
      Object.fromEntries(Object.entries(event).map(([field, value]) => [nameOf(field), value])),
    );
    const read = reader.json(Buffer.from(text), NOW_MS);
    const isValid = contracts.get(`${type}_event`)!(JSON.parse(text));
    // The contract of a type refuses the other types.
    return {
      text,
      isValid,
      isAccepted: !isFault(read) && read.type === type,
      reason: isFault(read) ? read.reason : '',
    };
  };
}

const digits = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const label = fc.option(fc.string({ maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text)));
const sound: Readonly<Record<FieldName, fc.Arbitrary<unknown>>> = {
  event_id: fc.uuid(),
  event_type: fc.constant('view'),
  event_time: fc.constantFrom('2026-01-02T03:04:05.678Z', '2026-01-02T03:04', '2026-01-02t03:04:05,1+0530'),
  user_id: fc.oneof(digits, digits.map(String)),
  item_id: fc.oneof(digits, digits.map(String)),
  category_code: label,
  brand: label,
  price: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
  session_id: fc.oneof(label, fc.integer()),
  rating: fc.double({ min: 1, max: 4, noNaN: true }),
  page_url: fc.option(fc.webUrl()),
  device_type: label,
  click_type: label,
  referrer: fc.option(fc.webUrl()),
  review_text: fc.option(fc.string({ maxLength: 50 })),
  // Of other events than impressions they are ignored.
  position: fc.jsonValue(),
  model: fc.jsonValue(),
  arm: fc.jsonValue(),
};

const odd: fc.Arbitrary<unknown> = fc.constantFrom(
  ...[undefined, null, '', ' ', true, {}, [], [1], { a: null }, 'view', 'rating', 'look'],
  ...[0, 1, -1, 7, 1.5, 0.4, 5.1, 9, 9007199254740991, 9007199254740992, 1_767_225_600, 1_767_225_600_000],
  ...[
    '0',
    '7',
    '-7',
    '+7',
    '007',
    '7.0',
    '9007199254740991',
    '1767225600',
    'u1',
    'tt0133093',
    '٧',
    '12345678901234567',
  ],
  ...[UUID, UUID.toUpperCase(), `urn:uuid:${UUID}`, UUID.replaceAll('-', ''), UUID.replace('0', 'g'), `${UUID}0`],
  ...['2026-01-02', '2026-01-02 03:04:05', '2026-01-02T03:04:05 UTC', '2026-01-02T24:00:00Z', '2026-13-02T03:04:05Z'],
  ...['2026-01-02T03:04:05+24:00', '2026-01-02T03:04:05.Z', '2026-01-02T03', '1969-12-31T23:59:59Z', 'yesterday'],
  ...['2026-01-02T03:04:05+01', '2026-01-02T03:04Z', '2026-01-02T03:04:05,123456789-0330', '2026-1-2T03:04:05Z'],
  ...['a\nb', 'a\u0085', 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(5000), 'x'.repeat(5001), '😀'.repeat(5000)],
);

const isText = (value: unknown): boolean => typeof value === 'string';
/** Of more than 256 bytes, but not of more than 256 characters: a schema has no bytes. */
const isBeyondSchema = (event: Given): boolean =>
  Object.values(event).some(
    (value) => isText(value) && [...(value as string)].length <= 256 && Buffer.byteLength(value as string) > 256,
  );

const changes = fc.dictionary(fc.constantFrom(...FIELDS, 'colour'), odd, { maxKeys: 2 });

const events = fc
  .constantFrom(...TYPES)
  .chain((type) => {
    const requiredKeys = [...CONTRACTS[type].required];
    const event = fc.record({ ...sound }, { requiredKeys }).map((given): Given => ({ ...given, event_type: type }));
    return fc.record({ type: fc.constant(type), event, changes });
  })
  .filter(({ event, changes: changed }) => !isBeyondSchema({ ...event, ...changed }));

describe('a contract', () => {
  it.each(['view_event', 'click_event', 'rating_event'])(
    'is the file of %s: `npm run generate:schemas` writes it',
    async (name) => {
      const path = join(ROOT, 'proto/schemas/events', `${name}.json`);
      const schema = eventContracts(new EventReader({ schema: 'movielens-strict' })).get(name);
      const text = await format(JSON.stringify(schema), { ...(await resolveConfig(path)), filepath: path });
      await expect(text).toMatchFileSnapshot(path);
    },
  );

  it.each(STRICT_SCHEMAS)('accepts and refuses what the reader does: %s', (schema) => {
    const judges = [{}, { ratingMin: 0, ratingMax: 10 }].map((range) => judgeOf({ schema, ...range }));
    const counted = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...judges), events, (judge, { type, event, changes: changed }) => {
        const { text, isValid, isAccepted, reason } = judge(type, { ...event, ...changed });
        counted[isAccepted ? 'accepted' : 'refused']++;
        expect({ text, isValid, reason }).toEqual({ text, isValid: isAccepted, reason });
      }),
      { numRuns: 400 },
    );
    expect(Math.min(counted.accepted, counted.refused)).toBeGreaterThan(40);
  });

  it.each(SCHEMAS)('that is served where the schema is %s accepts nothing that is refused there', (schema) => {
    const judge = judgeOf({ schema });
    fc.assert(
      fc.property(events, ({ type, event, changes: changed }) => {
        const { text, isValid, isAccepted } = judge(type, { ...event, ...changed });
        expect({ text, isRefused: isValid && !isAccepted }).toEqual({ text, isRefused: false });
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['a day that does not exist', { event_time: '2026-02-30T00:00:00Z' }],
    ['a time in the future', { event_time: '2026-02-01T00:00:00Z' }],
    ['a text id above 2^53 − 1', { user_id: '9007199254740992' }],
    ['more than 256 bytes', { brand: 'é'.repeat(129) }],
  ])('says that it cannot refuse, as the reader does, %s', (about, more) => {
    const event = { event_id: UUID, event_type: 'view', event_time: '2026-01-02T03:04:05Z', user_id: 512, item_id: 31 };
    const rules = { schema: 'movielens-strict' } as const;
    expect(judgeOf(rules)('view', { ...event, ...more })).toMatchObject({ isValid: true, isAccepted: false });
    const { description } = eventContracts(new EventReader(rules)).get('view_event') as { description: string };
    expect(description).toContain(about);
  });
});

describe('GET /schemas/events', () => {
  it('leads to each contract, in the names and with the ratings of this deployment; who has it need not load it again', async () => {
    const { ask } = await httpFacade({ reader: new EventReader({ schema: 'rees46', ratingMin: 1, ratingMax: 10 }) });
    const { schemas } = (await ask('/schemas/events')).json as { schemas: { title: string; href: string }[] };
    expect(schemas.map(({ title }) => title)).toEqual(['view_event', 'click_event', 'rating_event']);
    for (const { title, href } of schemas) {
      const { status, json, headers } = await ask(href);
      expect({ status, json }).toMatchObject({
        status: 200,
        json: { title, required: expect.arrayContaining(['product_id']) },
      });
      const again = await ask(href, { headers: { 'if-none-match': headers.etag! } });
      expect(again).toMatchObject({ status: 304, text: '' });
    }
    const { properties } = (await ask('/schemas/events/rating_event.json')).json as { properties: Given };
    expect(properties['rating']).toMatchObject({ type: 'number', minimum: 1, maximum: 10 });
    expect((await ask('/schemas/events/cart_event.json')).status).toBe(404);
  });
});
