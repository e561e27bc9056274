/**
 * What `rivulet repair` makes of state and log. Actors run on a virtual clock, which does not wait for a disk: their stores are in memory while they
 * run, and in LevelDB whenever they are stopped.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planRepair, setAside } from '../../../runtime/cli/repair/plan.js';
import { closeToOthers } from '../../../runtime/cli/repartition/state.js';
import { dropCopies } from '../../../runtime/cli/backup/stored-copies.js';
import { ReplicaWriter } from '../../../runtime/replication/writer.js';
import type { ReplicaStore } from '../../../runtime/replication/store.js';
import { streamOf } from '../../../runtime/contract/graph.js';
import { shardsOf } from '../../../runtime/node/shards.js';
import { ensureStreams } from '../../../runtime/contract/streams.js';
import { openLevelStore } from '../../../state/level-store.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { SILENT } from '../tuning.js';
import { filesIn, flipBit } from '../../support/file-damage.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryObjects } from '../../support/memory-objects.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { liveToys } from '../toy-stages.js';

const TOPOLOGY = liveToys({ partitions: ONE });
const UNITS = shardsOf(TOPOLOGY).pipeline;

let dataDir: string;
let bed: ActorBed;
let stores: Map<string, MemoryStore>;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-repair-'));
  bed = await ActorBed.make(TOPOLOGY);
  stores = new Map();
});
afterEach(async () => {
  await stop();
  rmSync(dataDir, { recursive: true, force: true });
});

let running: ReturnType<ActorBed['start']>[] = [];

const directory = (name: string): string => join(dataDir, 'state', name);

/** Of a mailbox that waits for its copy nothing is trimmed. */
async function start({ trimmed } = { trimmed: true }): Promise<void> {
  for (const { name, stages, partition } of UNITS) {
    const onDisk = await openLevelStore(directory(name));
    const entries = (await onDisk.entries('')).map(([key, value]) => [key, Uint8Array.from(value)] as const);
    await onDisk.close();
    const store = new MemoryStore(new Map(entries));
    stores.set(name, store);
    for (const id of stages)
      running.push(
        bed.start(id, partition, { store, tuning: { frameMessages: 1 }, ...(trimmed ? {} : { copied: () => 0 }) }),
      );
  }
}

async function stop(): Promise<void> {
  for (const { supervisor } of running) await supervisor.stop();
  await bed.until(() => running.every(({ ended }) => ended()));
  running = [];
  for (const [name, store] of stores) {
    const onDisk = await openLevelStore(directory(name));
    const old = (await onDisk.entries('')).map(([key]) => ({ key, value: undefined }));
    await onDisk.write([...old, ...[...store.contents()].map(([key, value]) => ({ key, value }))]);
    await onDisk.close();
  }
  stores.clear();
}

/** Takes six lines in, four before a restart, and stops with snapshots. */
async function run({ trimmed }: { trimmed: boolean }): Promise<void> {
  for (const ids of [
    [1, 2, 3, 4],
    [5, 6],
  ]) {
    await start({ trimmed });
    await bed.publish(...ids.map((id) => line(id)));
    await bed.quiet();
    await stop();
  }
}

function damage(store: string): void {
  flipBit(40)(filesIn(join(dataDir, 'state', store), /\.ldb$/)[0]!);
}

const remedies = async (copies?: ReplicaStore): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await planRepair(dataDir, TOPOLOGY, bed.log, copies)).map(({ store, remedy }) => [store, remedy]),
  );

/** Copies of all stores as they are on disk. */
async function copied(): Promise<ReplicaStore & { readonly objects: MemoryObjects }> {
  const copies = { manifests: new MemoryKeyValue(), objects: new MemoryObjects() };
  for (const shard of UNITS) {
    const store = await openLevelStore(directory(shard.name));
    const shared = {
      copies,
      shard,
      store,
      clock: bed.clock,
      logger: SILENT,
      everyMs: 1,
      writer: 'n',
      isHeld: () => false,
    };
    await (await ReplicaWriter.open(shared)).copy();
    await store.close();
  }
  return copies;
}

const ALL_SOUND = Object.fromEntries(['node', ...UNITS.map(({ name }) => name)].map((name) => [name, 'nothing']));
const totals = (): unknown[] => bed.rows('totals');

