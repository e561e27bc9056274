/** Pages of the dead-letter queue, and retries at the same time, on a real nats-server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { EMPTY } from '../../../runtime/frames/bytes.js';
import { systemClock } from '../../../runtime/contract/clock.js';
import { DeadLetterQueue, type DeadLetterQuery } from '../../../runtime/dead-letters/queue.js';
import { RivuletError, transient } from '../../../runtime/contract/errors.js';
import { streamOf } from '../../../runtime/contract/graph.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { startTestNats, type TestNats } from '../../support/nats.js';
import { messagesIn, type Refused, refuseEvents } from '../../support/refused-events.js';

const SUBJECTS = { 'dead-letter': 'rivulet.dead-letter.>', parse: 'rivulet.events.>' };

let nats: TestNats;
let log: Log;
let queue: DeadLetterQueue;

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-queue'));
  queue = new DeadLetterQueue(log);
  for (const [id, subject] of Object.entries(SUBJECTS)) {
    const dropsOldest = id === 'dead-letter';
    await log.ensureStream({ name: streamOf(id), subjects: [subject], bytesMax: 2 ** 27, dropsOldest, replicas: 1 });
  }
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
});
beforeEach(async () => {
  for (const id of Object.keys(SUBJECTS)) {
    const { lastSequence } = await log.info(streamOf(id));
    await log.purge(streamOf(id), '>', lastSequence + 1);
  }
});

const refuse = (...rows: readonly Partial<Refused>[]): Promise<number> =>
  refuseEvents(
    log,
    rows.map((row) => ({ original: '{"price":-1}', ...row })),
  );

/** All ids that the pages give, and how many pages that took. */
async function idsOf(query: DeadLetterQuery): Promise<{ readonly ids: string[]; readonly pages: number }> {
  const ids: string[] = [];
  for (let [pages, before] = [1, undefined as string | undefined]; ; pages++) {
    const { records, next } = await queue.page({ ...query, before });
    expect(records.length).toBeLessThanOrEqual(query.limit);
    ids.push(...records.map(({ id }) => id));
    if (next === undefined) return { ids, pages };
    before = next;
  }
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof RivuletError ? error.code : String(error)),
  );

