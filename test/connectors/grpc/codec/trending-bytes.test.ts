import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stateAfter } from '../../../../connectors/grpc/client/trending.js';
import type { TrendingList } from '../../../../connectors/facade/ports.js';
import { isSameList } from '../../../../connectors/facade/trending/feed.js';
import { deltaBytes, heartbeatBytes, snapshotBytes } from '../../../../connectors/grpc/codec/trending-bytes.js';
import { StreamTrendingResponseSchema } from '../../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { entries } from '../../facade/trending/trending-lists.js';

const item = fc.record({
  itemId: fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
  score: fc.double({ noNaN: true }),
  views: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  clicks: fc.nat(3),
  category: fc.option(fc.string(), { nil: undefined }),
  velocity: fc.double({ noNaN: true }),
  title: fc.option(fc.string(), { nil: undefined }),
  brand: fc.option(fc.string(), { nil: undefined }),
  price: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
});
const ms = fc.integer({ min: -1e15, max: 1e15 });
const lists: fc.Arbitrary<TrendingList> = fc.record({
  revision: fc.maxSafeNat(),
  asOfMs: fc.option(ms, { nil: undefined }),
  window: fc.option(fc.record({ startMs: ms, endMs: ms }), { nil: undefined }),
  items: fc.uniqueArray(item, { maxLength: 12, selector: ({ itemId }) => itemId }),
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const viaMessage = ({ revision, asOfMs }: TrendingList, change: object): string => {
  const head = { revision: BigInt(revision), ...(asOfMs === undefined ? {} : { asOf: timestampFromMs(asOfMs) }) };
  const given = { ...head, change } as MessageInitShape<typeof StreamTrendingResponseSchema>;
  return hex(toBinary(StreamTrendingResponseSchema, create(StreamTrendingResponseSchema, given)));
};
const windowOf = ({ window }: TrendingList): object | undefined =>
  window && { windowStart: timestampFromMs(window.startMs), windowEnd: timestampFromMs(window.endMs) };
const ranked = (list: TrendingList): { itemId: string; rank: number }[] =>
  list.items.map((one, i) => {
    const known = Object.entries({ ...one, rank: i + 1 }).filter(([, field]) => field !== undefined);
    return Object.fromEntries(known) as { itemId: string; rank: number };
  });

describe('the bytes of a list', () => {
  it('are those of a snapshot, and of a heartbeat', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const value = { ...windowOf(list), items: ranked(list) };
        expect(hex(snapshotBytes(list))).toBe(viaMessage(list, { case: 'snapshot', value }));
        expect(hex(heartbeatBytes(list))).toBe(viaMessage(list, { case: 'heartbeat', value: {} }));
      }),
    );
  });

  it('are those of a delta: what entered, what moved or counts anew, what left', () => {
    fc.assert(
      fc.property(lists, lists, (from, to) => {
        const [before, now] = [ranked(from), ranked(to)];
        const had = new Map(before.map((one) => [one.itemId, one]));
        const has = new Set(now.map(({ itemId }) => itemId));
        const value = {
          ...{ fromRevision: BigInt(from.revision), ...windowOf(to) },
          entered: now.filter(({ itemId }) => !had.has(itemId)),
          moved: now.filter((one) => had.has(one.itemId) && !isAlike(one, had.get(one.itemId)!)),
          left: before.filter(({ itemId }) => !has.has(itemId)).map(({ itemId }) => itemId),
        };
        expect(hex(deltaBytes(from, to))).toBe(viaMessage(to, { case: 'delta', value }));
      }),
    );
  });
});

const isAlike = (a: object, b: object): boolean =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

it('a delta of another state than the client has is refused, not applied', () => {
  const [one, two] = [entries('a:2 b:1'), entries('b:3 a:2')].map((items, i) => ({
    ...{ revision: i + 1, asOfMs: 0, window: undefined, items },
  }));
  const delta = create(StreamTrendingResponseSchema, {
    revision: 2n,
    change: { case: 'delta', value: { fromRevision: 1n } },
  });
  expect(isSameList(one!, two!)).toBe(false);
  expect(() => stateAfter({ ...one!, revision: 7, items: [] }, delta)).toThrow(/does not go on from revision 7/);
  expect(() => stateAfter(undefined, delta)).toThrow(/does not go on from nothing/);
});
