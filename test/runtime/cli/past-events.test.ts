/** Events of a file as messages of the past: what a node reads from them is what the file has. */
import { describe, expect, it } from 'vitest';
import { EVENT_RULES, type EventRules } from '../../../actors/formats/limits.js';
import type { FileChunk } from '../../../connectors/csv/file-chunks.js';
import { PastEvents, type PastEventsOptions } from '../../../runtime/cli/import/past-events.js';
import { fnv1aOf } from '../../../runtime/frames/bytes.js';
import { eventSubject, pastSubjects, sourcePartitionOf } from '../../../runtime/node/publisher.js';

const NOW_MS = Date.parse('2026-11-01T00:00:00Z');
const DIGEST = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

type Given = Partial<Omit<PastEventsOptions, 'rules'>> & { readonly rules?: Partial<EventRules> };

function read(text: string | Buffer, { rules, ...options }: Given = {}) {
  const refused: string[] = [];
  const past = new PastEvents({
    ...{ rules: { ...EVENT_RULES, ...rules }, partitions: 1, messageBytesMax: 64 * 1024, file: 'f', format: 'jsonl' },
    ...{ digest: DIGEST, ratingScale: undefined, onRefused: (line, { reason }) => refused.push(`${line}: ${reason}`) },
    ...options,
  });
  const bytes = Buffer.from(text);
  const headerEnd = options.format === 'csv' ? bytes.indexOf('\n') : -1;
  const header = bytes.subarray(0, Math.max(0, headerEnd));
  expect(options.format === 'csv' ? past.checkHeader(header) : []).toEqual([]);
  const data = bytes.subarray(headerEnd + 1);
  const chunk: FileChunk = {
    ...{ header, line: headerEnd < 0 ? 1 : 2, data, nextOffset: bytes.length, nextLine: 0 },
    ...{ storedBytes: bytes.length, endsFile: true },
  };
  const messages = [...past.read(chunk, NOW_MS), ...past.rest()];
  const events = messages.flatMap(({ partition, data: lines }) =>
    Buffer.from(lines)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => ({ partition, ...(JSON.parse(line) as object) })),
  );
  return { past, messages, events, refused };
}

const view = (fields: object): string =>
  JSON.stringify({ event_type: 'view', event_time: '2026-01-01T00:00:00Z', user_id: 'u', item_id: 'i', ...fields });
const rating = (value: number, fields: object = {}): string => view({ event_type: 'rating', rating: value, ...fields });