describe('repair', () => {
  it('finds nothing where nothing is wrong, trimmed or not, before the first start or after', async () => {
    expect(await remedies()).toEqual(ALL_SOUND);
    await run({ trimmed: true });
    expect(await remedies()).toEqual(ALL_SOUND);
  });

  it('sets damaged state aside where the log is whole; the node then ends with the same rows, none twice', async () => {
    await run({ trimmed: false });
    await start();
    await bed.publish(line(7));
    await bed.quiet();
    const expected = totals();
    await stop();
    bed = await ActorBed.make(TOPOLOGY);
    rmSync(dataDir, { recursive: true });

    await run({ trimmed: false });
    damage('source-0');
    damage('user-0');
    expect(await remedies()).toEqual({ ...ALL_SOUND, 'source-0': 'replay', 'user-0': 'replay' });
    await expect(openLevelStore(join(dataDir, 'state', 'user-0'))).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
    for (const store of ['source-0', 'user-0']) {
      expect(setAside(dataDir, store, new Date(0))).toMatch(/\.set-aside-19700101T000000Z$/);
    }
    expect(await remedies()).toEqual(ALL_SOUND);
    await start();
    await bed.publish(line(7));
    await bed.quiet();
    expect(totals()).toEqual(expected);
  });

  it('says that damaged state is lost where the log was trimmed, and which message is missing', async () => {
    await run({ trimmed: true });
    damage('user-0');
    const plan = (await planRepair(dataDir, TOPOLOGY, bed.log)).find(({ store }) => store === 'user-0')!;
    expect(plan.remedy).toBe('lost');
    expect(plan.problems).toEqual([expect.stringMatching(/^damaged: \d+\.ldb: /)]);
    expect(plan.because).toContainEqual(
      expect.stringMatching(/^LOG_GAP: rivulet\.sum\.0\.read\.0 .* expected message \d+ before \d+, but it is gone/),
    );
  });

  it('says that state which is gone is lost where the log was trimmed', async () => {
    await run({ trimmed: true });
    rmSync(join(dataDir, 'state', 'user-0'), { recursive: true });
    expect(await remedies()).toEqual({ ...ALL_SOUND, 'user-0': 'lost' });
  });

  it('replays where the whole log was put back to an earlier moment', async () => {
    await run({ trimmed: false });
    for (const { id } of [...TOPOLOGY.stages, ...TOPOLOGY.topics]) bed.log.rollBack(streamOf(id), 4);
    const plan = await planRepair(dataDir, TOPOLOGY, bed.log);
    const problems = plan.flatMap((one) => one.problems);
    expect(problems).toContainEqual(expect.stringContaining('but the stream ends at message 4'));
    expect(plan.filter(({ remedy }) => remedy === 'lost')).toEqual([]);
    expect(plan.filter(({ remedy }) => remedy === 'replay').map(({ store }) => store)).toContain('source-0');
  });

  it('does not replay a mailbox that was put back while its answers were not: new ones would be taken for said', async () => {
    await run({ trimmed: false });
    bed.log.rollBack('RIVULET_READ', 4);
    const plan = (await planRepair(dataDir, TOPOLOGY, bed.log)).find(({ store }) => store === 'source-0')!;
    expect(plan).toMatchObject({
      remedy: 'lost',
      because: [expect.stringMatching(/message 6, whose output it has published, but the stream ends at message 4$/)],
    });
  });

  it('takes a copy that fits, at whatever moment the store is; one that is damaged is none', async () => {
    await run({ trimmed: false });
    const copies = await copied();
    await start();
    await bed.publish(line(7));
    await bed.quiet();
    await stop();
    damage('user-0');
    rmSync(directory('source-0'), { recursive: true });
    // The missing one takes it without being told to.
    expect(await remedies(copies)).toEqual({ ...ALL_SOUND, 'user-0': 'copies' });
    for (const name of await copies.objects.names('user-0/')) copies.objects.damage(name);
    expect(await remedies(copies)).toMatchObject({ 'user-0': 'lost' });
  });

  it('does not leave a copy of a later moment for the node to take, when the log was put back', async () => {
    await run({ trimmed: false });
    const copies = await copied();
    for (const { id } of [...TOPOLOGY.stages, ...TOPOLOGY.topics]) bed.log.rollBack(streamOf(id), 4);
    rmSync(join(dataDir, 'state'), { recursive: true });
    const plan = (await planRepair(dataDir, TOPOLOGY, bed.log, copies)).find(({ store }) => store === 'source-0')!;
    expect(plan).toMatchObject({
      remedy: 'replay',
      problems: [
        expect.stringMatching(/^the copy of read\.0 that NATS holds: LOG_BEHIND: .* message 6, which it has read/),
      ],
    });
    await dropCopies(copies, ['source-0']);
    expect(await remedies(copies)).toMatchObject({ 'source-0': 'nothing' });
  });

  it('does not replay a mailbox that a repartition goes on from, though it holds all messages: they would be answered twice', async () => {
    await run({ trimmed: false });
    const copies = await copied();
    await closeToOthers({ dataDir, before: TOPOLOGY, after: TOPOLOGY }, bed.log);
    expect(await remedies()).toEqual(ALL_SOUND);
    damage('source-0');
    expect(await remedies()).toEqual({ ...ALL_SOUND, 'source-0': 'lost' });
    expect(await remedies(copies)).toEqual({ ...ALL_SOUND, 'source-0': 'copies' });
    const without = bed.startApart('read', 0, { store: new MemoryStore() });
    await bed.until(without.ended);
    expect(without.failure()).toMatchObject({ code: 'LOG_GAP' });
  });

  it('does not take another stream for the one that the state was made from', async () => {
    await run({ trimmed: false });
    bed.log.deleteStream('RIVULET_READ');
    expect(await remedies()).toMatchObject({ 'source-0': 'lost' });
    await ensureStreams(bed.log, TOPOLOGY, { bytesMax: 1e9, replicas: 1 });
    await bed.publish(...[1, 2, 3, 4, 5, 6, 7].map((id) => line(id)));
    expect(await remedies()).toMatchObject({ 'source-0': 'lost' });
  });
});
