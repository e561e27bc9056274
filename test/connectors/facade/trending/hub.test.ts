/** The hub by itself, with calls in hand: when each message is taken by the transport, the test says. */
import { EventEmitter } from 'node:events';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ServerContext } from '../../../../connectors/grpc/server/server-context.js';
import { CALL_LIMITS } from '../../../../connectors/grpc/server/call-limits.js';
import { stateAfter, type TrendingState } from '../../../../connectors/grpc/client/trending.js';
import type { ByteStream } from '../../../../connectors/grpc/services/call-stream.js';
import { TrendingHandlers } from '../../../../connectors/grpc/services/trending-service.js';
import { HEARTBEAT_MS } from '../../../../connectors/facade/trending/hub.js';
import {
  StreamTrendingRequestSchema,
  StreamTrendingResponseSchema,
} from '../../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { transient } from '../../../../runtime/contract/errors.js';
import { settled, VirtualClock } from '../../../runtime/virtual-clock.js';
import { entries, entry, HandLists } from './trending-lists.js';

type Given = { readonly after?: number; readonly category?: string; readonly client?: number };

/** What the hub sees of a call; what is written waits until `taken`. */
class HandCall extends EventEmitter {
  writableEnded = false;
  kinds: (string | undefined)[] = [];
  bytes = 0;
  state: TrendingState | undefined;
  refused: { readonly code?: number } | undefined;
  private readonly waiting: { readonly message: Buffer; readonly taken: () => void }[] = [];
  readonly request: Buffer;
  readonly client: string;

  constructor(limit: number, { after = 0, category = '', client = 1 }: Given = {}) {
    super();
    this.client = `address:192.0.2.${client}`;
    const request = create(StreamTrendingRequestSchema, { limit, category, afterRevision: BigInt(after) });
    this.request = Buffer.from(toBinary(StreamTrendingRequestSchema, request));
    this.on('error', (error: object) => {
      this.refused = error;
      this.end();
    });
  }

  getDeadline = (): number => Infinity;
  write(message: Buffer, taken: () => void): boolean {
    this.waiting.push({ message, taken });
    return true;
  }

  get onTheirWay(): number {
    return this.waiting.length;
  }

  /** The transport takes what is on its way, and the client reads it. */
  take(): void {
    const next = this.waiting.shift();
    if (next === undefined) return;
    const message = fromBinary(StreamTrendingResponseSchema, next.message);
    this.kinds.push(message.change.case);
    this.bytes += next.message.length;
    this.state = stateAfter(this.state, message);
    next.taken();
  }

  end(): void {
    this.writableEnded = true;
    this.emit('cancelled');
  }

  get text(): string | undefined {
    return this.state?.items.map(({ itemId, score }) => `${itemId}:${score}`).join(' ');
  }
}

const clientOf = (call: object): string => (call as HandCall).client;

function bed() {
  const [clock, lists] = [new VirtualClock(), new HandLists()];
  const hub = new TrendingHandlers(lists, new ServerContext({ limits: CALL_LIMITS, clock }), clock, clientOf);
  onTestFinished(() => hub.stop());
  const follow = (limit: number, given?: Given): HandCall => {
    const call = new HandCall(limit, given);
    hub.streamTrending(call as unknown as ByteStream);
    return call;
  };
  const round = async (ms = 10): Promise<void> => {
    await settled();
    clock.advance(ms);
    await settled();
    await settled();
  };
  return { clock, lists, hub, follow, round };
}

const someItems = fc
  .shuffledSubarray(['a', 'b', 'c', 'd', 'e', 'f'])
  .chain((ids) =>
    fc
      .array(fc.nat(2), { minLength: ids.length, maxLength: ids.length })
      .map((n) => ids.map((id, i) => entry(id, n[i]!))),
  );
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ set: someItems }) },
    { weight: 3, arbitrary: fc.record({ takes: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.constant({ passes: true }) },
    { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 5 }) }) },
  ),
  { maxLength: 40 },
);

