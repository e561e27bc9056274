/** What is quarantined stays quarantined (QUARANTINE-1–QUARANTINE-3): through deaths at the worst moments, for other owners with older snapshots, for zombies. */
import { describe, expect, it } from 'vitest';
import { type Mailbox, mailboxRecord, quarantine, recordLoss, recordTrim } from '../../../runtime/actor/quarantine.js';
import type { Span } from '../../../runtime/log-integrity/spans.js';
import { streamOf } from '../../../runtime/contract/graph.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { streamsOf } from '../../../runtime/contract/streams.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { FailingLog, type LogFaults, scripted } from '../../support/failing-log.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { liveToys } from '../toy-stages.js';

const RECORD = 'rivulet.quarantine.sum.0';
const NO_SNAPSHOTS = { snapshotEveryMs: 1e12 };
const users = (bed: ActorBed): unknown[] => bed.rows('rank').map(({ user }) => user);

/** `sum` fails on u3, as long as `bad` says so. */
async function bedWithPoison(): Promise<{ bed: ActorBed; seen: () => number; bad: { now: boolean } }> {
  let seen = 0;
  const bad = { now: true };
  const sumTrap = (user: string): void => {
    if (user !== 'u3') return;
    seen++;
    if (bad.now) throw new Error('cannot digest u3');
  };
  const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap }));
  bed.start('read', 0, { tuning: { frameMessages: 1, ...NO_SNAPSHOTS } });
  await bed.publish(...[1, 2, 3, 4, 5].map((i) => line(i, i, `u${i}`)));
  await bed.quiet();
  return { bed, seen: () => seen, bad };
}

/** Its mailbox stays as it is, as while older copies of the state are still needed. */
const untrimmed = (log: Log): Log => Object.assign(Object.create(log) as Log, { purge: () => Promise.resolve() });

/** A process that dies when it stores the record: before that takes effect, or right after. */
function dying(bed: ActorBed, when: 'before' | 'after'): { log: FailingLog; dead: () => boolean } {
  let turns = 0;
  const faults: LogFaults = {
    turn: async ({ kind, on }) => {
      if (kind === 'publish' && on === RECORD && ++turns === (when === 'before' ? 1 : 2)) log.cut();
    },
  };
  const log = new FailingLog(bed.log, faults);
  return { log, dead: () => turns >= (when === 'before' ? 1 : 2) };
}

