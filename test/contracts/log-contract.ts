/** What every Log does (runtime/contract/ports.ts), whatever is behind it. Run on JetStream and on the in-memory double. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import type { Log, LogMessage, Reader, StreamSpec } from '../../runtime/contract/ports.js';
import { published } from './published.js';

export interface LogBed {
  readonly log: Log;
  /** Another client of the same log. */
  readonly other: Log;
  deleteStream(name: string): Promise<void>;
  /** Of the streams; absent: 1. */
  readonly replicas?: number;
  stop(): Promise<void>;
}

/** All that comes up to `count` messages. */
export async function takeAll(reader: Reader, count: number, max = 1_000): Promise<LogMessage[]> {
  const messages: LogMessage[] = [];
  while (messages.length < count) {
    for (const message of await reader.take(max)) messages.push({ ...message, data: new Uint8Array(message.data) });
  }
  return messages;
}

export const texts = (messages: readonly LogMessage[]): string[] => messages.map(({ data }) => textOf(data));

export function logContract(name: string, makeBed: () => Promise<LogBed>): void {
  describe(`log contract: ${name}`, () => {
    let bed: LogBed;
    let log: Log;
    let stream: string;
    let root: string;
    let made = 0;

    const make = (spec: Partial<StreamSpec> = {}): Promise<void> =>
      log.ensureStream({
        ...{ name: stream, subjects: [`${root}.>`], bytesMax: 64 * 1024 * 1024, dropsOldest: false },
        replicas: bed.replicas ?? 1,
        ...spec,
      });
    const publish = (to: string, text: string, expected?: number) => published(log, `${root}.${to}`, text, expected);
    const read = (from = 1, ...filters: string[]): Promise<Reader> =>
      log.read(stream, {
        filters: filters.length === 0 ? [`${root}.>`] : filters.map((one) => `${root}.${one}`),
        from,
      });
    const last = (subject: string): Promise<LogMessage | undefined> => log.last(stream, `${root}.${subject}`);
    const purge = (subject: string, below: number): Promise<void> => log.purge(stream, `${root}.${subject}`, below);
    /** Publishes kilobytes until it is refused; gives how many were taken. */
    const fill = async (subject: string): Promise<number> => {
      for (let taken = 0; ; taken++) {
        try {
          await log.publish(`${root}.${subject}`, new Uint8Array(1024));
        } catch (error) {
          expect(error).toMatchObject({ reaction: 'transient', code: 'LOG_FULL' });
          return taken;
        }
      }
    };

    beforeAll(async () => {
      bed = await makeBed();
      log = bed.log;
    });
    afterAll(() => bed.stop());
    beforeEach(async () => {
      stream = `RIVULET_T${++made}`;
      root = `rivulet.t${made}`;
      await make();
    });

    describe('publish', () => {
      it('gives the stream sequence, one more for each message of any subject', async () => {
        expect([await publish('a', '1'), await publish('b', '2'), await publish('a', '3')]).toEqual([1, 2, 3]);
      });

      it('stores bytes as they are, with their headers', async () => {
        const data = Uint8Array.from({ length: 256 }, (_, i) => i);
        await log.publish(`${root}.a`, data, { headers: { 'Content-Type': 'application/json' } });
        await log.publish(`${root}.b`, new Uint8Array(0));
        const [first, second] = await takeAll(await read(), 2);
        expect(new Uint8Array(first!.data)).toEqual(data);
        expect(first!.headers).toMatchObject({ 'content-type': 'application/json' });
        expect(second!.data).toHaveLength(0);
        expect(new Uint8Array((await last('a'))!.data)).toEqual(data);
        expect((await last('a'))!.headers).toMatchObject({ 'content-type': 'application/json' });
      });

      it('is LOG_UNREACHABLE where no stream takes the subject', async () => {
        await expect(log.publish('nowhere.a', utf8('x'))).rejects.toMatchObject({
          ...{ reaction: 'transient', code: 'LOG_UNREACHABLE' },
        });
      });

      it('is Fatal LOG_PAYLOAD past the payload limit: repeating it would not help', async () => {
        const tooLarge = new Uint8Array(log.payloadBytesMax + 1);
        await expect(log.publish(`${root}.a`, tooLarge)).rejects.toMatchObject({
          ...{ reaction: 'fatal', code: 'LOG_PAYLOAD' },
        });
        expect(await publish('a', 'small')).toBe(1);
      });

      it('takes or refuses what is just at the limit, headers and all, and goes on', async () => {
        for (const below of [0, 1, 64, 256]) {
          const data = new Uint8Array(log.payloadBytesMax - below);
          const before = (await log.info(stream)).lastSequence;
          const outcome = await log.publish(`${root}.a`, data, { expected: before }).catch((error: unknown) => error);
          if (typeof outcome === 'number') expect(outcome).toBe(before + 1);
          else expect(outcome).toMatchObject({ reaction: 'fatal', code: 'LOG_PAYLOAD' });
        }
        expect(await publish('b', 'small', 0)).toBeGreaterThan(1);
      });
    });

    describe('fencing', () => {
      it('takes a message whose expected sequence is the subject’s last, 0 for none', async () => {
        expect(await publish('a', '1', 0)).toBe(1);
        expect(await publish('b', '2', 0)).toBe(2);
        expect(await publish('a', '3', 1)).toBe(3);
      });

      it('refuses any other as FENCED and stores nothing', async () => {
        await publish('a', '1');
        await publish('a', '2');
        for (const expected of [0, 1, 3, 99]) {
          await expect(publish('a', 'x', expected)).rejects.toMatchObject({ reaction: 'transient', code: 'FENCED' });
        }
        await expect(publish('b', 'x', 2)).rejects.toMatchObject({ code: 'FENCED' });
        expect((await log.info(stream)).lastSequence).toBe(2);
      });

      it('tells readers what the writer expected, and nothing where it did not say', async () => {
        await publish('a', '1', 0);
        await publish('a', '2');
        await publish('a', '3', 2);
        const messages = await takeAll(await read(), 3);
        expect(messages.map(({ expected }) => expected)).toEqual([0, undefined, 2]);
      });

      it('lets one of two writers through', async () => {
        const both = [log, bed.other].map((one) => one.publish(`${root}.a`, utf8('x'), { expected: 0 }));
        const outcomes = await Promise.allSettled(both);
        expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        expect((await log.info(stream)).lastSequence).toBe(1);
      });
    });

    describe('last', () => {
      it('is the last message of that subject alone', async () => {
        const before = Date.now();
        for (const [subject, text] of [...'abab'].map((one, i) => [one, String(i)] as const))
          await publish(subject, text);
        const message = (await bed.other.last(stream, `${root}.a`))!;
        expect(message).toMatchObject({ sequence: 3, subject: `${root}.a` });
        expect(textOf(message.data)).toBe('2');
        expect(Math.abs(message.storedAtMs - before)).toBeLessThan(60_000);
        expect(await last('c')).toBeUndefined();
        expect(await last('>')).toMatchObject({ sequence: 4, subject: `${root}.b` });
      });
    });

    describe('readers', () => {
      it('give messages from a sequence on, in order, with what was stored', async () => {
        for (const text of ['1', '2', '3', '4']) await publish(text === '2' ? 'b' : 'a', text);
        const messages = await takeAll(await read(2), 3);
        expect(texts(messages)).toEqual(['2', '3', '4']);
        expect(messages.map(({ sequence }) => sequence)).toEqual([2, 3, 4]);
        expect(messages.map(({ subject }) => subject)).toEqual([`${root}.b`, `${root}.a`, `${root}.a`]);
      });

      it('filter: * is one token, > the rest, and any of several filters may fit', async () => {
        for (const subject of ['p.0.x', 'p.1.x', 'p.0.x.y', 'q.0.x', 'p.0']) await publish(subject, subject);
        expect(texts(await takeAll(await read(1, 'p.*.x'), 2))).toEqual(['p.0.x', 'p.1.x']);
        expect(texts(await takeAll(await read(1, 'p.0.>'), 2))).toEqual(['p.0.x', 'p.0.x.y']);
        expect(texts(await takeAll(await read(1, 'p.1.>', 'q.>'), 2))).toEqual(['p.1.x', 'q.0.x']);
        expect(texts(await takeAll(await read(1, 'p.0'), 1))).toEqual(['p.0']);
      });

      it('wait for messages, then give at most what was asked for', async () => {
        const reader = await read();
        const waiting = reader.take(2);
        await publish('a', '1');
        expect(texts(await waiting)).toEqual(['1']);
        for (const text of ['2', '3', '4']) await publish('a', text);
        const some = await reader.take(2);
        expect(some.length).toBeGreaterThan(0);
        expect(some.length).toBeLessThanOrEqual(2);
        expect(texts([...some, ...(await takeAll(reader, 3 - some.length))])).toEqual(['2', '3', '4']);
      });

      it('may start behind the end: what is stored before stays unread', async () => {
        await publish('a', '1');
        const reader = await read(3);
        await publish('a', '2');
        await publish('a', '3');
        expect(texts(await takeAll(reader, 1))).toEqual(['3']);
      });

      it('end a waiting take with an empty list when closed, and every later one', async () => {
        const reader = await read();
        const waiting = reader.take(5);
        await reader.close();
        expect(await waiting).toEqual([]);
        expect(await reader.take(5)).toEqual([]);
        await reader.close();
      });

      it('are independent of one another', async () => {
        for (let i = 0; i < 500; i++) await publish(i % 2 === 0 ? 'a' : 'b', String(i));
        const [all, even] = [await read(), await bed.other.read(stream, { filters: [`${root}.a`], from: 1 })];
        expect(texts(await takeAll(even, 250, 7))).toEqual(Array.from({ length: 250 }, (_, i) => String(i * 2)));
        expect(texts(await takeAll(all, 500, 64))).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
      });
    });

    describe('purge', () => {
      it('drops a subject’s messages below a sequence, and no others', async () => {
        for (const [subject, text] of [...'abab'].map((one, i) => [one, String(i)] as const))
          await publish(subject, text);
        await purge('a', 3);
        expect(texts(await takeAll(await read(), 3))).toEqual(['1', '2', '3']);
        expect(await log.info(stream)).toMatchObject({ firstSequence: 2, lastSequence: 4 });
        expect(textOf((await last('a'))!.data)).toBe('2');
        expect(await publish('a', '4', 3)).toBe(5);
      });

      it('takes wildcards', async () => {
        for (const subject of ['p.x', 'q.x', 'p.y', 'p.z']) await publish(subject, subject);
        await purge('p.>', 4);
        expect(texts(await takeAll(await read(), 2))).toEqual(['q.x', 'p.z']);
      });

      it('may leave nothing: the last sequence stays, the subject is as new', async () => {
        await publish('a', '1');
        await publish('a', '2');
        await purge('a', 3);
        expect(await last('a')).toBeUndefined();
        expect((await log.info(stream)).lastSequence).toBe(2);
        expect(await publish('a', '3', 0)).toBe(3);
      });
    });

    describe('a full stream', () => {
      it('refuses with LOG_FULL, loses nothing, and goes on when trimmed', async () => {
        await make({ bytesMax: 16 * 1024 });
        const taken = await fill('a');
        expect(taken).toBeGreaterThan(8);
        await expect(publish('b', 'x'.repeat(1024))).rejects.toMatchObject({ reaction: 'transient', code: 'LOG_FULL' });
        expect(await log.info(stream)).toMatchObject({ firstSequence: 1, lastSequence: taken });
        await purge('a', taken);
        expect(await publish('b', 'fits now', 0)).toBe(taken + 1);
      });

      it('that drops its oldest takes on and on', async () => {
        await make({ bytesMax: 16 * 1024, dropsOldest: true });
        for (let i = 0; i < 64; i++) await log.publish(`${root}.a`, new Uint8Array(1024).fill(i));
        const { firstSequence, lastSequence, bytes } = await log.info(stream);
        expect(lastSequence).toBe(64);
        expect(firstSequence).toBeGreaterThan(40);
        expect(bytes).toBeLessThanOrEqual(16 * 1024);
        expect((await last('a'))!.data[0]).toBe(63);
      });
    });

    describe('a stream', () => {
      it('is missed with STREAM_NOT_FOUND', async () => {
        const missing = { reaction: 'transient', code: 'STREAM_NOT_FOUND' };
        await expect(log.info('RIVULET_NONE')).rejects.toMatchObject(missing);
        await expect(log.last('RIVULET_NONE', 'a')).rejects.toMatchObject(missing);
        await expect(log.read('RIVULET_NONE', { filters: ['a'], from: 1 })).rejects.toMatchObject(missing);
        await expect(log.purge('RIVULET_NONE', 'a', 1)).rejects.toMatchObject(missing);
      });

      it('stays what it is when ensured again, and is another one when made anew', async () => {
        await publish('a', '1');
        const { identity } = await log.info(stream);
        await make();
        await make({ bytesMax: 32 * 1024 * 1024 });
        expect(await bed.other.info(stream)).toMatchObject({ identity, firstSequence: 1, lastSequence: 1 });
        await bed.deleteStream(stream);
        await make();
        const anew = await log.info(stream);
        expect(anew.lastSequence).toBe(0);
        expect(anew.identity).not.toBe(identity);
      });

      it('is brought to what is asked for: its limit, and what happens there', async () => {
        await make({ bytesMax: 8 * 1024 });
        const few = await fill('a');
        await make({ bytesMax: 16 * 1024 });
        expect(few + (await fill('a'))).toBeGreaterThan(few);
        await make({ bytesMax: 16 * 1024, dropsOldest: true });
        await publish('a', 'x'.repeat(1024));
        await make({ bytesMax: 16 * 1024, dropsOldest: false });
        await fill('a');
      });
    });
  });
}
