/** Back-pressure: a full stream holds its writers back; nothing is lost, and work goes on when there is room. */
import { describe, expect, it } from 'vitest';
import { Host } from '../../../runtime/shards/host.js';
import { type HostOptions } from '../../../runtime/shards/shard.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { FailingLog } from '../../support/failing-log.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { makeCopies } from '../replication/copies-bed.js';
import { TUNING, SILENT } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a full stream', () => {
  it('stops its writer with a bounded number of messages in hand, and lets it go on once it is trimmed', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }), { bytesMax: 4_000 });
    const { status } = bed.start('read', 0, { tuning: { frameMessages: 1, snapshotEveryMs: 10 } });
    for (const id of ids(100)) {
      await bed.publish(line(id));
      await bed.until(() => status.sequence === id + 1 || status.unacknowledged > 0);
      if (status.unacknowledged > 0) break;
    }
    const stuckAt = status.sequence;
    for (let i = 0; i < 20; i++) bed.clock.advance(5_000);
    await bed.until(() => bed.clock.sleeping > 0);
    expect(stuckAt).toBeGreaterThan(3);
    expect([status.sequence, status.unacknowledged, status.state, status.restarts]).toEqual([stuckAt, 1, 'running', 0]);
    bed.start('sum', 0, { tuning: { snapshotEveryMs: 10 } });
    bed.start('rank', 0, { tuning: { snapshotEveryMs: 10 } });
    await bed.until(() => status.unacknowledged === 0);
    for (const id of ids(20)) {
      await bed.publish(line(stuckAt + id));
      await bed.quiet();
    }
    expect(bed.rows('totals').at(-1)).toMatchObject({ times: stuckAt + 20 });
    expect(status.restarts).toBe(0);
  });

  it('refuses publishers with LOG_FULL rather than drop what it has', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }), { bytesMax: 2_000 });
    let taken = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await bed.publish(line(taken));
        taken++;
      }
    };
    await expect(fill()).rejects.toMatchObject({ reaction: 'transient', code: 'LOG_FULL' });
    const { status } = bed.start('read', 0, { tuning: { snapshotEveryMs: 10 } });
    bed.start('sum', 0, { tuning: { snapshotEveryMs: 10 } });
    bed.start('rank', 0, { tuning: { snapshotEveryMs: 10 } });
    await bed.until(() => status.snapshotSequence === taken);
    await bed.publish(line(taken));
    await bed.quiet();
    expect(bed.rows('totals').at(-1)).toMatchObject({ times: taken + 1 });
  });
});

describe('a small stream', () => {
  it('is copied and trimmed as it fills, long before it is time: its publishers find room at once', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }), { bytesMax: 6_000 });
    const copies = makeCopies();
    let writers = 0;
    const options: HostOptions = {
      ...{ topology: bed.topology, log: bed.log, clock: bed.clock, loggerOf: () => SILENT, tickEveryMs: 0 },
      tuning: { ...TUNING, trimEveryMs: 1e12, snapshotEveryBytes: 200 },
      replication: { copies, everyMs: 10_000, writer: () => `n-${++writers}`, isHeld: () => false },
      openStore: async () => new MemoryStore(),
    };
    const host = await Host.start(
      [
        { name: 'source-0', partition: 0, stages: ['read'] },
        { name: 'rest-0', partition: 0, stages: ['sum', 'rank'] },
      ],
      options,
      () => undefined,
    );
    let taken = 0;
    const fill = async (): Promise<void> => {
      for (; ; taken++) await bed.publish(line(taken));
    };
    /** So many, at a moment each. */
    const publish = async (count: number): Promise<void> => {
      const end = taken + count;
      for (let sinceMs = bed.clock.nowMs(); taken < end; taken++, sinceMs = bed.clock.nowMs()) {
        while (!(await isStored(line(taken)))) {
          expect(bed.clock.nowMs() - sinceMs).toBeLessThan(3 * TUNING.snapshotEveryMs);
          bed.clock.wakeNext();
          await settled();
        }
      }
    };
    const isStored = (text: string): Promise<boolean> =>
      bed.publish(text).then(
        () => true,
        () => false,
      );
    await publish(300);
    // A copy that takes its time, of one message more, while the stream fills up; and the next one, when little was trimmed behind it.
    const put = copies.objects.put.bind(copies.objects);
    let [begun, allowed] = [-Infinity, 0];
    copies.objects.put = async (name, pieces) => {
      const own = name.startsWith('source') ? ++begun : 0;
      while (own > allowed) await settled();
      return put(name, pieces);
    };
    const quietMs = bed.clock.nowMs() + 30_000;
    await bed.until(() => bed.clock.nowMs() > quietMs);
    begun = 0;
    await publish(1);
    await bed.until(() => begun === 1);
    await expect(fill()).rejects.toMatchObject({ code: 'LOG_FULL' });
    await bed.until(() =>
      host.statuses.every(({ stage, snapshotSequence }) => stage !== 'read' || snapshotSequence >= taken),
    );
    const first = (): number => bed.log.messages('RIVULET_READ')[0]!.sequence;
    const before = first();
    allowed = 1;
    await bed.until(() => first() > before);
    allowed = Infinity;
    await publish(300);
    await bed.until(() => bed.rows('totals').at(-1)?.times === taken);
    await host.stop();
  });
});

