/**
 * Copies of snapshots, against a model: the state of a stage after input S is a function of S, so whatever was copied, caught up, broken off or
 * copied by two at a time, a store whose head says S holds exactly the state at S.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyPieceSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { StoreChange } from '../../../runtime/contract/ports.js';
import { concat, utf8 } from '../../../runtime/frames/bytes.js';
import { catchUp, COPIED, sequencesOf } from '../../../runtime/replication/reader.js';
import type { ReplicaWriter } from '../../../runtime/replication/writer.js';
import {
  entriesOf,
  includedIn,
  piecesOf,
  readManifest,
  type ReplicaStore,
} from '../../../runtime/replication/store.js';
import { changedRecord, instancePrefix } from '../../../runtime/state/keyspace.js';
import { FailingStore } from '../../../state/failing-store.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { advance, copierOf, expectSound, following, makeCopies, owned, UNIT } from './copies-bed.js';
import { settled } from '../virtual-clock.js';

type Step =
  | { readonly kind: 'advance'; readonly node: number; readonly stage: string; readonly more: number }
  | { readonly kind: 'copy' | 'catchUp' | 'wipe'; readonly node: number; readonly writes?: never }
  | { readonly kind: 'die'; readonly node: number; readonly writes: number };

const node = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      node,
      stage: fc.constantFrom(...UNIT.stages),
      more: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('copy' as const, 'catchUp' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('die' as const), node, writes: fc.integer({ min: 0, max: 4 }) }),
  },
);

describe('copies of snapshots', () => {
  it('never give a store a state that its head does not mean, whoever copies, follows, dies or starts anew', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const copies = makeCopies();
        const stores = [0, 1, 2].map(() => new MemoryStore());
        const copiers: (ReplicaWriter | undefined)[] = [];
        let included: Record<string, number> = {};
        for (const one of steps) {
          const store = stores[one.node]!;
          if (one.kind === 'advance') {
            copiers[one.node] ??= await owned(copies, store, one.node);
            await advance(store, one.stage, one.more);
          } else if (one.kind === 'copy')
            await (copiers[one.node] ??= await owned(copies, store, one.node)).copy().catch(ifFenced);
          else if (one.kind === 'wipe') {
            stores[one.node] = new MemoryStore();
            copiers[one.node] = undefined;
          } else if (one.kind === 'catchUp') {
            copiers[one.node] = undefined;
            await following(copies, store);
            const have = sequencesOf(store, UNIT);
            const copied = includedIn((await readManifest(copies, UNIT.name)).manifest);
            for (const stage of UNIT.stages) expect(have[stage]).toBeGreaterThanOrEqual(copied[stage] ?? 0);
          } else {
            copiers[one.node] = undefined;
            stores[one.node] = await dying(copies, store, one.writes ?? 0);
          }
          for (const each of stores) expectSound(each);
          const now = includedIn((await readManifest(copies, UNIT.name)).manifest);
          for (const stage of UNIT.stages) expect(now[stage] ?? 0).toBeGreaterThanOrEqual(included[stage] ?? 0);
          included = { ...now };
        }
        const fresh = new MemoryStore();
        await following(copies, fresh);
        expect(sequencesOf(fresh, UNIT)).toEqual({ window: included.window ?? 0, rank: included.rank ?? 0 });
        expectSound(fresh);
      }),
      { numRuns: 60 },
    );
  });

  it('are parts, compacted when they outweigh the whole, and leave no garbage', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    let most = 0;
    for (let round = 0; round < 150; round++) {
      await advance(store, 'window', 3);
      await copier.copy();
      most = Math.max(most, (await copies.objects.names('')).length);
    }
    const { manifest } = await readManifest(copies, UNIT.name);
    expect(await copies.objects.names('')).toEqual(manifest!.parts.map(({ name }) => name).sort());
    expect(most).toBeLessThanOrEqual(130);
    expect((await store.entries(`${instancePrefix('window', 1)}$changed/`)).length).toBe(0);
  });

  it('keep old parts while a backup holds', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    let held = true;
    await copierOf(copies, store, 'n0');
    await following(copies, store);
    const copier = await copierOf(copies, store, 'n0', () => held);
    await copies.objects.put(`${UNIT.name}/left-behind`, one(utf8('x')));
    await advance(store, 'window', 3);
    await copier.copy();
    expect(await copies.objects.names(`${UNIT.name}/left`)).toHaveLength(1);
    held = false;
    await copier.copy();
    expect(await copies.objects.names(`${UNIT.name}/left`)).toHaveLength(0);
  });

  it('that were set back are made whole again: what was told to the lost ones is not known to be told', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    await advance(store, 'window', 5);
    await copier.copy();
    const early = await copies.manifests.get(UNIT.name);
    await advance(store, 'window', 5);
    await copier.copy();
    await copies.manifests.put(UNIT.name, early!.value);
    await advance(store, 'window', 1);
    await (await owned(copies, store, 0)).copy();
    const other = new MemoryStore();
    await following(copies, other);
    expect(sequencesOf(other, UNIT).window).toBe(11);
    expectSound(other);
  });

  it('with a change too large for one batch: who dies in the middle of it starts again from the whole', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    await advance(store, 'window', 3);
    await copier.copy();
    const follower = new MemoryStore();
    await following(copies, follower);
    const key = `${instancePrefix('window', 1)}big/`;
    const big = Array.from({ length: 40 }, (_, i) => ({
      key: `${key}${i}`,
      value: new Uint8Array(1024 * 1024).fill(i),
    }));
    await store.write([...big, changedRecord('window', 1, 3.5, big)]);
    await advance(store, 'window', 3);
    await copier.copy();
    const broken = await dying(copies, follower, 2);
    expect([...broken.contents().keys()].filter((one) => one.startsWith(key)).length).toBeGreaterThan(0);
    expect(sequencesOf(broken, UNIT).window).toBe(0);
    await following(copies, broken);
    expectSound(broken);
    expect([...broken.contents().keys()].filter((one) => one.startsWith(key))).toHaveLength(40);
  });

  it('take the head along where inputs have changed nothing', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    await advance(store, 'window', 3);
    await copier.copy();
    await advance(store, 'window', 0, 7);
    await copier.copy();
    const other = new MemoryStore();
    await following(copies, other);
    expect(sequencesOf(other, UNIT).window).toBe(10);
  });

  it('that are damaged are refused, and the store has no head then', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    await advance(store, 'window', 20);
    await copier.copy();
    copies.objects.damage((await copies.objects.names(''))[0]!, (data) => {
      data[data.length - 1]! ^= 1;
      return data;
    });
    const other = new MemoryStore();
    await expect(following(copies, other)).rejects.toMatchObject({
      ...{ code: 'OBJECT_DAMAGED', hint: expect.stringContaining('rivulet repair') },
    });
    expect(sequencesOf(other, UNIT)).toEqual({ window: 0, rank: 0 });
  });

  it('that lack a part include nothing, and are made anew as a whole by who has the state, also without news', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    for (let i = 0; i < 2; i++) {
      await advance(store, 'window', 5);
      await copier.copy();
    }
    expect(copier.included('window')).toBe(10);
    const [first] = (await readManifest(copies, UNIT.name)).manifest!.parts;
    await copies.objects.delete(first!.name);
    const next = await copierOf(copies, store, 'n0');
    expect(next.included('window')).toBe(0);
    await next.copy();
    expect(next.included('window')).toBe(10);
    await following(copies, new MemoryStore());

    // Also when it is lost under an owner that goes on.
    for (const name of await copies.objects.names('')) await copies.objects.delete(name);
    await advance(store, 'window', 1);
    await next.copy();
    const other = new MemoryStore();
    await following(copies, other);
    expect(sequencesOf(other, UNIT).window).toBe(11);
    expectSound(other);
  });

  it('that lack a part are refused, and the state that a store has stays', async () => {
    const copies = makeCopies();
    const store = new MemoryStore();
    const copier = await owned(copies, store, 0);
    await advance(store, 'window', 5);
    await copier.copy();
    const behind = new MemoryStore();
    await following(copies, behind);
    await advance(store, 'window', 5);
    // Who does not know what has changed copies the whole: who is behind takes all of it in the place of what it has.
    await store.write([{ key: COPIED, value: undefined }]);
    await (await copierOf(copies, store, 'n1')).copy();
    expect((await readManifest(copies, UNIT.name)).manifest!.parts).toHaveLength(1);
    for (const name of await copies.objects.names('')) await copies.objects.delete(name);
    const says = new RegExp(`${UNIT.name}.*lacks its part ${UNIT.name}/10-n`);
    await expect(following(copies, behind)).rejects.toMatchObject({
      code: 'COPY_LOST',
      message: expect.stringMatching(says),
    });
    expect(sequencesOf(behind, UNIT).window).toBe(5);
    expectSound(behind);
  });
});

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Catches up and dies after so many writes; what is on disk then. */
async function dying(copies: ReplicaStore, store: MemoryStore, writes: number): Promise<MemoryStore> {
  let done = 0;
  const failing = new FailingStore(store, {
    turn: async () => {
      if (++done > writes * 2) failing.cut();
    },
  });
  void catchUp(copies, UNIT, failing).catch(() => undefined);
  for (let i = 0; i < 30; i++) await settled();
  failing.cut();
  return new MemoryStore(store.contents());
}