describe('pages', () => {
  it('of an empty queue are one, with nothing', async () => {
    expect(await queue.page({ limit: 5 })).toEqual({ records: [], next: undefined });
  });

  it.each([1, 2, 3, 5, 6, 7, 200])('of %i give each record once, newest first', async (limit) => {
    const first = await refuse({}, {}, {});
    const second = await refuse({}, {});
    const third = await refuse({});
    const wanted = [`${third}-0`, `${second}-1`, `${second}-0`, `${first}-2`, `${first}-1`, `${first}-0`];
    expect(await idsOf({ limit })).toEqual({ ids: wanted, pages: Math.ceil(6 / limit) });
  });

  it('go on where the one before ended, whatever comes meanwhile', async () => {
    const sequence = await refuse({}, {}, {});
    const { next } = await queue.page({ limit: 1 });
    const newer = await refuse({});
    const { records } = await queue.page({ limit: 5, before: next });
    expect(records.map(({ id }) => id)).toEqual([`${sequence}-1`, `${sequence}-0`]);
    expect((await queue.page({ limit: 1 })).records[0]!.id).toBe(`${newer}-0`);
  });

  it('of a cursor whose record is dropped by now end', async () => {
    const old = await refuse({}, {});
    const { next } = await queue.page({ limit: 1 });
    await refuse({});
    await log.purge(streamOf('dead-letter'), '>', old + 1);
    expect(await queue.page({ limit: 5, before: next })).toEqual({ records: [], next: undefined });
  });

  it.each(['x', '1', '-1-0', '1-0-0', '9'.repeat(20) + '-0'])('refuse the cursor %s', async (before) => {
    expect(await codeOf(queue.page({ limit: 5, before }))).toBe('BROWSABLE_LOG_CURSOR');
  });

  it('of a cursor ahead of the queue begin with the newest', async () => {
    const sequence = await refuse({});
    expect((await queue.page({ limit: 5, before: '999999999-7' })).records[0]!.id).toBe(`${sequence}-0`);
  });

  it('of a rule, and of those that were retried, have only these', async () => {
    const sequence = await refuse({ rule: 'rare' }, {}, { rule: 'rare' }, {});
    const ids = [0, 1, 2, 3].map((row) => `${sequence}-${row}`);
    await queue.retry(await queue.find(ids[0]!), { kind: 'none' }, { again: false });
    await queue.retry(await queue.find(ids[1]!), { kind: 'none' }, { again: false });
    const found = async (query: Omit<DeadLetterQuery, 'limit'>): Promise<string[]> =>
      (await idsOf({ limit: 2, ...query })).ids;
    expect(await found({ rule: 'rare' })).toEqual([ids[2], ids[0]]);
    expect(await found({ retried: true })).toEqual([ids[1], ids[0]]);
    expect(await found({ retried: false })).toEqual([ids[3], ids[2]]);
    expect(await found({ rule: 'rare', retried: true })).toEqual([ids[0]]);
    expect((await queue.page({ limit: 9 })).records.map(({ retriedAtMs }) => retriedAtMs !== undefined)).toEqual([
      ...[false, false, true, true],
    ]);
  });

  it('read a bounded part of a long queue, and find what stands at its other end', async () => {
    const rare = await refuse({ rule: 'rare' });
    await Promise.all(Array.from({ length: 3_000 }, () => refuse({})));
    let taken = 0;
    const counting: Log = Object.assign(Object.create(log) as Log, {
      read: async (...args: Parameters<Log['read']>) => {
        const reader = await log.read(...args);
        const take = async (max: number) => {
          const messages = await reader.take(max);
          taken += messages.length;
          return messages;
        };
        return { take, close: () => reader.close() };
      },
    });
    const counted = new DeadLetterQueue(counting);
    await counted.page({ limit: 50 });
    expect(taken).toBeLessThan(100);
    taken = 0;
    const { records, next } = await counted.page({ limit: 50, rule: 'rare' });
    expect([records, next]).toEqual([[], expect.any(String)]);
    expect(taken).toBeLessThan(2_500);
    expect((await idsOf({ limit: 50, rule: 'rare' })).ids).toEqual([`${rare}-0`]);
  });

  it('find records between which there are thousands of marks', async () => {
    const before = await refuse({});
    await Promise.all(
      Array.from({ length: 3_000 }, (_, i) => log.publish(`rivulet.dead-letter.retried.0-${i}`, EMPTY)),
    );
    const behind = await refuse({});
    expect(await idsOf({ limit: 50 })).toEqual({ ids: [`${behind}-0`, `${before}-0`], pages: 1 });
  });

  it('are small where the records are large', async () => {
    const original = 'x'.repeat(700_000);
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) ids.unshift(`${await refuse({ original })}-0`);
    const { records } = await queue.page({ limit: 200 });
    expect(records.map(({ originalBytes }) => originalBytes)).toEqual(records.map(() => 700_000));
    expect(Math.max(...records.map((record) => record.original.length))).toBe(4_096);
    expect((await idsOf({ limit: 200 })).ids).toEqual(ids);
    expect((await queue.find(ids[0]!)).original).toHaveLength(700_000);
  });

  it('of records of megabytes read a bounded part of them, and give all', async () => {
    const original = 'x'.repeat(7_000_000);
    const ids: string[] = [];
    for (let i = 0; i < 15; i++) ids.unshift(`${await refuse({ original })}-0`);
    let bytes = 0;
    const counting: Log = Object.assign(Object.create(log) as Log, {
      read: async (...args: Parameters<Log['read']>) => {
        const reader = await log.read(...args);
        const take = async (max: number) => {
          const messages = await reader.take(max);
          for (const { data } of messages) bytes += data.length;
          return messages;
        };
        return { take, close: () => reader.close() };
      },
    });
    const { records, next } = await new DeadLetterQueue(counting).page({ limit: 200 });
    expect(records.map(({ id }) => id)).toEqual(ids.slice(0, records.length));
    expect(next).toBe(ids[records.length - 1]);
    // 8 messages before their size is known, and what is on its way when the page ends.
    expect(bytes).toBeLessThan(100_000_000);
    expect((await idsOf({ limit: 200 })).ids).toEqual(ids);
  });
});