describe('events of the past', () => {
  it('have the fields of their record, whatever is in them', () => {
    const odd = { page_url: 'a"b\\c\u0001\n\tü😀', review_text: '\ud83d\ude00 "x"', referrer: '' };
    const csv =
      'event_time,event_type,product_id,category_id,brand,price,user_id,user_session\n' +
      '2026-01-01 00:00:00 UTC,view,1,77,"Ünder ""1"", & \\ co",12.50,5,s\r\n' +
      '1767225600,cart,1,77,,,5,\n';
    expect(read(`${view(odd)}\n\n${view({ user_id: 7, price: 1e-7, unknown: [1] })}`).events).toEqual([
      { partition: 0, ...JSON.parse(view({ page_url: odd.page_url, review_text: odd.review_text })), event_id: id(1) },
      { partition: 0, ...JSON.parse(view({ user_id: '7', price: 1e-7 })), event_id: id(3) },
    ]);
    expect(read(csv, { format: 'csv', rules: { schema: 'rees46' } }).events).toEqual([
      {
        ...{ partition: 0, event_id: id(2), event_type: 'view', event_time: '2026-01-01 00:00:00 UTC', user_id: '5' },
        ...{ product_id: '1', brand: 'Ünder "1", & \\ co', price: 12.5, user_session: 's' },
      },
      { partition: 0, event_id: id(3), event_type: 'cart', event_time: '1767225600', user_id: '5', product_id: '1' },
    ]);
  });

  it('have an id: their own, or one of file and line; a rating needs none, but for a strict schema', () => {
    const lines = [view({ event_id: 'mine' }), view({}), rating(3), rating(3, { event_id: 'r' })].join('\n');
    expect(read(lines).events.map(({ event_id: own }) => own)).toEqual(['mine', id(2), undefined, 'r']);
    const strict = { schema: 'rivulet-strict' } as const;
    const found = read([view({ user_id: 1, item_id: 2 }), rating(3, { user_id: 1, item_id: 2 })].join('\n'), {
      rules: strict,
    });
    expect(found.events.map(({ event_id: own }) => own)).toEqual([id(1), id(2)]);
    expect(read(view({ event_id: 'no uuid', user_id: 1, item_id: 2 }), { rules: strict }).refused).toEqual([
      expect.stringMatching(/^1: event_id is "no uuid": send a UUID/),
    ]);
  });

  it('map ratings to the range of the deployment, and refuse those outside their own', () => {
    const lines = [0, 5, 7, 10, 10.5].map((value) => rating(value)).join('\n');
    const { events, refused } = read(lines, { ratingScale: { from: 0, to: 10 } });
    expect(events.map(({ rating: value }) => value)).toEqual([0.5, 2.75, 3.65, 5]);
    expect(refused).toEqual(['5: rating is 10.5: send 0 to 10']);
    expect(read(lines).refused).toEqual([
      ...['1: rating is 0: send 0.5 to 5', '3: rating is 7: send 0.5 to 5', '4: rating is 10: send 0.5 to 5'],
      '5: rating is 10.5: send 0.5 to 5',
    ]);
    expect(read(view({ rating: -1 }), { ratingScale: { from: -1, to: 1 } }).events[0]).toMatchObject({ rating: 0.5 });
  });

  it('go to the source partition of the live events of their user', () => {
    const users = ['u', 'user-7', 'a.b', 'Jörg', '42', 'x'.repeat(129), 'q_'];
    const { events, messages } = read(users.map((user) => view({ user_id: user })).join('\n'), { partitions: 3 });
    const tokenOf = (subject: string, at: number): string | undefined => subject.split('.')[at];
    for (const { partition, user_id: user } of events) {
      const token = tokenOf(eventSubject('view', user as string), 3);
      expect([user, partition]).toEqual([user, token === undefined ? 0 : fnv1aOf(token) % 3]);
      expect(sourcePartitionOf(user as string, 3)).toBe(partition);
    }
    expect(messages.map(({ subject, partition }) => [fnv1aOf(tokenOf(subject, 3)!) % 3, partition])).toEqual(
      messages.map(({ partition }) => [partition, partition]),
    );
    expect(pastSubjects(64).map((subject) => fnv1aOf(tokenOf(subject, 3)!) % 64)).toEqual([...Array(64).keys()]);
  });

  it('are in messages below the limits of a node; one that is too large is refused, and no other', () => {
    const lines = Array.from({ length: 2_500 }, (_, n) => view({ user_id: `u${n}` }));
    lines[7] = view({ page_url: 'x'.repeat(70_000) });
    const { past, messages, refused, events } = read(lines.join('\n'));
    expect([past.events, past.refused, events.length]).toEqual([2_499, 1, 2_499]);
    expect(refused).toEqual([expect.stringMatching(/^8: the message has 70\d+ bytes and may have 65536/)]);
    expect(messages.length).toBeGreaterThan(4);
    for (const { data } of messages) {
      expect(data.length).toBeLessThanOrEqual(64 * 1024);
      expect(Buffer.from(data).toString().split('\n').length - 1).toBeLessThanOrEqual(1_000);
    }
  });
});

/** With the number of a line. */
const id = (line: number): string => `ba7816bf-8f01-8cfe-8a41-${line.toString(16).padStart(12, '0')}`;