describe('a quarantined input', () => {
  it('is skipped by the next process when this one dies right after the record is stored', async () => {
    const { bed, seen } = await bedWithPoison();
    const { log, dead } = dying(bed, 'after');
    const store = new MemoryStore();
    bed.startApart('sum', 0, { log, store, tuning: NO_SNAPSHOTS });
    await bed.until(dead);
    expect([seen(), bed.rows('dead-letter')]).toEqual([3, []]);
    const { status } = bed.start('sum', 0, { store, tuning: NO_SNAPSHOTS });
    await bed.quiet();
    expect([seen(), status.restarts, users(bed)]).toEqual([3, 0, ['u1', 'u2', 'u4', 'u5']]);
    expect(bed.rows('dead-letter')).toMatchObject([{ rule: 'poison', sequence: 3 }]);
  });

  it('is not skipped by the next process when this one dies before the record is stored: the next one detects the failure itself', async () => {
    const { bed, seen } = await bedWithPoison();
    const { log, dead } = dying(bed, 'before');
    bed.startApart('sum', 0, { log, tuning: NO_SNAPSHOTS });
    await bed.until(dead);
    expect(bed.log.messages(streamOf('quarantine'))).toEqual([]);
    const { status } = bed.start('sum', 0, { tuning: NO_SNAPSHOTS });
    await bed.quiet();
    expect([seen(), status.restarts, users(bed)]).toEqual([6, 3, ['u1', 'u2', 'u4', 'u5']]);
    expect(bed.rows('dead-letter')).toHaveLength(1);
  });

  it.each(['ack-lost', 'request-lost', 'away'] as const)(
    'is quarantined once when the publish of the record ends with: %s',
    async (fate) => {
      const { bed, seen } = await bedWithPoison();
      const log = new FailingLog(bed.log, { fate: scripted([['publish', RECORD, 1, fate]]) });
      bed.start('sum', 0, { log, tuning: NO_SNAPSHOTS });
      await bed.quiet();
      expect([seen(), users(bed), bed.rows('dead-letter').length]).toEqual([3, ['u1', 'u2', 'u4', 'u5'], 1]);
      expect(bed.log.messages(streamOf('quarantine'))).toHaveLength(1);
    },
  );

  it('is skipped by another owner with an older snapshot, even one that could process it: nothing contradicts what was published', async () => {
    const { bed, seen, bad } = await bedWithPoison();
    const first = bed.start('sum', 0, { log: untrimmed(bed.log), tuning: NO_SNAPSHOTS });
    await bed.quiet();
    await first.supervisor.stop();
    await bed.until(first.ended);
    bad.now = false;
    const { status } = bed.start('sum', 0, { store: new MemoryStore(), tuning: NO_SNAPSHOTS });
    await bed.publish(line(6, 6, 'u3'));
    await bed.until(() => status.sequence === 6);
    await bed.quiet();
    expect([status.restarts, seen()]).toEqual([0, 4]);
    expect(bed.rows('rank').map(({ user, sum }) => `${user} ${sum}`)).toEqual(['u1 1', 'u2 2', 'u4 4', 'u5 5', 'u3 6']);
    expect(bed.rows('dead-letter')).toHaveLength(1);
  });

  it('is quarantined by one of two owners: the other is fenced, reads the record and publishes the same', async () => {
    const { bed } = await bedWithPoison();
    const [one, other] = [bed.start('sum', 0, { tuning: NO_SNAPSHOTS }), bed.start('sum', 0, { tuning: NO_SNAPSHOTS })];
    await bed.until(() => [one, other].every(({ status }) => status.sequence === 5 && status.state === 'running'));
    await bed.quiet();
    expect(users(bed)).toEqual(['u1', 'u2', 'u4', 'u5']);
    expect(bed.rows('dead-letter')).toHaveLength(1);
    expect(bed.log.messages(streamOf('quarantine'))).toHaveLength(1);
  });

  it('is freed from a mailbox that is full because of it', async () => {
    const sumTrap = (user: string): void => {
      if (user === 'u0') throw new Error('cannot digest u0');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap }), { bytesMax: 2_000 });
    const { status } = bed.start('read', 0, { tuning: { frameMessages: 1, snapshotEveryMs: 10 } });
    for (let i = 0; status.unacknowledged === 0; i++) {
      await bed.publish(line(i, i, `u${i}`));
      await bed.until(() => status.sequence === i + 1);
      await bed.until(() => status.unacknowledged === 0 || bed.clock.sleeping > 1);
    }
    bed.start('sum', 0, { tuning: { snapshotEveryMs: 10 } });
    bed.start('rank', 0, { tuning: { snapshotEveryMs: 10 } });
    await bed.quiet();
    expect(bed.rows('dead-letter')).toMatchObject([{ rule: 'poison', sequence: 1 }]);
    expect(status.unacknowledged).toBe(0);
  });
});

describe('a publisher’s message that is quarantined', () => {
  it('is skipped by another owner with an older snapshot, and its neighbours are not', async () => {
    let bad = true;
    let seen = 0;
    const trap = (text: string): void => {
      if (text !== line(3)) return;
      seen++;
      if (bad) throw new Error('cannot read 3');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, trap }));
    await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
    const tuning = { frameMessages: 6, ...NO_SNAPSHOTS };
    const first = bed.start('read', 0, { copied: () => 0, tuning });
    await bed.until(() => first.status.sequence === 6);
    await bed.quiet();
    await first.supervisor.stop();
    await bed.until(first.ended);
    bad = false;
    const before = seen;
    const { status } = bed.start('read', 0, { store: new MemoryStore(), tuning });
    await bed.publish(line(7));
    await bed.until(() => status.sequence === 7);
    await bed.quiet();
    expect(seen).toBe(before);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 4, 5, 6, 7]);
    expect(bed.rows('dead-letter')).toHaveLength(1);
  });
});

