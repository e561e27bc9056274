/** Messages of events, as EventReader finds their events: where they stand, and what of a message is wrong as a whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventMessage, EventReader, isFault, type ReadEvent } from '../../../actors/formats/event-reader.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { finish } from '../../../actors/formats/json-places.js';

const VIEW = { event_type: 'view', event_time: '2026-11-01T12:00:00Z', user_id: 'u1', item_id: 'i1' };
const reader = new EventReader();
const read = (bytes: Buffer, type: string): EventMessage | Fault =>
  finish(reader.message(bytes, type, Date.UTC(2026, 10, 2)));

/** Of the message, or of the one event that it is. */
function faultOf(bytes: Buffer): Fault {
  const found = read(bytes, 'application/json');
  const [first] = 'rule' in found ? [found] : found.events;
  if (first === undefined || !isFault(first)) throw new Error('nothing is wrong with it');
  return first;
}

function sound(found: EventMessage | Fault): EventMessage {
  if ('rule' in found) throw new Error(`the message is refused: ${JSON.stringify(found)}`);
  return found;
}
const jsonBody = (bytes: Buffer): EventMessage => sound(read(bytes, 'application/json'));
const jsonLinesBody = (bytes: Buffer): EventMessage => sound(read(bytes, 'application/x-ndjson'));
const said = (event: ReadEvent): string => (isFault(event) ? event.rule : Buffer.from(event.bytes).toString());

describe('a message', () => {
  const good = JSON.stringify(VIEW);

  it('is one event, or an array of them', () => {
    expect(jsonBody(Buffer.from(good)).count).toBe(1);
    const { count, events } = jsonBody(Buffer.from(` [${good} , 7,${good}] `));
    expect([count, [...events].map(said)]).toEqual([3, [good, 'json_not_object', good]]);
    expect(jsonBody(Buffer.from('[ ]')).count).toBe(0);
    expect([...jsonBody(Buffer.from(`\ufeff[${good}]`)).events].map(said)).toEqual([good]);
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
  ])('that is not JSON is none: %s', (body, at) => {
    expect(faultOf(Buffer.from(body))).toEqual({
      rule: 'json_invalid',
      reason: expect.stringContaining(`not JSON from byte ${at} on`),
    });
  });

  it('may be empty, and is none then', () => {
    expect(faultOf(Buffer.from(' \n'))).toMatchObject({ rule: 'empty_message' });
  });

  it('may have a text that is not UTF-8, which spoils no other', () => {
    const bytes = Buffer.from(`[${good},${good.replace('u1', '?')}]`);
    bytes[bytes.indexOf('?')] = 0xff;
    expect([...jsonBody(bytes).events].map(said)).toEqual([good, 'invalid_utf8']);
  });

  it('that JSON.parse takes is taken, and no other', () => {
    const text = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc
        .array(fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '1', ' ', '\\', '"a"', 'null'), { maxLength: 12 })
        .map((parts) => `[${parts.join('')}]`),
    );
    fc.assert(
      fc.property(text, (one) => {
        let value: unknown;
        try {
          value = JSON.parse(one);
        } catch {
          expect(faultOf(Buffer.from(one))).toMatchObject({
            rule: /^\s*$/.test(one) ? 'empty_message' : 'json_invalid',
          });
          return;
        }
        expect(jsonBody(Buffer.from(one)).count).toBe(Array.isArray(value) ? value.length : 1);
      }),
      { numRuns: 2_000 },
    );
  });

  it('may have an event that is too large, which spoils no other', () => {
    const large = `{"brand":"${'x'.repeat(2 ** 20)}"}`;
    const { events } = jsonBody(Buffer.from(`[${large},${good},{"price":[]}]`));
    expect([...events].map(said)).toEqual(['message_too_large', good, 'wrong_type']);
  });

  it('may not have one that is nested more deeply than is read', () => {
    const deep = `{"price":${'['.repeat(64)}${']'.repeat(64)}}`;
    expect(faultOf(Buffer.from(`[${deep},${good}]`))).toMatchObject({ rule: 'json_invalid' });
  });

  it('may be lines, of which a bad one spoils no other, and empty ones count for nothing', () => {
    const { count, events } = jsonLinesBody(Buffer.from(`${good}\r\n\n{"user_id":\n  \n${good}`));
    expect([count, [...events].map(said)]).toEqual([3, [good, 'json_invalid', good]]);
  });
});
