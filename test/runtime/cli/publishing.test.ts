/** What publishing is made of: records as messages, the pace, and messages on their way, bounded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BoundedPublisher } from '../../../runtime/cli/publish/bounded-publisher.js';
import { eventEntries, type FileEntry, UNKNOWN_SUBJECT } from '../../../runtime/cli/publish/event-message.js';
import { itemMessage, itemProblem, UNKNOWN_ITEM_SUBJECT } from '../../../runtime/cli/publish/item-message.js';
import { Interrupted } from '../../../runtime/cli/exit.js';
import { byEventTime, perSecond } from '../../../runtime/cli/publish/pace.js';
import type { FileRecord } from '../../../connectors/csv/read-records.js';
import { EventReader } from '../../../actors/formats/event-reader.js';
import { workingDirectory } from '../../cli/run-cli.js';
import { fatal, transient } from '../../../runtime/contract/errors.js';
import type { Clock } from '../../../runtime/contract/ports.js';

const at = (record: unknown): FileRecord => ({ line: 2, text: JSON.stringify(record), record });
const reader = new EventReader();
const { cwd, remove } = workingDirectory();
afterAll(remove);

/** Of a file with this text. */
async function entriesOf(content: string, format: 'csv' | 'jsonl'): Promise<FileEntry[]> {
  const file = join(cwd, `events.${format}`);
  writeFileSync(file, content);
  const entries: FileEntry[] = [];
  for await (const entry of eventEntries(file, format, reader, { nowMs: () => Date.UTC(2026, 10, 2) }))
    entries.push(entry);
  return entries;
}
const rowOf = (row: Readonly<Record<string, string>>): string =>
  `${Object.keys(row).join(',')}\n${Object.values(row).join(',')}\n`;
const text = (data: Uint8Array): string => Buffer.from(data).toString();

it.each<[unknown, RegExp | undefined]>([
  [{ item_id: 'i', event_type: 'view', brand: 'acme' }, /an event, not an item: .*--file/],
  [{ item_id: 'i', titel: 'Lamp' }, /none of title/],
  [{ product_id: 'i' }, /none of title/],
  [{ movieId: '7', genres: 'Action' }, undefined],
  [{ item_id: 'i', price: '' }, undefined],
  [{ item_id: 'i', deleted: true }, undefined],
  // As it is: the dead letter says why.
  ['text', undefined],
])('%j among items: is refused where it would take away what the catalogue knows', (record, problem) => {
  if (problem === undefined) expect(itemProblem(at(record))).toBeUndefined();
  else expect(itemProblem(at(record))).toMatch(problem);
});

const VIEW = { event_type: 'view', event_time: '2026-11-01T00:00:00Z', user_id: 'u', item_id: 'i' };

describe('a row of a CSV file', () => {
  it.each<[string, Record<string, string>, string, object]>([
    [
      'of REES46',
      {
        event_time: '2019-10-01 00:00:00 UTC',
        event_type: 'view',
        product_id: '7',
        brand: '',
        price: '35.79',
        user_id: '541',
      },
      'rivulet.events.view.541',
      { event_time: '2019-10-01 00:00:00 UTC', event_type: 'view', item_id: '7', price: 35.79, user_id: '541' },
    ],
    [
      'of MovieLens',
      { userId: '1', movieId: '31', rating: '2.5', timestamp: '1260759144' },
      'rivulet.events.rating.1',
      { event_type: 'rating', user_id: '1', item_id: '31', rating: 2.5, event_time: '1260759144' },
    ],
    [
      'with a user that is no subject token',
      { ...VIEW, event_type: 'cart', user_id: 'a.b *>' },
      'rivulet.events.cart',
      { ...VIEW, event_type: 'cart', user_id: 'a.b *>' },
    ],
  ])('%s', async (_, row, subject, fields) => {
    const [entry] = await entriesOf(rowOf(row), 'csv');
    expect(entry).toMatchObject({ message: { subject } });
    expect(JSON.parse(text(entry!.message!.data))).toEqual(fields);
  });

  it.each([
    ['with a price that is none', { ...VIEW, price: 'cheap' }, { rule: 'number_invalid', field: 'price' }],
    ['without a user', { ...VIEW, user_id: '' }, { rule: 'missing_field', field: 'user_id' }],
  ])('%s is not sent', async (_, row, fault) => {
    expect(await entriesOf(rowOf(row), 'csv')).toMatchObject([{ line: 2, fault }]);
  });

  it('needs a header with the names of the fields', async () => {
    await expect(
      entriesOf(rowOf({ ...VIEW, event_type: '' }).replace('event_type', 'EVENT_TYPE'), 'csv'),
    ).rejects.toThrow('the header lacks event_type');
  });
});

