/** What holds of parse for any bytes, any batches and any crashes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from '../../actors/parse.js';
import type { RawBatch, RawMessage } from '../../runtime/contract/stage.js';
import { batch, csv, deadLettersOf, json, jsonLines, message } from '../support/raw-messages.js';
import { type Said, StageDriver } from '../support/stage-driver.js';

const T = '2019-10-01T00:00:00Z';
const HEADER = 'event_time,event_type,user_id,item_id,event_id,brand';

const soup = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc
        .constantFrom(
          ...[
            '{',
            '}',
            '[',
            ']',
            '"',
            ',',
            ':',
            '\n',
            '\r\n',
            '\\',
            '""',
            'null',
            '1',
            '-1.5e3',
            '\u00e9',
            ' ',
            '\n\n',
          ],
          ...[
            '"event_type"',
            '"view"',
            '"event_time"',
            `"${T}"`,
            '"user_id"',
            '"event_id"',
            '\\u12',
            '\x0a\x05',
            '\x22\x01a',
          ],
          `{"event_type":"view","event_time":"${T}","user_id":1,"item_id":2,"event_id":3}`,
          `${T},view,1,2,3,b\n`,
          `${T},view,"1,2,3,b\n`,
          '\x10\x01\x1a\x02\x08\x01\x22\x01u\x2a\x01i',
          '\x0a\x0d\x10\x01\x1a\x02\x08\x01\x22\x01u\x2a\x01i',
        )
        .map((text) => new TextEncoder().encode(text)),
    ),
    { maxLength: 10 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

const header = fc.constantFrom(
  HEADER,
  'userId,movieId,rating,timestamp',
  'event_time,timestamp,event_type,user_id,item_id,product_id',
  'a,b',
  '"',
  '',
);
const contentType = fc.constantFrom(
  ...[
    undefined,
    'application/json',
    'application/x-ndjson',
    'application/x-protobuf',
    'application/protobuf;type=eventbatch',
    ';',
    '',
  ],
);

const anyMessage: fc.Arbitrary<RawMessage> = fc.oneof(
  fc.tuple(soup, contentType).map(([data, type]) => message(data, type === undefined ? {} : { contentType: type })),
  fc.tuple(header, soup).map(([line, data]) => csv(line, data)),
  soup.map((data) => jsonLines(data)),
);

describe('any bytes, as messages or pieces of files', () => {
  it('never throw, and each event becomes a row, a dead letter or a duplicate', () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyMessage, { maxLength: 5 }), { maxLength: 4 }), (batches) => {
        const driver = new StageDriver(parse({ messageBytesMax: 60, messageEventsMax: 3, dedupeMax: 4 }));
        let [rows, letters] = [0, 0];
        for (const messages of batches) {
          const said = driver.feed('events', { messages });
          rows += said.rows['rows']?.length ?? 0;
          letters += deadLettersOf(said).length;
        }
        const { events, dead_letter, duplicates } = driver.counts();
        expect(dead_letter).toBe(letters);
        expect(events).toBe(rows + letters + duplicates);
      }),
      { numRuns: 600 },
    );
  });

  it('are in their dead letters, whole or in part, as they came', () => {
    fc.assert(
      fc.property(anyMessage, (one) => {
        const letters = deadLettersOf(new StageDriver(parse()).feed('events', batch(one)));
        const all = one.data.join(' ');
        for (const { original, stage, rule, reason } of letters) {
          expect(` ${all} `).toContain(original.length === 0 ? '' : ` ${original.join(' ')} `);
          expect({ stage, rule, reason }).toEqual({
            stage: 'parse',
            rule: expect.stringMatching(/^[a-z0-9_]+$/),
            reason: expect.stringMatching(/./),
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Events with ids from a small set, so that some come again, and some that are bad. */
const someEvents = fc.array(fc.record({ id: fc.nat({ max: 9 }), bad: fc.nat({ max: 9 }).map((n) => n === 0) }), {
  minLength: 1,
  maxLength: 4,
});
const someMessage = fc.tuple(someEvents, fc.boolean()).map(([events, asCsv]) => {
  if (asCsv) return csv(HEADER, events.map(({ id, bad }) => `${T},${bad ? '?' : 'view'},u${id},i,${id},\n`).join(''));
  return json(
    events.map(({ id, bad }) => ({
      event_type: bad ? '?' : 'view',
      event_time: T,
      user_id: `u${id}`,
      item_id: 'i',
      event_id: id,
    })),
  );
});
const OPTIONS = { dedupeMax: 6 };
const saidOf = ({ rows }: Said): string => JSON.stringify(rows);

describe('crashes', () => {
  it('at any point change nothing of what is said after a replay from the snapshot', () => {
    const inputs = fc.array(
      fc.array(someMessage, { minLength: 1, maxLength: 3 }).map((messages): RawBatch => ({ messages })),
      { maxLength: 12 },
    );
    const cuts = fc.array(fc.tuple(fc.nat({ max: 11 }), fc.constantFrom('snapshot', 'crash')), { maxLength: 8 });
    fc.assert(
      fc.property(inputs, cuts, (batches, points) => {
        const plain = new StageDriver(parse(OPTIONS));
        const expected = batches.map((one) => saidOf(plain.feed('events', one)));

        const driver = new StageDriver(parse(OPTIONS));
        const open = new Set(points);
        let stored = 0;
        for (let at = 0; at < batches.length; at++) {
          expect(saidOf(driver.feed('events', batches[at]!))).toBe(expected[at]);
          for (const point of points) {
            if (point[0] !== at || !open.delete(point)) continue;
            if (point[1] === 'snapshot') {
              driver.snapshot();
              stored = at + 1;
            } else {
              driver.crash();
              at = stored - 1;
              break;
            }
          }
        }
        if (batches.length > 0) expect(driver.counts()).toEqual(plain.counts());
      }),
      { numRuns: 80 },
    );
  });
});

describe('batches', () => {
  it('of any size give the same rows, dead letters and counts', () => {
    fc.assert(
      fc.property(
        fc.array(someMessage, { maxLength: 15 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        (messages, sizes) => {
          const run = (pieces: readonly RawMessage[][]): unknown => {
            const driver = new StageDriver(parse(OPTIONS));
            const said = pieces.map((piece) => driver.feed('events', { messages: piece }));
            return {
              rows: said.flatMap(({ rows }) => rows['rows'] ?? []),
              letters: said.flatMap(deadLettersOf),
              counts: driver.counts(),
            };
          };
          const pieces: RawMessage[][] = [];
          for (let start = 0, i = 0; start < messages.length; start += sizes[i++ % sizes.length]!) {
            pieces.push(messages.slice(start, start + sizes[i % sizes.length]!));
          }
          expect(run(pieces)).toEqual(run([messages]));
        },
      ),
      { numRuns: 80 },
    );
  });

  it('delivered twice give the second time nothing but duplicates and the same dead letters', () => {
    fc.assert(
      fc.property(fc.array(someMessage, { maxLength: 10 }), (messages) => {
        const driver = new StageDriver(parse());
        const first = driver.feed('events', { messages });
        const rows = first.rows['rows']?.length ?? 0;
        const { duplicates } = driver.counts();
        const second = driver.feed('events', { messages });
        expect(second.rows['rows']).toBeUndefined();
        expect(deadLettersOf(second)).toEqual(deadLettersOf(first));
        expect(driver.counts().duplicates).toBe(2 * duplicates + rows);
      }),
      { numRuns: 80 },
    );
  });
});
