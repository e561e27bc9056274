/** Bodies of POST /events: where their events stand, and what of a body is wrong as a whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventReader, isFault, type ReadEvent } from '../../../../actors/formats/event-reader.js';
import type { Fault } from '../../../../actors/formats/fault.js';
import {
  type EventBody,
  jsonBody as readJson,
  jsonLinesBody as readLines,
} from '../../../../connectors/http/routes/event-body.js';

const VIEW = { event_type: 'view', event_time: '2026-11-01T12:00:00Z', user_id: 'u1', item_id: 'i1' };
const OPTIONS = { reader: new EventReader(), nowMs: Date.UTC(2026, 10, 2), turn: () => undefined };

const faultOf = (bytes: Buffer): Promise<EventBody | Fault> => readJson(bytes, OPTIONS);

async function sound(body: Promise<EventBody | Fault>): Promise<EventBody> {
  const read = await body;
  if ('rule' in read) throw new Error(`the body is refused: ${JSON.stringify(read)}`);
  return read;
}
const jsonBody = (bytes: Buffer): Promise<EventBody> => sound(readJson(bytes, OPTIONS));
const jsonLinesBody = (bytes: Buffer): Promise<EventBody> => sound(readLines(bytes, OPTIONS));
const said = (event: ReadEvent): string => (isFault(event) ? event.rule : Buffer.from(event.bytes).toString());

describe('a body', () => {
  const good = JSON.stringify(VIEW);

  it('is one event, or an array of them', async () => {
    expect((await jsonBody(Buffer.from(good))).count).toBe(1);
    const { count, events } = await jsonBody(Buffer.from(` [${good} , 7,${good}] `));
    expect([count, [...events].map(said)]).toEqual([3, [good, 'json_not_object', good]]);
    expect((await jsonBody(Buffer.from('[ ]'))).count).toBe(0);
  });

  it.each([
    ['{', 1],
    ['nothing', 0],
    ['{"a":1}}', 7],
    ['[', 1],
    ['[}', 1],
    ['[1,]', 3],
    ['[,1]', 1],
    ['[1,,2]', 3],
    ['[1]]', 3],
    ['["a]', 4],
    ['[{"a":1]}', 7],
    [`\ufeff${good}`, 0],
  ])('that is not JSON is none: %s', async (body, at) => {
    expect(await faultOf(Buffer.from(body))).toEqual({
      rule: 'json_invalid',
      reason: expect.stringContaining(`not JSON from byte ${at} on`),
    });
  });

  it('may be empty, and is none then', async () => {
    expect(await faultOf(Buffer.from(' \n'))).toMatchObject({ rule: 'empty_message' });
  });

  it('may have a text that is not UTF-8, which spoils no other', async () => {
    const bytes = Buffer.from(`[${good},${good.replace('u1', '?')}]`);
    bytes[bytes.indexOf('?')] = 0xff;
    expect([...(await jsonBody(bytes)).events].map(said)).toEqual([good, 'invalid_utf8']);
  });

  it('that JSON.parse takes is taken, and no other', async () => {
    const text = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc
        .array(fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '1', ' ', '\\', '"a"', 'null'), { maxLength: 12 })
        .map((parts) => `[${parts.join('')}]`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (one) => {
        let value: unknown;
        try {
          value = JSON.parse(one);
        } catch {
          expect(await faultOf(Buffer.from(one))).toMatchObject({
            rule: /^\s*$/.test(one) ? 'empty_message' : 'json_invalid',
          });
          return;
        }
        expect((await jsonBody(Buffer.from(one))).count).toBe(Array.isArray(value) ? value.length : 1);
      }),
      { numRuns: 2_000 },
    );
  });

  it('may have an event that is too large, which spoils no other', async () => {
    const large = `{"brand":"${'x'.repeat(2 ** 20)}"}`;
    const { events } = await jsonBody(Buffer.from(`[${large},${good},{"price":[]}]`));
    expect([...events].map(said)).toEqual(['message_too_large', good, 'wrong_type']);
  });

  it('may not have one that is nested more deeply than is read', async () => {
    const deep = `{"price":${'['.repeat(64)}${']'.repeat(64)}}`;
    expect(await faultOf(Buffer.from(`[${deep},${good}]`))).toMatchObject({ rule: 'json_invalid' });
  });

  it('may be lines, of which a bad one spoils no other, and empty ones count for nothing', async () => {
    const { count, events } = await jsonLinesBody(Buffer.from(`${good}\r\n\n{"user_id":\n  \n${good}`));
    expect([count, [...events].map(said)]).toEqual([3, [good, 'json_invalid', good]]);
  });
});
