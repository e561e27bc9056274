/** Loud when the log and the state do not fit together: a Fatal, explained error, never a silent restart from what is there. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { EnvelopeSchema, SnapshotHeadSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { planOfShard } from '../../../runtime/cli/repair/plan.js';
import type { RivuletError } from '../../../runtime/contract/errors.js';
import { headKey, readHead, encodeHead } from '../../../runtime/state/keyspace.js';
import { defineTopology } from '../../../runtime/contract/graph.js';
import { preflight } from '../../../runtime/log-integrity/preflight.js';
import { stage } from '../../../runtime/contract/stage.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { liveToys, read } from '../toy-stages.js';

let bed: ActorBed;
let store: MemoryStore;

const LANE = 'rivulet.sum.0.read.0 does not fit read.0:';

/** `read` has taken in three messages and `sum` their rows; both have written a snapshot. */
beforeEach(async () => {
  bed = await ActorBed.make(liveToys({ partitions: ONE }));
  store = new MemoryStore();
  const readers = ['read', 'sum'].map((id) => bed.start(id, 0, { store, tuning: { frameMessages: 1 } }));
  await bed.publish(line(1), line(2), line(3));
  await bed.quiet();
  for (const { status } of readers) await bed.until(() => status.snapshotSequence === 3);
  for (const { supervisor } of readers) await supervisor.stop();
  await bed.until(() => readers.every(({ ended }) => ended()));
});

/** What `rivulet repair` and `doctor` say of the same state and log, while nothing runs. */
async function repairPrints(
  stage: string,
  { store: own = store, topology = bed.topology }: Parameters<ActorBed['start']>[2] = {},
): Promise<string> {
  const bytes = own.getSync(headKey(stage, 0));
  const head = bytes === undefined ? undefined : fromBinary(SnapshotHeadSchema, bytes);
  const instances = head === undefined ? [] : [{ stage, partition: 0, head, entries: 1, bytes: 1 }];
  const shard = { name: 'shard', partition: 0, stages: [stage] };
  const plan = await planOfShard(topology, bed.log, shard, { problems: [], instances }, () =>
    Promise.resolve({ kind: 'none' }),
  );
  return [...plan.problems, ...plan.because].join('\n');
}

/** What an actor ends with, which is what the commands print. */
async function failureOf(id: string, options: Parameters<ActorBed['start']>[2] = {}) {
  const { failure, ended, status } = bed.start(id, 0, { store, ...options });
  await bed.until(ended);
  expect(status.state).toBe('failed');
  const error = failure() as RivuletError;
  expect(await repairPrints(id, options)).toContain(`${error.code}: ${error.message}`);
  return error;
}

describe('a stream', () => {
  it('that ends before the snapshot was rolled back', async () => {
    bed.log.rollBack('RIVULET_READ', 2);
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND', hint: expect.stringContaining('rivulet repair') },
      message:
        'RIVULET_READ does not fit read.0: expected message 3, which it has read, but the stream ends at message 2',
    });
  });

  it('recreated is another one, however long it has become', async () => {
    const { topology } = bed;
    bed.log.deleteStream('RIVULET_READ');
    const { ensureStreams } = await import('../../../runtime/contract/streams.js');
    await ensureStreams(bed.log, topology, { bytesMax: 1e9, replicas: 1 });
    await bed.publish(...[1, 2, 3, 4, 5].map((id) => line(id)));
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND' },
      message: expect.stringMatching(/^RIVULET_READ .*message 3.* but it is another stream of that name$/),
    });
  });

  it('that was cut back, and filled up by publishers before anybody looked, holds another message', async () => {
    bed.log.rollBack('RIVULET_READ', 2);
    bed.clock.advance(1_000);
    await bed.publish(line(4), line(5));
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND', hint: expect.stringContaining('rivulet repair') },
      message: expect.stringMatching(
        /^RIVULET_READ does not fit read\.0: expected message 3 of .* truncated and refilled$/,
      ),
    });
  });

  it('that is as it was is gone on with', async () => {
    const { status, ended } = bed.start('read', 0, { store });
    await bed.publish(line(4));
    await bed.until(() => status.sequence === 4);
    expect(ended()).toBe(false);
    expect(status.counters.events).toBe(4);
  });
});

describe('a stream that lost', () => {
  it('without outputs that an owner has published and will not publish again is refused', async () => {
    bed.log.rollBack('RIVULET_SUM', 1);
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND', hint: expect.stringContaining('rivulet repair') },
      message: `${LANE} expected message 3, which it has published, but the last message there is 0`,
    });
  });

  it('whose outputs were purged, though it goes on, is not reported as rolled back', async () => {
    await bed.log.purge('RIVULET_SUM', '>', 4);
    expect(await failureOf('read')).toMatchObject({
      ...{
        reaction: 'fatal',
        code: 'LOG_BEHIND',
        hint: expect.stringMatching(/^messages were purged.*rivulet repair/),
      },
      message: `${LANE} expected message 3, which it has published, but the last message there is 0, though its stream goes on to message 3`,
    });
  });

  it('whose outputs were purged, and which an owner without state has begun to publish again, is refused', async () => {
    await bed.log.purge('RIVULET_SUM', '>', 4);
    const again = create(EnvelopeSchema, { first: 1, sequence: 1, lastPart: true });
    await bed.log.publish('rivulet.sum.0.read.0', toBinary(EnvelopeSchema, again), { expected: 0 });
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND', hint: expect.stringContaining('rivulet repair') },
      message: `${LANE} expected the output for message 3, which it has published, but the last message there is the output for message 1`,
    });
  });

  it('what was answered is refused, even where no snapshot includes it', async () => {
    bed.log.rollBack('RIVULET_READ', 2);
    expect(await failureOf('read', { store: new MemoryStore() })).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND' },
      message:
        'RIVULET_READ does not fit read.0: expected message 3, whose output it has published, but the stream ends at message 2',
    });
  });

  it('what was read, and was refilled in another way, is refused', async () => {
    const [last] = bed.log.messages('RIVULET_SUM').slice(-1);
    bed.log.rollBack('RIVULET_SUM', 2);
    // The earlier ones were trimmed. Somebody else's message, and then again the one that was lost.
    await bed.log.publish('rivulet.sum.0.clock.0', last!.data);
    await bed.log.publish(last!.subject, last!.data, { expected: 0 });
    await bed.log.purge('RIVULET_SUM', 'rivulet.sum.0.clock.0', 4);
    expect(await failureOf('sum')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND' },
      message:
        'rivulet.sum.0.read.0 does not fit sum.0: expected message 3, which it has read, but message 4 follows none there',
    });
  });
});