describe('a number in a CSV file', () => {
  it.each([
    ['35.79', 35.79],
    [' 35.79 ', ' 35.79 '],
    ['-1', -1],
    ['.5', 0.5],
    ['1e-05', 0.00001],
    [' ', ' '],
    ['0x10', '0x10'],
    ['0b1', '0b1'],
    ['1e999', '1e999'],
    ['Infinity', 'Infinity'],
    ['+1', 1],
    ['$5', '$5'],
  ])('%j is %j, of events and of items', async (written, number) => {
    const item = itemMessage(at({ item_id: 'i', price: written }), 'csv');
    expect(JSON.parse(text(item.message!.data))).toEqual({ item_id: 'i', price: number });
    const [{ message, fault }] = (await entriesOf(rowOf({ ...VIEW, price: written }), 'csv')) as [FileEntry];
    if (fault === undefined) expect(JSON.parse(text(message!.data))).toEqual({ ...VIEW, price: number });
    else {
      expect(fault.rule).toBe(number === -1 ? 'price_negative' : 'number_invalid');
      expect(item.fault?.field).toBe('price');
    }
  });
});

describe('a line of a JSONL file', () => {
  it.each<[string, string, number]>([
    ['{"event_type":"view","user_id":5,"item_id":1,"event_time":1572566400}', 'view.5', 1_572_566_400_000],
    [
      '{ "event_type":"rating", "rating": 1, "movieId":1, "userId":"u", "timestamp":"2019-11-01" }',
      'rating.u',
      1_572_566_400_000,
    ],
    [
      JSON.stringify({ ...VIEW, user_id: 0 }).replace(':0,', ':12345678901234567890,'),
      'view.12345678901234567890',
      Date.UTC(2026, 10, 1),
    ],
  ])('goes as it is: %s', async (line, subject, timeMs) => {
    const [{ message }] = (await entriesOf(` ${line}\t`, 'jsonl')) as [FileEntry];
    expect({ ...message, data: text(message!.data) }).toEqual({
      data: line,
      subject: `rivulet.events.${subject}`,
      timeMs,
    });
  });

  it.each(['{"event_type":"view"}', '[1,2]', 'null', '{"a":'])('that is refused goes as it is: %s', async (line) => {
    const [{ message, fault }] = (await entriesOf(line, 'jsonl')) as [FileEntry];
    expect([text(message!.data), message!.subject]).toEqual([line, UNKNOWN_SUBJECT]);
    expect(fault?.reason).toMatch(/: (send|check)/);
  });
});

describe('an item of a catalogue file', () => {
  it.each([
    [
      'csv',
      { product_id: '7', name: 'Lamp', price: '5.50', brand: '' },
      'rivulet.items.7',
      { product_id: '7', name: 'Lamp', price: 5.5 },
    ],
    ['csv', { item_id: 'a b', deleted: 'TRUE' }, 'rivulet.items.update', { item_id: 'a b', deleted: true }],
    [
      'csv',
      { movieId: '1', title: 'Toy Story (1995)', price: 'dear' },
      UNKNOWN_ITEM_SUBJECT,
      { movieId: '1', title: 'Toy Story (1995)', price: 'dear' },
    ],
    [
      'csv',
      { movieId: '1', genres: 'Adventure|Children' },
      'rivulet.items.1',
      { movieId: '1', genres: 'Adventure|Children' },
    ],
    ['jsonl', { id: '1', genres: ['', 'Drama', 'War'] }, 'rivulet.items.1', { id: '1', genres: ['', 'Drama', 'War'] }],
    ['jsonl', { id: '1', genres: ['x', 3] }, UNKNOWN_ITEM_SUBJECT, { id: '1', genres: ['x', 3] }],
    ['csv', { title: 'of nothing' }, UNKNOWN_ITEM_SUBJECT, { title: 'of nothing' }],
    ['jsonl', { item_id: 7, price: null }, 'rivulet.items.7', { item_id: 7, price: null }],
    ['jsonl', ['no', 'object'], UNKNOWN_ITEM_SUBJECT, ['no', 'object']],
  ] as const)('%s %j', (format, record, subject, data) => {
    const { message } = itemMessage(at(record), format);
    expect([message!.subject, JSON.parse(text(message!.data))]).toEqual([subject, data]);
  });
});

