/** One actor: what a snapshot waits for, what a restart reads, what is trimmed (ACTOR-1, SNAPSHOTTER-1–SNAPSHOTTER-3). */
import { beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { headKey } from '../../../runtime/state/keyspace.js';
import { FailingStore } from '../../../state/failing-store.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { fatal } from '../../../runtime/contract/errors.js';
import { FailingLog } from '../../support/failing-log.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { liveToys } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

let bed: ActorBed;
let seen: string[];

beforeEach(async () => {
  seen = [];
  bed = await ActorBed.make(liveToys({ partitions: ONE, trap: (one) => seen.push(one) }));
});

const sumsOf = (): unknown[] => bed.rows('sum').map(({ n }) => n);

describe('a snapshot', () => {
  it('is written only when every output of its inputs is acknowledged (SNAPSHOTTER-1)', async () => {
    let release = (): void => undefined;
    const acks = new Promise<void>((resolve) => (release = resolve));
    let effects = 0;
    const log = new FailingLog(bed.log, {
      turn: async ({ kind }) => {
        // The first turn lets the request through, the second holds the ack back.
        if (kind === 'publish' && ++effects % 2 === 0) await acks;
      },
    });
    const store = new MemoryStore();
    const { status } = bed.start('read', 0, { log, store });
    await bed.publish(line(1), line(2));
    await bed.until(() => status.sequence > 0);
    for (let i = 0; i < 50; i++) {
      bed.clock.advance(1_000);
      await settled();
    }
    expect(sumsOf()).not.toEqual([]);
    expect([status.snapshots, store.contents().size]).toEqual([0, 0]);
    release();
    await bed.until(() => status.snapshotSequence === 2);
    expect(store.contents().has(headKey('read', 0))).toBe(true);
  });

  it('is one batch: what changed, and the sequence that it includes (SNAPSHOTTER-2)', async () => {
    const inner = new MemoryStore();
    const batches: string[][] = [];
    const store = Object.assign(Object.create(inner) as MemoryStore, {
      write: async (changes: readonly { key: string; value: Uint8Array | undefined }[]) => {
        batches.push(changes.map(({ key }) => key));
        await inner.write(changes);
      },
    });
    const { status } = bed.start('read', 0, { store });
    await bed.publish(line(1));
    await bed.until(() => status.snapshotSequence === 1);
    await bed.publish(line(2));
    await bed.until(() => status.snapshotSequence === 2);
    for (let i = 0; i < 20; i++) {
      bed.clock.wakeNext();
      await settled();
    }
    expect(batches).toEqual([
      ['read/0/seen/1', 'read/0/$counters/', 'read/0/$alignment/', 'read/0/$head'],
      ['read/0/seen/2', 'read/0/$counters/', 'read/0/$alignment/', 'read/0/$head'],
    ]);
  });

  it('is taken early after so many bytes', async () => {
    const { status } = bed.start('read', 0, {
      tuning: { snapshotEveryMs: 1e12, snapshotEveryBytes: 20, frameMessages: 1 },
    });
    await bed.publish(...Array.from({ length: 10 }, (_, i) => line(i)));
    await bed.until(() => status.sequence === 10 && status.snapshots >= 3);
    expect(status.snapshotSequence).toBeGreaterThan(0);
  });

  it.each(['refused', 'unsaid'] as const)(
    'whose write is %s ends the actor, which restores: the output is the same',
    async (fate) => {
      const store = new FailingStore(new MemoryStore(), { fate: (n) => (n === 2 || n === 3 ? fate : 'done') });
      const { status, failure } = bed.start('read', 0, { store });
      for (let i = 1; i <= 20; i++) {
        await bed.publish(line(i));
        await bed.until(() => status.sequence === i);
        bed.clock.wakeNext();
      }
      await bed.until(() => status.snapshotSequence === 20);
      expect(status.restarts).toBe(2);
      expect(sumsOf()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(status.counters).toMatchObject({ events: 20, on_time: 20 });
      expect(failure()).toBeUndefined();
    },
  );

  it('that cannot be written for good escalates; a later start ends with the same output', async () => {
    const inner = new MemoryStore();
    const error = (): Error => fatal('STATE_WRITE', 'no space left');
    const broken = bed.start('read', 0, {
      store: new FailingStore(inner, { fate: (n) => (n > 1 ? 'refused' : 'done'), error }),
    });
    await bed.publish(line(1));
    await bed.until(() => broken.status.snapshots === 1);
    await bed.publish(line(2), line(3));
    await bed.until(broken.ended);
    expect(broken.failure()).toMatchObject({ reaction: 'fatal', code: 'STATE_WRITE' });
    expect(broken.status.state).toBe('failed');
    bed.start('read', 0, { store: inner });
    await bed.publish(line(4));
    await bed.quiet();
    expect(sumsOf()).toEqual([1, 2, 3, 4]);
  });
});

describe('a restart', () => {
  it('reads behind the snapshot and says nothing twice (ACTOR-1)', async () => {
    const store = new MemoryStore();
    const first = bed.start('read', 0, { store });
    await bed.publish(line(1), line(2));
    await bed.until(() => first.status.snapshotSequence === 2);
    const copy = store.contents();
    await bed.publish(line(3));
    await bed.until(() => first.status.sequence === 3);
    seen = [];
    const second = bed.start('read', 0, { store: new MemoryStore(copy) });
    await bed.publish(line(4), line(1));
    await bed.until(() => second.status.sequence === 5);
    // The first one lives on and hears of the fence only when it speaks.
    expect(new Set(seen)).toEqual(new Set([line(3), line(4), line(1)]));
    await bed.quiet();
    expect(sumsOf()).toEqual([1, 2, 3, 4]);
    expect(second.status.counters).toEqual({ events: 5, on_time: 4, late: 0, dead_letter: 0, duplicates: 1 });
  });

  it('without a snapshot reads from the beginning', async () => {
    const first = bed.start('read', 0, { tuning: { snapshotEveryMs: 1e12 } });
    await bed.publish(line(1), line(2));
    await bed.quiet();
    const second = bed.start('read', 0, {});
    await bed.until(() => second.status.sequence === 2);
    expect(first.status.snapshots).toBe(0);
    expect(sumsOf()).toEqual([1, 2]);
    expect(second.status.counters.events).toBe(2);
  });
});

describe('stop', () => {
  it('takes in no more, writes a last snapshot and ends', async () => {
    const store = new MemoryStore();
    const { status, supervisor, ended } = bed.start('read', 0, { store, tuning: { snapshotEveryMs: 1e12 } });
    await bed.publish(line(1), line(2));
    await bed.until(() => status.sequence === 2);
    await supervisor.stop();
    await bed.until(ended);
    expect(status).toMatchObject({ state: 'stopped', snapshotSequence: 2, sequence: 2 });
    await bed.publish(line(3));
    const next = bed.start('read', 0, { store });
    await bed.until(() => next.status.sequence === 3);
    expect(next.status.counters.events).toBe(3);
  });

  it('while the log is unreachable still ends; the next start replays', async () => {
    let away = false;
    const log = new FailingLog(bed.log, { fate: ({ kind }) => (away && kind !== 'take' ? 'away' : 'done') });
    const store = new MemoryStore();
    const { status, supervisor, ended } = bed.start('read', 0, { log, store });
    await bed.publish(line(1));
    await bed.until(() => status.snapshotSequence === 1);
    away = true;
    await bed.publish(line(2));
    await bed.until(() => status.sequence === 2);
    void supervisor.stop();
    away = false;
    await bed.until(ended);
    const next = bed.start('read', 0, { store });
    await bed.until(() => next.status.sequence === 2);
    await bed.quiet();
    expect(sumsOf()).toEqual([1, 2]);
  });
});

describe('the stream', () => {
  const subjects = (): string[] =>
    bed.log.messages('RIVULET_SUM').map(({ subject, sequence }) => `${subject} ${sequence}`);

  it('is trimmed behind a written snapshot; each writer’s last message stays (SNAPSHOTTER-3)', async () => {
    bed.start('read', 0);
    await bed.publish(line(1));
    await bed.quiet();
    await bed.publish(line(2), line(3));
    await bed.quiet();
    const before = subjects();
    expect(before.length).toBeGreaterThan(1);
    const { status } = bed.start('sum', 0);
    await bed.until(() => status.snapshots > 0);
    await bed.until(() => subjects().length === 1);
    expect(subjects()).toEqual([before.at(-1)]);
  });

  it('is not trimmed when the snapshot could not be written', async () => {
    bed.start('read', 0);
    await bed.publish(line(1));
    await bed.quiet();
    await bed.publish(line(2));
    await bed.quiet();
    const before = subjects();
    const { status } = bed.start('sum', 0, { store: new FailingStore(new MemoryStore(), { fate: () => 'refused' }) });
    await bed.until(() => status.restarts > 3);
    expect(subjects()).toEqual(before);
  });

  it('that cannot be trimmed now is trimmed later, also when no input comes: it may be full', async () => {
    let away = true;
    const log = new FailingLog(bed.log, { fate: ({ kind }) => (kind === 'purge' && away ? 'away' : 'done') });
    const { status } = bed.start('read', 0, { log });
    await bed.publish(line(1), line(2));
    await bed.until(() => status.snapshotSequence === 2);
    expect(bed.log.messages('RIVULET_READ')).toHaveLength(2);
    away = false;
    await bed.until(() => bed.log.messages('RIVULET_READ').length === 1);
    expect(status.snapshots).toBe(1);
  });

  it('that an earlier incarnation had no time to trim is trimmed by the next, also when no input comes', async () => {
    const log = new FailingLog(bed.log, { fate: ({ kind }) => (kind === 'purge' ? 'away' : 'done') });
    const store = new MemoryStore();
    const dying = ['read', 'sum'].map((id) => bed.start(id, 0, { log, store, tuning: { frameMessages: 1 } }));
    await bed.publish(line(1), line(2), line(3));
    await bed.until(() => dying.every(({ status }) => status.snapshotSequence === 3));
    log.cut();
    const before = subjects();
    expect(before).toHaveLength(3);
    for (const id of ['read', 'sum']) bed.start(id, 0, { store: new MemoryStore(store.contents()) });
    await bed.until(() => subjects().length === 1 && bed.log.messages('RIVULET_READ').length === 1);
    expect(subjects()).toEqual([before.at(-1)]);
  });

  it.each([1, 2])(
    'of publishers is trimmed as one, however many users there are, with %i partitions',
    async (source) => {
      const own = await ActorBed.make(liveToys({ partitions: { ...ONE, source } }));
      const purges: string[] = [];
      const log = new FailingLog(own.log, {
        fate: ({ kind, on }) => {
          if (kind === 'purge') purges.push(on);
          return 'done';
        },
      });
      const readers = Array.from({ length: source }, (_, p) =>
        own.start('read', p, { log, tuning: { snapshotEveryMs: 1_000 } }),
      );
      for (let i = 0; i < 40; i++) await own.publish(line(i, i, `u${i}`));
      await own.log.publish('rivulet.events.word', utf8('40 - - 1'));
      await own.until(() => readers.reduce((sum, { status }) => sum + status.counters.events, 0) === 41);
      await own.until(() => readers.every(({ status }) => status.snapshotSequence === status.sequence));
      await settled();
      await settled();
      expect(purges.length).toBeLessThanOrEqual(4 * source);
      expect(own.log.messages('RIVULET_READ').length).toBeLessThanOrEqual(source + 1);
    },
  );
});