it('whatever the lists and the pace of each reader, what was sent leads to the newest list, with one message on its way', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const { lists, hub, follow, round } = bed();
      const calls: { readonly call: HandCall; readonly limit: number }[] = [];
      for (const step of [{ limit: 3 }, { limit: 3 }, ...sequence]) {
        if ('set' in step) lists.set(step.set);
        else if ('takes' in step) calls[step.takes % calls.length]!.call.take();
        else if ('passes' in step) await round();
        else calls.push({ call: follow(step.limit), limit: step.limit });
        for (const { call } of calls) expect(call.onTheirWay).toBeLessThanOrEqual(1);
      }
      await round();
      for (const { call, limit } of calls) {
        while (call.onTheirWay > 0) call.take();
        const { items, revision } = lists.get({ window: 'hour', ranking: 'score', category: undefined });
        expect(call.state?.items).toEqual(items.slice(0, limit).map((one, i) => ({ ...one, rank: i + 1 })));
        expect(call.state?.revision).toBeLessThanOrEqual(revision);
      }
      hub.stop();
    }),
    { numRuns: 60 },
  );
});

describe('a subscriber that does not read', () => {
  it('gets one delta from what it has to what is now', async () => {
    const { lists, follow, round } = bed();
    lists.set(entries('a:1'));
    const slow = follow(10);
    for (let n = 2; n <= 50; n++) {
      lists.set(entries(`b:${n + 1} a:${n}`));
      await round();
      expect(slow.onTheirWay).toBe(1);
    }
    slow.take();
    slow.take();
    expect(slow.kinds).toEqual(['snapshot', 'delta']);
    expect(slow.text).toBe('b:51 a:50');
    expect(slow.onTheirWay).toBe(0);
  });

  it('gets a snapshot when what it has is forgotten', async () => {
    const { lists, follow, round } = bed();
    lists.set(entries('a:1'));
    const slow = follow(10);
    for (let n = 0; n < 200; n++) {
      lists.set(entries(`b:${n}`));
      await round();
    }
    slow.take();
    slow.take();
    expect(slow.kinds).toEqual(['snapshot', 'snapshot']);
    expect(slow.text).toBe('b:199');
  });
});

describe('a change', () => {
  it('is encoded once, however many follow', async () => {
    const { lists, hub, follow, round } = bed();
    lists.set(entries('a:1'));
    const calls = Array.from({ length: 500 }, () => follow(10));
    calls.forEach((call) => call.take());
    expect(hub.counts()).toEqual({ subscribers: 500, lists: 1, messagesEncoded: 1, messagesSent: 500 });
    for (let n = 2; n <= 5; n++) {
      lists.set(entries(`a:${n}`));
      await round();
      await round();
      calls.forEach((call) => call.take());
    }
    expect(hub.counts()).toMatchObject({ messagesEncoded: 5, messagesSent: 2500 });
    expect(calls.map(({ text }) => text)).toEqual(calls.map(() => 'a:5'));
  });

  it('beyond the limit sends nothing', async () => {
    const { lists, follow, round } = bed();
    lists.set(entries('a:3 b:2'));
    const [one, two] = [follow(1), follow(2)];
    [one, two].forEach((call) => call.take());
    lists.set(entries('a:3 c:2'));
    await round();
    expect([one.onTheirWay, two.onTheirWay]).toEqual([0, 1]);
    // And what comes then starts from what was sent.
    lists.set(entries('c:4 a:3'));
    await round();
    one.take();
    expect([one.kinds, one.text]).toEqual([['snapshot', 'delta'], 'c:4']);
  });

  it('that comes a thousand times a second is looked at a hundred times', async () => {
    const { clock, lists, follow, round } = bed();
    const call = follow(1);
    call.take();
    lists.asked = 0;
    for (let n = 1; n <= 1000; n++) {
      lists.set(entries(`a:${n}`));
      clock.advance(1);
      await settled();
      call.take();
    }
    await round();
    expect(lists.asked).toBeLessThanOrEqual(110);
    expect(lists.asked).toBeGreaterThan(50);
    call.take();
    expect(call.text).toBe('a:1000');
  });

  it('back to an older state, while a list is being restored, is not seen', async () => {
    const { lists, follow, round } = bed();
    lists.set(entries('a:9'), { revision: 9 });
    const call = follow(1);
    call.take();
    lists.set(entries('a:3'), { revision: 3 });
    await round();
    expect(call.onTheirWay).toBe(0);
    lists.failure = transient('VIEW_RESTORING', 'the list is being restored');
    lists.set(entries('a:10'), { revision: 10 });
    await round();
    expect([call.onTheirWay, call.refused]).toEqual([0, undefined]);
    lists.failure = undefined;
    await round(1000);
    call.take();
    expect(call.text).toBe('a:10');
  });

  it('that cannot be read because of a bug ends the streams with an error', async () => {
    const { lists, hub, follow, round } = bed();
    const call = follow(1);
    call.take();
    lists.failure = new Error('oops');
    lists.set(entries('a:1'));
    await round();
    expect(call.refused).toMatchObject({ code: 13 });
    expect(hub.counts().subscribers).toBe(0);
  });
});