describe('a browsable log', () => {
  const OTHERS = 'rivulet.dead-letter.1.read.1';

  /** `read` has published a dead letter, and a snapshot includes it. */
  beforeEach(async () => {
    const { status, supervisor, ended } = bed.start('read', 0, { store });
    await bed.publish(line(4, 'bad'));
    await bed.until(() => status.snapshotSequence === 4);
    await supervisor.stop();
    await bed.until(ended);
    expect(bed.rows('dead-letter')).toHaveLength(1);
  });

  it('that was cut back, and filled up by other writers before anybody looked, is refused', async () => {
    bed.log.rollBack('RIVULET_DEAD_LETTER', 0);
    await bed.log.publish(OTHERS, new Uint8Array(), { expected: 0 });
    expect(await failureOf('read')).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_BEHIND', hint: expect.stringContaining('rivulet repair') },
      message:
        'rivulet.dead-letter.0.read.0 does not fit read.0: expected message 1, which it has published, but the last message there is 0, though its stream goes on to message 1',
    });
  });

  it.each([
    ['holds others behind it', 1],
    ['is empty', 3],
  ])('whose messages people have deleted, and that %s, is gone on with', async (_, below) => {
    await bed.log.publish(OTHERS, new Uint8Array(), { expected: 0 });
    await bed.log.purge('RIVULET_DEAD_LETTER', 'rivulet.dead-letter.0.>', 2);
    await bed.log.purge('RIVULET_DEAD_LETTER', '>', below);
    const { status, failure } = bed.start('read', 0, { store });
    await bed.publish(line(5, 'bad'));
    await bed.until(() => status.sequence === 5);
    await bed.quiet();
    expect(failure()).toBeUndefined();
    expect(bed.messages('dead-letter').at(-1)).toMatchObject({ sequence: 3, rows: [{ original: line(5, 'bad') }] });
  });
});

describe('before a node starts', () => {
  const shards = [{ name: 'source-0', partition: 0, stages: ['read'] }];
  const check = (): Promise<void> =>
    preflight({ ...bed, shards, openStore: () => Promise.resolve(new MemoryStore(store.contents())) });

  it('all its snapshots are looked at', async () => {
    await expect(check()).resolves.toBeUndefined();
    bed.log.rollBack('RIVULET_SUM', 1);
    await expect(check()).rejects.toMatchObject({ code: 'LOG_BEHIND' });
  });
});

describe('a trimmed stream', () => {
  it('does not fit a state that was lost', async () => {
    expect(await failureOf('sum', { store: new MemoryStore() })).toMatchObject({
      ...{ reaction: 'fatal', code: 'LOG_GAP' },
      message:
        'rivulet.sum.0.read.0 does not fit sum.0: expected message 2 before 3, but it is gone; the state includes messages up to 0',
    });
  });

  it('does not fit an older state', async () => {
    const old = new Map(store.contents());
    const head = readHead(store, bed.topology.stage('sum'), 0, 1)!;
    old.set(headKey('sum', 0), encodeHead({ ...head, sequence: 1, published: {}, lastRead: {} }));
    expect(await failureOf('sum', { store: new MemoryStore(old) })).toMatchObject({ code: 'LOG_GAP' });
  });
});

describe('a snapshot', () => {
  it('of another number of partitions is refused with what to do', async () => {
    const topology = liveToys({ partitions: { ...ONE, source: 2 } });
    expect(await failureOf('read', { topology })).toMatchObject({
      ...{ reaction: 'fatal', code: 'PARTITIONS_CHANGED' },
      message: 'the snapshot of read.0 does not fit the deployment: expected 2 partitions, but it is one of 1',
      hint: expect.stringContaining('--partitions 1'),
    });
  });

  it('of another version of the stage is refused', async () => {
    const newer = stage({ ...read(), version: 2 });
    const topology = defineTopology({
      ...bed.topology,
      stages: bed.topology.stages.map((one) => (one.id === 'read' ? newer : one)),
    });
    expect(await failureOf('read', { topology })).toMatchObject({
      ...{ reaction: 'fatal', code: 'STAGE_VERSION' },
      message:
        'the snapshot of read.0 does not fit this build: expected version 2 of the stage, but it is of version 1',
    });
  });

  it('of another layout is refused', async () => {
    const head = readHead(store, bed.topology.stage('read'), 0, 1)!;
    await store.write([{ key: headKey('read', 0), value: encodeHead({ ...head, format: 99 }) }]);
    expect(await failureOf('read')).toMatchObject({ reaction: 'fatal', code: 'SNAPSHOT_FORMAT' });
  });
});