const ifFenced = (error: unknown): void => {
  if ((error as { code?: string }).code !== 'FENCED') throw error;
};

describe('pieces of a copy', () => {
  const entries = Array.from({ length: 300 }, (_, i) => ({
    key: `key-${i}`,
    value: i % 3 === 0 ? undefined : utf8(`value-${i}`.repeat(500)),
  }));
  const read = async (bytes: Uint8Array) => {
    const found: StoreChange[] = [];
    for await (const some of entriesOf(chunksOf(bytes, 1000))) found.push(...some);
    return found;
  };

  it('are read in chunks of any size, as they were written', async () => {
    const written: Uint8Array[] = [];
    for await (const piece of piecesOf(chunksOf(entries, 7))) written.push(piece);
    expect(written.length).toBeGreaterThan(1);
    expect(await read(concat(written))).toEqual(entries);
  });

  it('are read as versions before wrote them, not compressed', async () => {
    const body = toBinary(CopyPieceSchema, create(CopyPieceSchema, { entries: [{ key: 'a', value: utf8('b') }] }));
    expect(await read(concat([Uint8Array.of(body.length, 0, 0, 0), body]))).toEqual([{ key: 'a', value: utf8('b') }]);
  });
});

async function* chunksOf<T extends { readonly length: number; slice(from: number, to: number): T }>(
  all: T,
  size: number,
): AsyncGenerator<T> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
