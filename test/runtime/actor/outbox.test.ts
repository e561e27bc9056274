/** Lines and the outbox (OUTBOX-1–OUTBOX-4): acks lost, requests lost, other writers. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { RivuletError } from '../../../runtime/contract/errors.js';
import { partsIn } from '../../../runtime/frames/joined.js';
import { OutputLane, Outbox } from '../../../runtime/actor/outbox.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { partsPublished, isSamePosition, type OutputPosition } from '../../../runtime/actor/output-position.js';
import { FailingLog, type Fate, type LogFaults, scripted, SecondWriter } from '../../support/failing-log.js';
import { MemoryLog } from '../../support/memory-log.js';
import { SILENT } from '../tuning.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

const SUBJECT = 's.0.a.0';
const tag = (sequence: number, part = 0, lastPart = true): OutputPosition => {
  return { first: sequence, sequence, part, lastPart, inputsDigest: 0 };
};
const letter = (of: OutputPosition, output = ''): Uint8Array =>
  toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...of, output }));

let inner: MemoryLog;
let clock: VirtualClock;
let abort: AbortController;

beforeEach(async () => {
  inner = new MemoryLog();
  clock = new VirtualClock();
  abort = new AbortController();
  await inner.ensureStream({ name: 'S', subjects: ['s.>'], bytesMax: 1e6, dropsOldest: false, replicas: 1 });
});

async function open(
  faults: LogFaults = {},
  { log = new FailingLog(inner, faults), ...lane }: { log?: Log; dropsOldest?: boolean; joins?: boolean } = {},
) {
  const subject = SUBJECT;
  const lines = new Map<string, OutputLane>();
  const outbox = new Outbox(lines);
  const failures: Error[] = [];
  const line = await OutputLane.open({
    ...{ log, clock, logger: SILENT, stream: 'S', subject, signal: abort.signal, ...lane },
    onAcked: () => {
      outbox.wake();
    },
    onFailed: (error) => {
      failures.push(error);
      outbox.fail(error);
    },
  });
  lines.set(subject, line);
  const hand = (...tags: readonly OutputPosition[]): void => {
    for (const one of tags) line.enqueue(one, letter(one));
  };
  return { line, outbox, hand, failures, failure: () => failures[0] };
}

const said = (): number[] =>
  inner.messages('S').map(({ data }) => {
    const { sequence, part } = fromBinary(EnvelopeSchema, data);
    return sequence * 10 + part;
  });

describe('a line', () => {
  it('publishes what is enqueued, in order, one publish at a time (OUTBOX-2)', async () => {
    let inFlight = 0;
    let most = 0;
    const { hand, line, outbox } = await open({
      turn: async ({ kind }) => {
        if (kind !== 'publish') return;
        inFlight++;
        most = Math.max(most, inFlight);
        await settled();
        inFlight--;
      },
    });
    hand(tag(1), tag(2, 0, false), tag(2, 1), tag(5));
    expect(line.waiting).toBe(4);
    await outbox.settled();
    expect([said(), most, line.waiting, line.bytes]).toEqual([[10, 20, 21, 50], 1, 0, 0]);
  });

  it('publishes in one message what waits for the one before, up to the end of an epoch; a claim stays alone (JOINED-3)', async () => {
    const { hand, line, outbox } = await open({}, { joins: true });
    hand(tag(1, 0, false), tag(1, 1), tag(2));
    line.enqueue(tag(3), letter(tag(3)), 'before');
    hand(tag(4), tag(5));
    line.claim();
    hand(tag(6));
    await outbox.settled();
    const parts = inner
      .messages('S')
      .map(({ data }) => partsIn(data).map(({ sequence, part }) => sequence * 10 + part));
    expect(parts).toEqual([[10, 11, 20, 30], [40, 50], [50], [60]]);
    expect([line.waiting, line.bytes]).toEqual([0, 0]);
  });

  it('finds a message of several parts by its last one, after an ack that was lost', async () => {
    const fate = scripted([['publish', SUBJECT, 1, 'ack-lost']]);
    const { hand, outbox } = await open({ fate }, { joins: true });
    hand(tag(1), tag(2));
    await until(clock, () => said().length === 1);
    await outbox.settled();
    expect([said(), (await open()).line.published]).toEqual([[20], tag(2)]);
  });

  it('knows from its subject’s last message what was published', async () => {
    const { hand, outbox, line } = await open();
    expect(line.published.sequence).toBe(0);
    hand(tag(3), tag(7, 2, false));
    await outbox.settled();
    expect((await open()).line.published).toEqual(tag(7, 2, false));
  });

  it.each([
    ['ack-lost', 'an ack that was lost is found by reading: nothing is said twice'],
    ['request-lost', 'a request that was lost is sent again'],
    ['away', 'a log that is away is waited for'],
  ] as const)('%s: %s (OUTBOX-3)', async (fate: Fate, _) => {
    const { hand, outbox, failure } = await open({ fate: scripted([['publish', SUBJECT, 2, fate]]) });
    hand(tag(1), tag(2), tag(3));
    await until(clock, () => said().length === 3);
    await outbox.settled();
    expect([said(), failure()]).toEqual([[10, 20, 30], undefined]);
  });

  it('asks until it knows, when reading fails as well', async () => {
    const fate = scripted([
      ['publish', SUBJECT, 1, 'ack-lost'],
      ['last', SUBJECT, 2, 'away'],
      ['publish', SUBJECT, 2, 'ack-lost'],
    ]);
    const { hand, outbox, failure } = await open({ fate });
    hand(tag(1), tag(2));
    const done = outbox.settled();
    await until(clock, () => said().length === 2);
    await done;
    expect([said(), failure()]).toEqual([[10, 20], undefined]);
  });

  it('ends with FENCED also when another owner has published the same: it may be computed from other state (OUTBOX-5)', async () => {
    const { hand, outbox } = await open();
    await (await SecondWriter.open(inner, 'S', SUBJECT)).say(letter(tag(1)));
    hand(tag(1), tag(2));
    await expect(outbox.settled()).rejects.toMatchObject({ reaction: 'transient', code: 'FENCED' });
    expect(said()).toEqual([10]);
  });

  it('that claims its lanes publishes on all, and every earlier owner is fenced (OUTBOX-5)', async () => {
    const [first, second] = [await open(), await open()];
    first.hand(tag(1));
    await first.outbox.settled();
    const third = await open();
    await first.outbox.claim(() => true);
    third.hand(tag(2));
    await expect(third.outbox.settled()).rejects.toMatchObject({ code: 'FENCED' });
    first.hand(tag(2));
    await first.outbox.settled();
    expect([said(), second.failure()]).toEqual([[10, 10, 20], undefined]);
    const { lanes: lines } = (await open()).outbox;
    expect([...lines.values()][0]!.published).toEqual(tag(2));
  });

  it('ends with FENCED when another owner has published something else', async () => {
    const { hand, outbox, failure } = await open();
    const other = await SecondWriter.open(inner, 'S', SUBJECT);
    await other.say(letter(tag(1)));
    await other.say(letter(tag(2)));
    hand(tag(1), tag(2));
    await expect(outbox.settled()).rejects.toMatchObject({ reaction: 'transient', code: 'FENCED' });
    expect(said()).toEqual([10, 20]);
    expect(failure()).toBeInstanceOf(RivuletError);
    await expect(other.say(letter(tag(3)))).resolves.toBe(3);
  });

  it('goes on where the stream has dropped its last message, if the stream drops its oldest', async () => {
    const { hand, outbox, failure } = await open({}, { dropsOldest: true });
    hand(tag(1));
    await outbox.settled();
    await inner.purge('S', SUBJECT, 2);
    hand(tag(2), tag(3));
    await until(clock, () => said().length === 2 || failure() !== undefined);
    expect([said(), failure()]).toEqual([[20, 30], undefined]);
    const other = await SecondWriter.open(inner, 'S', SUBJECT);
    await other.say(letter(tag(4)));
    hand(tag(4));
    await expect(outbox.settled()).rejects.toMatchObject({ code: 'FENCED' });
  });

  it.each([
    ['the stream drops nothing', false, 1],
    ['the stream ends before it: it is another one', true, 0],
  ])('without its last message it ends with FENCED where %s', async (_, dropsOldest, end) => {
    const { hand, outbox } = await open({}, { dropsOldest });
    hand(tag(1));
    await outbox.settled();
    await inner.purge('S', SUBJECT, 2);
    inner.rollBack('S', end);
    hand(tag(2));
    await expect(outbox.settled()).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('ends with FENCED where another message is in the place of its last one: the stream has gone back, and on again', async () => {
    const { hand, outbox } = await open({}, { dropsOldest: true });
    hand(tag(1));
    await outbox.settled();
    inner.rollBack('S', 0);
    await inner.publish('s.other', new Uint8Array(0));
    hand(tag(2));
    await expect(outbox.settled()).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('goes on where its last message was dropped, and another one is behind it', async () => {
    const { hand, outbox, failure } = await open({}, { dropsOldest: true });
    hand(tag(1));
    await outbox.settled();
    await inner.publish('s.other', new Uint8Array(0));
    await inner.purge('S', SUBJECT, 2);
    hand(tag(2));
    await until(clock, () => said().length === 2 || failure() !== undefined);
    expect(failure()).toBeUndefined();
  });

  it('fences the other one', async () => {
    const other = await SecondWriter.open(inner, 'S', SUBJECT);
    const { hand, outbox } = await open();
    hand(tag(1));
    await outbox.settled();
    await expect(other.say(letter(tag(1)))).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('publishes nothing more once it has failed: no gap', async () => {
    const broken: Log = Object.assign(Object.create(inner) as Log, {
      publish: async (subject: string, data: Uint8Array, options?: { expected?: number }) => {
        if (fromBinary(EnvelopeSchema, data).sequence === 1) throw new TypeError('cannot send this one');
        return inner.publish(subject, data, options);
      },
    });
    const { hand, outbox, failures } = await open({}, { log: broken });
    hand(tag(1));
    await settled();
    hand(tag(2), tag(3));
    await settled();
    expect(said()).toEqual([]);
    await expect(outbox.settled()).rejects.toThrow('cannot send this one');
    await expect(outbox.room(100, 1e9)).rejects.toThrow('cannot send this one');
    expect(failures).toHaveLength(1);
  });

  it('stops retrying when it is aborted', async () => {
    const { hand, outbox } = await open({ fate: ({ kind }) => (kind === 'publish' ? 'away' : 'done') });
    hand(tag(1));
    const settling = expect(outbox.settled()).rejects.toThrow();
    await settled();
    abort.abort();
    await settling;
    expect(clock.sleeping).toBe(0);
  });
});

describe('the outbox', () => {
  it('has room when no lane has more messages, and all together no more bytes, than allowed', async () => {
    let go = (): void => undefined;
    const { hand, outbox } = await open({
      turn: ({ kind }) => (kind === 'publish' ? new Promise((resolve) => (go = resolve)) : Promise.resolve()),
    });
    hand(tag(1), tag(2), tag(3));
    const reached: string[] = [];
    void outbox.room(3, 1e9).then(() => reached.push('three'));
    void outbox.room(2, 1e9).then(() => reached.push('two'));
    void outbox.room(9, 0).then(() => reached.push('no bytes'));
    void outbox.room(0, 1e9).then(() => reached.push('none'));
    await settled();
    expect(reached).toEqual(['three']);
    for (let i = 0; i < 2; i++) {
      go();
      await settled();
    }
    expect(reached).toEqual(['three', 'two']);
    for (let i = 0; i < 4; i++) {
      go();
      await settled();
    }
    expect(reached.sort()).toEqual(['no bytes', 'none', 'three', 'two']);
  });

  it('is settled when all that was handed over before is acknowledged, whatever comes after (OUTBOX-4)', async () => {
    let go = (): void => undefined;
    const { hand, outbox } = await open({
      turn: ({ kind }) => (kind === 'publish' ? new Promise((resolve) => (go = resolve)) : Promise.resolve()),
    });
    hand(tag(1));
    let done = false;
    void outbox.settled().then(() => (done = true));
    hand(tag(2));
    await settled();
    go();
    await settled();
    expect([done, said()]).toEqual([false, [10]]);
    go();
    await settled();
    expect([done, outbox.waiting]).toEqual([true, 1]);
  });
});

describe('tags', () => {
  it.each([
    [tag(5), 4, Infinity],
    [tag(5), 5, Infinity],
    [tag(5), 6, 0],
    [tag(5, 2, false), 5, 3],
    [tag(5, 2, false), 4, Infinity],
    [tag(5, 2, false), 6, 0],
    [{ ...tag(5), first: 3 }, 4, Infinity],
  ])('%j has said of %i: %d parts', (last, sequence, parts) => {
    expect(partsPublished(last, sequence)).toBe(parts);
  });

  it('are the same when they are of the same inputs and part', () => {
    expect(isSamePosition(tag(5), { ...tag(5), lastPart: false })).toBe(true);
    expect(isSamePosition(tag(5), { ...tag(5), first: 4 })).toBe(false);
    expect(isSamePosition(tag(5), tag(5, 1))).toBe(false);
    expect(isSamePosition(tag(5), tag(6))).toBe(false);
  });
});