describe('while nothing changes', () => {
  it('a heartbeat comes every 15 seconds, to all at once', async () => {
    const { lists, follow, round } = bed();
    lists.set(entries('a:1'));
    const calls = [follow(5), follow(5)];
    calls.forEach((call) => call.take());
    for (let ms = 0; ms < 3 * HEARTBEAT_MS + 1000; ms += 500) {
      await round(500);
      calls.forEach((call) => call.take());
    }
    for (const call of calls) expect(call.kinds).toEqual(['snapshot', 'heartbeat', 'heartbeat', 'heartbeat']);
  });

  it('and nobody follows, lists are forgotten; there are never more than 512', async () => {
    const { hub, follow, round } = bed();
    follow(5).end();
    await round(1000);
    for (let n = 0; n < 600; n++) follow(5, { category: `c${n}`, client: n % 8 }).end();
    expect(hub.counts()).toMatchObject({ subscribers: 0, lists: 512 });
    for (let n = 0; n < 512; n++) follow(5, { category: `d${n}`, client: n % 8 });
    expect(follow(5, { category: 'one more' }).refused).toMatchObject({ code: 8 });
    expect(hub.counts()).toMatchObject({ subscribers: 512, lists: 512 });
  });

  it('one client has 128 lists made for it, and leaves room for others, whose lists it may follow', () => {
    const { hub, follow } = bed();
    const refused = (category: string, client = 1) => follow(5, { category, client }).refused?.code;
    for (let n = 0; n < 200; n++) follow(5, { category: `idle${n}` }).end();
    const [first] = Array.from({ length: 128 }, (_, n) => follow(5, { category: `c${n}` }));
    expect([refused('d'), refused('d', 2), refused('d')]).toEqual([8, undefined, undefined]);
    first!.end();
    expect([refused('e'), hub.counts().lists]).toEqual([undefined, 129]);
  });

  it('who comes back within a minute goes on from what it has', async () => {
    const { lists, hub, follow, round } = bed();
    lists.set(entries('a:1'));
    const call = follow(5);
    call.take();
    call.end();
    lists.set(entries('a:2'));
    await round(1000);
    const back = follow(5, { after: 1 });
    back.state = call.state;
    back.take();
    expect([back.kinds, back.text]).toEqual([['delta'], 'a:2']);
    back.end();
    for (let s = 0; s < 62; s++) await round(1000);
    expect(hub.counts().lists).toBe(0);
    const late = follow(5, { after: 1 });
    late.take();
    expect(late.kinds).toEqual(['snapshot']);
  });
});