describe('a retry', () => {
  const one = async (): Promise<Awaited<ReturnType<DeadLetterQueue['find']>>> =>
    queue.find(`${await refuse({ subject: 'rivulet.events.view.u1' })}-0`);
  const sent = async (): Promise<string[]> =>
    (await messagesIn(log, 'parse')).map(({ data }) => Buffer.from(data).toString());
  const ONCE = { again: false };
  const NONE = { kind: 'none' } as const;

  it('is done by one of many who try at the same time', async () => {
    const record = await one();
    const queues = [queue, ...Array.from({ length: 7 }, () => new DeadLetterQueue(log))];
    const outcomes = await Promise.all(queues.map((each) => codeOf(each.retry(record, NONE, ONCE))));
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(outcomes.filter((outcome) => !/^(done|DEAD_LETTER_(BUSY|RETRIED))$/.test(outcome))).toEqual([]);
    expect(await sent()).toEqual(['{"price":-1}']);
    expect(await codeOf(queue.retry(record, NONE, ONCE))).toBe('DEAD_LETTER_RETRIED');
    expect(await codeOf(queue.retry(record, NONE, { again: true }))).toBe('done');
    expect(await sent()).toHaveLength(2);
  });

  it('that was broken off keeps others away for a while, and no longer', async () => {
    const record = await one();
    await log.publish(`rivulet.dead-letter.retrying.${record.id}`, EMPTY, { expected: 0 });
    expect(await codeOf(queue.retry(record, NONE, ONCE))).toBe('DEAD_LETTER_BUSY');
    const later = new DeadLetterQueue(log, { ...systemClock, nowMs: () => Date.now() + 60_000 });
    expect(await codeOf(later.retry(record, NONE, ONCE))).toBe('done');
    expect(await sent()).toHaveLength(1);
  });

  it('that could not be sent leaves the record as it was', async () => {
    const record = await one();
    let isUnreachable = true;
    const failing: Log = Object.assign(Object.create(log) as Log, {
      publish: (...[subject, data, options]: Parameters<Log['publish']>) =>
        isUnreachable && subject.startsWith('rivulet.events.')
          ? Promise.reject(transient('LOG_UNREACHABLE', 'nobody takes it'))
          : log.publish(subject, data, options),
    });
    const stubborn = new DeadLetterQueue(failing);
    expect(await codeOf(stubborn.retry(record, NONE, ONCE))).toBe('LOG_UNREACHABLE');
    isUnreachable = false;
    expect(await codeOf(stubborn.retry(record, NONE, ONCE))).toBe('done');
    expect(await sent()).toHaveLength(1);
  });

  it('that could not be sent, and whose claim stays, leaves a line in the log', async () => {
    const record = await one();
    const failing: Log = Object.assign(Object.create(log) as Log, {
      publish: (...[subject, data, options]: Parameters<Log['publish']>) =>
        subject.startsWith('rivulet.events.')
          ? Promise.reject(transient('LOG_FULL', 'the stream is full'))
          : log.publish(subject, data, options),
      purge: () => Promise.reject(transient('LOG_UNREACHABLE', 'nobody answers')),
    });
    const warn = vi.fn();
    const stubborn = new DeadLetterQueue(failing, systemClock, undefined, { warn });
    expect(await codeOf(stubborn.retry(record, NONE, ONCE))).toBe('LOG_FULL');
    const says = 'cannot take back the claim on a dead letter: until it ends, retries are refused';
    expect(warn.mock.calls).toEqual([
      [expect.objectContaining({ id: record.id, err: expect.objectContaining({ code: 'LOG_UNREACHABLE' }) }), says],
    ]);
    expect(await codeOf(queue.retry(record, NONE, ONCE))).toBe('DEAD_LETTER_BUSY');
  });

  it('mends what is JSON, and takes another event for anything', async () => {
    const record = await one();
    await queue.retry(record, { kind: 'set', fields: { price: 2 } }, ONCE);
    await queue.retry(record, { kind: 'event', data: Buffer.from('{}') }, { again: true });
    expect(await sent()).toEqual(['{"price":2}', '{}']);
    const text = await queue.find(`${await refuse({ original: 'no JSON' })}-0`);
    expect(await codeOf(queue.retry(text, { kind: 'set', fields: { price: 2 } }, ONCE))).toBe('DEAD_LETTER_CHANGE');
  });

  it('mends an event without a change to what is not mended: ids keep their digits', async () => {
    const event = { item_id: 'i', price: 'NaN' };
    const original = `{"user_id":12345678901234567891,${JSON.stringify(event).slice(1)}`;
    const record = await queue.find(`${await refuse({ original })}-0`);
    const set = (fields: Readonly<Record<string, unknown>>) =>
      codeOf(queue.retry(record, { kind: 'set', fields }, ONCE));
    expect(await set({ price: 2, event_id: 2 ** 60 })).toBe('DEAD_LETTER_CHANGE');
    expect(await set({ price: 2 })).toBe('done');
    expect(await sent()).toEqual(['{"user_id":"12345678901234567891","item_id":"i","price":2}']);
  });
});

it.each(['999999-0', 'x', '1', '0-0', '7-99'])('there is no record %s', async (id) => {
  await refuse({});
  expect(await codeOf(queue.find(id))).toBe('DEAD_LETTER_UNKNOWN');
});