describe('the pace', () => {
  it('of n per second is even, and makes up for a second at most', () => {
    let now = 1000;
    const pace = perSecond(4, () => now);
    expect([pace(0), pace(0), pace(0)]).toEqual([1000, 1250, 1500]);
    now = 60_000;
    expect([pace(0), pace(0)]).toEqual([1750, 59_000]);
  });

  it('by event time is that of the events, divided', () => {
    const pace = byEventTime(10, () => 500);
    expect([10_000, 12_000, 11_000, undefined, 20_000].map((time) => pace(time))).toEqual([500, 700, 700, 700, 1500]);
  });
});

describe('messages on their way', () => {
  /** A log whose answers are given by hand. */
  function handDriven(payloadBytesMax = 100) {
    const waiting: { readonly subject: string; ack(): void; fail(error: Error): void }[] = [];
    let now = 0;
    const clock: Clock = {
      nowMs: () => now,
      monotonicMs: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    };
    const log = {
      payloadBytesMax,
      publish: (subject: string) =>
        new Promise<number>((resolve, reject) => {
          waiting.push({ subject, ack: () => resolve(1), fail: reject });
        }),
    };
    return { log, clock, waiting, signal: new AbortController() };
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('are bounded (BOUNDED-PUBLISHER-1)', async () => {
    const { log, clock, waiting, signal } = handDriven();
    const publisher = new BoundedPublisher({ log, clock, signal: signal.signal, inFlightMax: 2 });
    await publisher.publish('a', Buffer.from('1'));
    await publisher.publish('b', Buffer.from('2'));
    let third = false;
    const waits = publisher.publish('c', Buffer.from('3')).then(() => (third = true));
    await turn();
    expect([third, waiting.length]).toEqual([false, 2]);
    waiting[0]!.ack();
    await waits;
    expect(waiting.map(({ subject }) => subject)).toEqual(['a', 'b', 'c']);
    waiting.slice(1).forEach(({ ack }) => ack());
    await publisher.settled();
    expect(publisher.counts).toEqual({ published: 3, rejected: 0, uncertain: 0 });
  });

  it('are sent again when they may be lost, and counted when that is not known (BOUNDED-PUBLISHER-2)', async () => {
    const { log, clock, waiting, signal } = handDriven();
    const publisher = new BoundedPublisher({ log, clock, signal: signal.signal });
    await publisher.publish('a', Buffer.from('1'));
    waiting[0]!.fail(transient('LOG_UNREACHABLE', 'gone'));
    await turn();
    waiting[1]!.fail(transient('LOG_UNKNOWN', 'no answer'));
    await turn();
    waiting[2]!.ack();
    await publisher.settled();
    expect(publisher.counts).toEqual({ published: 1, rejected: 0, uncertain: 1 });
  });

  it('are refused when they are too large, or never to be stored', async () => {
    const { log, clock, waiting, signal } = handDriven(3);
    const reasons: string[] = [];
    const publisher = new BoundedPublisher({
      log,
      clock,
      signal: signal.signal,
      onRejected: (reason) => reasons.push(reason),
    });
    await publisher.publish('a', Buffer.from('1234'));
    await publisher.publish('b', Buffer.from('1'));
    waiting[0]!.fail(fatal('LOG_PAYLOAD', 'cannot publish on b'));
    await publisher.settled();
    expect(publisher.counts.rejected).toBe(2);
    expect(reasons).toEqual(["a message of 4 bytes is above the server's limit of 3", 'cannot publish on b']);
  });

  it('are given up when nothing is acknowledged any more (BOUNDED-PUBLISHER-3)', async () => {
    const { log, clock, signal } = handDriven();
    const full = { ...log, publish: () => Promise.reject(transient('LOG_FULL', 'full')) };
    const publisher = new BoundedPublisher({ log: full, clock, signal: signal.signal });
    await publisher.publish('a', Buffer.from('1'));
    await expect(publisher.settled()).rejects.toMatchObject({
      code: 'PUBLISH_STALLED',
      hint: expect.stringContaining('full'),
    });
  });

  it('end with the reason of an abort', async () => {
    const { log, clock, signal } = handDriven();
    const publisher = new BoundedPublisher({ log, clock, signal: signal.signal, inFlightMax: 1 });
    await publisher.publish('a', Buffer.from('1'));
    const waits = publisher.publish('b', Buffer.from('2'));
    signal.abort(new Interrupted('interrupted'));
    await expect(waits).rejects.toBeInstanceOf(Interrupted);
  });
});