describe('a ledger that drops its oldest', () => {
  it('holds nobody back, and a quiet writer whose last message was dropped goes on', async () => {
    const bed = await ActorBed.make(liveToys(), { bytesMax: 6_000 });
    const readers = [
      bed.start('read', 0, { tuning: { frameMessages: 1 } }),
      bed.start('read', 1, { tuning: { frameMessages: 1 } }),
    ];
    // Users of partition 0 and 1 by FNV-1a mod 2.
    const [quiet, loud] = ['u0', 'u1'];
    await bed.publish(line(0, 'bad', quiet));
    await bed.quiet();
    for (const id of ids(60)) {
      await bed.publish(line(id, 'bad', loud));
      await bed.quiet();
    }
    const before = bed.rows('dead-letter').map(({ original }) => original);
    expect(before).not.toContain(line(0, 'bad', quiet));
    expect(before.at(-1)).toBe(line(59, 'bad', loud));
    await bed.publish(line(99, 'bad', quiet));
    await bed.until(() => readers.reduce((sum, { status }) => sum + status.counters.dead_letter, 0) === 62);
    await bed.quiet();
    expect(bed.rows('dead-letter').at(-1)).toMatchObject({ original: line(99, 'bad', quiet) });
    expect(readers.map(({ ended }) => ended())).toEqual([false, false]);
  });

  it('is told again after a crash only what it has dropped and no snapshot includes; it holds nothing twice', async () => {
    const bed = await ActorBed.make(liveToys(), { bytesMax: 6_000 });
    const [quiet, loud] = ['u0', 'u1'];
    const [store, log] = [new MemoryStore(), new FailingLog(bed.log, {})];
    const originals = (): unknown[] => bed.rows('dead-letter').map(({ original }) => original);
    const first = bed.start('read', 0, { store, tuning: { frameMessages: 1 } });
    await bed.publish(line(1, 'snapshot', quiet));
    await bed.until(() => first.status.snapshotSequence === 1);
    await first.supervisor.stop();
    await bed.until(first.ended);
    const second = bed.start('read', 0, { store, log, tuning: { frameMessages: 1, snapshotEveryMs: 1e9 } });
    await bed.publish(line(2, 'after', quiet));
    await bed.until(() => originals().length === 2);
    expect(second.status.snapshots).toBe(0);
    log.cut();
    bed.start('read', 1, { tuning: { frameMessages: 1 } });
    for (let id = 3; originals().includes(line(2, 'after', quiet)); id++) {
      await bed.publish(line(id, 'bad', loud));
      await bed.quiet();
    }
    bed.start('read', 0, { store: new MemoryStore(store.contents()), tuning: { frameMessages: 1 } });
    await bed.until(() => originals().includes(line(2, 'after', quiet)));
    await bed.publish(line(999, 'last', quiet));
    await bed.until(() => originals().includes(line(999, 'last', quiet)));
    const held = originals();
    expect(held).not.toContain(line(1, 'snapshot', quiet));
    expect(new Set(held).size).toBe(held.length);
  });
});