describe('the record', () => {
  const mailboxOf = (bed: ActorBed): Mailbox => ({ log: bed.log, stage: { id: 'sum' }, partition: 0 });

  const recordOf = async (bed: ActorBed) => mailboxRecord(mailboxOf(bed), { identity: await bed.identity('sum') });

  it('forgets none but those below what was trimmed, in one message', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    for (let i = 1; i <= 1_003; i++) await quarantine(mailboxOf(bed), i);
    expect((await recordOf(bed)).quarantined.size).toBe(1_003);
    await recordTrim(mailboxOf(bed), 1_001);
    expect((await recordOf(bed)).quarantined).toEqual(new Set([1_001, 1_002, 1_003]));
    expect(bed.log.messages(streamOf('quarantine'))).toHaveLength(1);
  });

  it('names rows until their message is trimmed, or quarantined entirely', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    const mailbox = mailboxOf(bed);
    for (const [sequence, row] of [
      [1, 0],
      [2, 7],
      [2, 9],
      [2, 7],
      [3, 1],
    ] as const) {
      await quarantine(mailbox, sequence, row);
    }
    await quarantine(mailbox, 3);
    expect([...(await recordOf(bed)).rows]).toEqual([
      [1, new Set([0])],
      [2, new Set([7, 9])],
    ]);
    await recordTrim(mailbox, 2);
    expect(await recordOf(bed)).toMatchObject({ quarantined: new Set([3]), rows: new Map([[2, new Set([7, 9])]]) });
  });

  it('takes no message between two losses for lost, however many there are', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    const spans = Array.from({ length: 1_500 }, (_, i): Span => [2 * i + 1, 2 * i + 1]);
    await recordLoss(mailboxOf(bed), spans);
    expect((await recordOf(bed)).gone).toEqual(spans);
    const more = Array.from({ length: 9_000 }, (_, i): Span => [4_000 + 2 * i, 4_000 + 2 * i]);
    await expect(recordLoss(mailboxOf(bed), more)).rejects.toMatchObject({ code: 'LOSS_TOO_SCATTERED' });
    expect((await recordOf(bed)).gone).toEqual(spans);
  });

  it('is stored also while older ones cannot be removed, which is logged', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    const log = new FailingLog(bed.log, { fate: ({ kind }) => (kind === 'purge' ? 'away' : 'done') });
    const lines: object[] = [];
    const [debug, ignored] = [(fields: object): void => void lines.push(fields), (): void => undefined];
    const logger = { debug, info: ignored, warn: ignored, error: ignored };
    for (const sequence of [1, 2]) await quarantine({ ...mailboxOf(bed), log, logger }, sequence);
    expect((await recordOf(bed)).quarantined).toEqual(new Set([1, 2]));
    expect(lines).toMatchObject([1, 2].map((below) => ({ subject: RECORD, below, err: { code: 'LOG_UNREACHABLE' } })));
    await quarantine(mailboxOf(bed), 3);
    expect(bed.log.messages(streamOf('quarantine'))).toHaveLength(1);
  });

  it('does not apply to a recreated stream: its sequences are of other messages', async () => {
    const topology = liveToys({ partitions: ONE });
    const bed = await ActorBed.make(topology);
    await quarantine(mailboxOf(bed), 7);
    bed.log.deleteStream(streamOf('sum'));
    for (const spec of streamsOf(topology, { bytesMax: 1e9, replicas: 1 })) await bed.log.ensureStream(spec);
    expect((await mailboxRecord(mailboxOf(bed), { identity: await bed.identity('sum') })).quarantined).toEqual(
      new Set(),
    );
    await quarantine(mailboxOf(bed), 8);
    expect((await mailboxRecord(mailboxOf(bed), { identity: await bed.identity('sum') })).quarantined).toEqual(
      new Set([8]),
    );
  });

  it('is no mailbox: nobody reads it as input', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    const { status } = bed.start('sum');
    await quarantine(mailboxOf(bed), 1);
    await bed.quiet();
    expect(status.messagesIn).toBe(0);
  });
});
