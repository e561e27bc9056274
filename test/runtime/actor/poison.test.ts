/** Poison: an input that fails the same way again and again goes to the dead letters, it alone, and the rest goes on. */
import { describe, expect, it } from 'vitest';
import { textOf } from '../../../runtime/frames/bytes.js';
import { fatal, poison, transient } from '../../../runtime/contract/errors.js';
import { joined } from '../../../runtime/frames/joined.js';
import { perStage } from '../../../runtime/telemetry/status.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { chainedToys, liveToys, type Trap } from '../toy-stages.js';

const BUG =
  (bad: string): Trap =>
  (one) => {
    if (one === bad) throw new Error(`cannot digest ${bad}`);
  };

const originals = (bed: ActorBed): string[] =>
  bed.rows('dead-letter').map(({ original }) => textOf(Buffer.from(String(original), 'base64')));

describe('a message that the stage throws on', () => {
  it('is quarantined after three identical failures; what comes before and after is processed', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: BUG('u3') }));
    const reader = bed.start('read', 0, { tuning: { frameMessages: 1 } });
    const { status, failure } = bed.start('sum');
    await bed.publish(...[1, 2, 3, 4, 5].map((i) => line(i, i, `u${i}`)));
    await bed.until(() => status.sequence === 5);
    await bed.quiet();
    expect(bed.rows('rank').map(({ user }) => user)).toEqual(['u1', 'u2', 'u4', 'u5']);
    expect(bed.rows('dead-letter')).toMatchObject([
      { stage: 'sum', rule: 'poison', sequence: 3, subject: 'rivulet.sum.0.read.0' },
    ]);
    expect(status.restarts).toBe(3);
    expect(status.counters).toMatchObject({ events: 4, on_time: 4 });
    // Its row was counted as an event by `read`: 5 = 4 + 1.
    expect(status.quarantined).toEqual({ messages: 1, rows: 1 });
    expect(reader.status.counters.events).toBe(5);
    expect(failure()).toBeUndefined();
  });

  it('that the stage rejects as poison is quarantined at once', async () => {
    const trap: Trap = (one) => {
      if (one === 'u1') throw poison('FRAME_TYPE', 'not for me');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read', 0, { tuning: { frameMessages: 1 } });
    const { status } = bed.start('sum');
    await bed.publish(line(1, 1, 'u1'), line(2, 2, 'u2'));
    await bed.quiet();
    expect([status.restarts, bed.rows('rank').map(({ user }) => user)]).toEqual([1, ['u2']]);
  });

  it('becomes one dead letter, also when the process dies before a snapshot', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: BUG('u2') }));
    bed.start('read', 0, { tuning: { frameMessages: 1 } });
    const tuning = { snapshotEveryMs: 1e12 };
    bed.start('sum', 0, { tuning });
    await bed.publish(...[1, 2, 3].map((i) => line(i, i, `u${i}`)));
    await bed.quiet();
    const { status } = bed.start('sum', 0, { tuning });
    await bed.until(() => status.sequence === 3);
    await bed.quiet();
    expect(status.quarantined).toEqual({ messages: 1, rows: 1 });
    expect(bed.rows('dead-letter')).toHaveLength(1);
    expect(bed.rows('rank').map(({ user }) => user)).toEqual(['u1', 'u3']);
  });
});

it('what a stage of a chain throws on is its failure, and its dead letter; each stage of the chain has a status', async () => {
  let isBad = true;
  const topology = chainedToys((user) => {
    if (isBad && ['u2', 'u3'].includes(user)) throw new Error('cannot check it');
  });
  const bed = await ActorBed.make(topology);
  bed.start('read', 0, { tuning: { frameMessages: 3 } });
  const tuning = { snapshotEveryMs: 1e12 };
  const { status, supervisor } = bed.start('sum', 0, { tuning });
  await bed.publish(...[1, 2, 3].map((i) => line(i, i, `u${i}`)));
  await bed.until(() => status.lastError?.includes('check: Error: cannot check it') === true);
  await bed.quiet();
  const letters = bed.rows('dead-letter').map(({ stage, sequence, index }) => [stage, sequence, index]);
  expect(letters).toEqual([
    ['check', 1, 1],
    ['check', 1, 2],
  ]);
  supervisor.report();
  const [summed, checked] = perStage([status]);
  const row = { rowsIn: 1, rowsOut: 1 };
  expect(summed).toMatchObject({ stage: 'sum', rowsOut: 1, state: 'running' });
  expect(checked).toMatchObject({ stage: 'check', state: 'running', restarts: status.restarts, stateKeys: 1, ...row });
  expect(checked!.steps.seconds.counts.reduce((all, n) => all + n, 0)).toBe(1);
  // One that could check them says the same.
  isBad = false;
  const again = bed.start('sum', 0, { tuning });
  await bed.publish(line(4, 4, 'u4'));
  await bed.until(() => again.status.sequence === 2);
  await bed.quiet();
  expect(bed.rows('rank').map(({ user }) => user)).toEqual(['u1', 'u4']);
  expect(bed.rows('dead-letter')).toHaveLength(2);
});

describe('rows of a frame that the stage throws on', () => {
  const NO_SNAPSHOTS = { snapshotEveryMs: 1e12 };
  const users = (bed: ActorBed): unknown[] => bed.rows('rank').map(({ user }) => user);

  /** One frame of the users u1, u2, … */
  async function withFrame(rows: number, sumTrap: Trap): Promise<ActorBed> {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap }));
    await bed.publish(...Array.from({ length: rows }, (_, i) => line(i + 1, i + 1, `u${i + 1}`)));
    const reader = bed.start('read', 0, { tuning: { frameMessages: rows, frameBytes: 1e6 } });
    await bed.until(() => reader.status.sequence === rows && reader.status.unacknowledged === 0);
    expect(bed.messages('sum').filter(({ rows: { length } }) => length > 0)).toHaveLength(1);
    return bed;
  }
  const badly =
    (...bad: readonly string[]): Trap =>
    (user) => {
      if (bad.includes(user)) throw new Error('cannot digest it');
    };

  it.each([[['u3']], [['u1', 'u5']], [['u1', 'u2', 'u3', 'u4', 'u5']]])(
    'are quarantined, %j, and none of the others (QUARANTINE-5)',
    async (bad) => {
      const bed = await withFrame(5, badly(...bad));
      const { status, failure } = bed.start('sum');
      await bed.until(() => status.sequence === 1);
      await bed.quiet();
      const good = ['u1', 'u2', 'u3', 'u4', 'u5'].filter((user) => !bad.includes(user));
      expect([users(bed), failure()]).toEqual([good, undefined]);
      expect(status.counters.on_time).toBe(good.length);
      expect(status.quarantined).toEqual({ messages: 0, rows: bad.length });
      const letters = bed.rows('dead-letter');
      expect(letters.map(({ rule, sequence, index }) => [rule, sequence, index])).toEqual(
        bad.map((user) => ['poison', 1, Number(user.slice(1)) - 1]),
      );
      expect(originals(bed).map((text) => (JSON.parse(text) as { user: string }).user)).toEqual(bad);
    },
  );

  it('are counted over all frames of the message', async () => {
    const writer = await withFrame(3, () => undefined);
    await writer.publish(line(4, 4, 'u4'), line(5, 5, 'u5'));
    await writer.quiet();
    const frames = writer.log.messages('RIVULET_SUM').map(({ data }) => data);
    expect(frames.length).toBeGreaterThan(1);
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: badly('u2', 'u5') }));
    await bed.log.publish('rivulet.sum.0.read.0', joined(frames), { expected: 0 });
    const { status, failure } = bed.start('sum');
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect([users(bed), failure()]).toEqual([['u1', 'u3', 'u4'], undefined]);
    expect(status.quarantined).toEqual({ messages: 0, rows: 2 });
    expect(bed.rows('dead-letter').map(({ index }) => index)).toEqual([1, 4]);
  });

  it.each(['before', 'behind'])('are the same %s a death, and for an owner that could digest them', async (when) => {
    let isBad = true;
    const bed = await withFrame(4, (user) => {
      if (isBad && ['u2', 'u4'].includes(user)) throw new Error('cannot digest it');
    });
    const first = bed.startApart('sum', 0, { tuning: NO_SNAPSHOTS });
    await bed.until(() => (when === 'behind' ? first.status.sequence === 1 : first.status.restarts === 6));
    isBad = when === 'before';
    // Without a snapshot it reads all from the beginning.
    const { status } = bed.start('sum', 0, { tuning: NO_SNAPSHOTS });
    await bed.publish(line(5, 5, 'u5'));
    await bed.until(() => status.sequence === 2);
    await bed.quiet();
    expect(users(bed)).toEqual(['u1', 'u3', 'u5']);
    expect(bed.rows('dead-letter')).toHaveLength(2);
    expect(status.quarantined.rows).toBe(2);
  });

  it('are not searched for without limit: a frame with too many is quarantined entirely', async () => {
    const bed = await withFrame(300, (user) => {
      if (Number(user.slice(1)) > 50) throw new Error('cannot digest it');
    });
    const { status } = bed.start('sum');
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect([users(bed), status.quarantined]).toEqual([[], { messages: 1, rows: 300 }]);
    expect(status.restarts).toBeLessThan(110);
  });

  it('a frame that fails although no row fails alone is quarantined entirely', async () => {
    const bed = await withFrame(3, (_, rows) => {
      if (rows === 3) throw new Error('three at once');
    });
    const { status } = bed.start('sum');
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect([users(bed), status.quarantined]).toEqual([[], { messages: 1, rows: 3 }]);
  });
});

it('as large as a message may be is quarantined entirely, in pieces that fit', async () => {
  const large = line(1, '7'.repeat(900_000));
  const bed = await ActorBed.make(liveToys({ partitions: ONE, trap: BUG(large) }));
  await bed.publish(large, line(2));
  const { status, failure } = bed.start('read', 0, { tuning: { frameMessages: 1 } });
  await bed.until(() => status.sequence === 2);
  await bed.quiet();
  expect(failure()).toBeUndefined();
  expect(originals(bed).join('')).toBe(large);
  expect(bed.rows('dead-letter').map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([2]);
});

it('that is no message of ours at all is skipped, not tripped over', async () => {
  const bed = await ActorBed.make(liveToys({ partitions: ONE }));
  bed.start('read');
  const { status } = bed.start('sum');
  await bed.log.publish('rivulet.sum.0.stranger.0', Uint8Array.of(255, 255, 255));
  await bed.publish(line(1));
  await bed.until(() => status.sequence === 2);
  await bed.quiet();
  expect(status).toMatchObject({ restarts: 0, foreign: { last: { subject: 'rivulet.sum.0.stranger.0' } } });
  expect(bed.rows('rank')).toHaveLength(1);
});

describe('a publisher’s message in a batch', () => {
  it.each([
    ['throws', BUG(line(3))],
    [
      'says poison',
      (one: string) => {
        if (one === line(3)) throw poison('FRAME_TYPE', 'not for me');
      },
    ],
  ])('that the stage %s on is quarantined, and none of its neighbours', async (_, trap) => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, trap }));
    await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
    const { status } = bed.start('read', 0, { tuning: { frameMessages: 6 } });
    await bed.until(() => status.sequence === 6);
    await bed.quiet();
    expect(originals(bed)).toEqual([line(3)]);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 4, 5, 6]);
    expect(status.counters).toEqual({ events: 6, on_time: 5, late: 0, dead_letter: 1, duplicates: 0 });
    expect(status.quarantined).toEqual({ messages: 1, rows: 0 });
  });

  it('may be one of several in one batch', async () => {
    const trap: Trap = (one) => {
      if ([line(2), line(5)].includes(one)) throw new Error('no');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, trap }));
    await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
    const { status } = bed.start('read', 0, { tuning: { frameMessages: 6 } });
    await bed.until(() => status.sequence === 6);
    await bed.quiet();
    expect(originals(bed)).toEqual([line(2), line(5)]);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 3, 4, 6]);
  });
});

describe('what is no poison', () => {
  it('a transient failure is retried without limit, never quarantined', async () => {
    let failures = 0;
    const trap: Trap = (one) => {
      if (one === 'u1' && failures++ < 30) throw transient('LOG_UNREACHABLE', 'for a moment');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const { status } = bed.start('sum');
    await bed.publish(line(1, 1, 'u1'));
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect([status.restarts, bed.rows('dead-letter'), bed.rows('rank').length]).toEqual([30, [], 1]);
  });

  it('a fatal error stops at once and reports why', async () => {
    const trap: Trap = () => {
      throw fatal('TOPOLOGY', 'going on would be wrong');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const { status, ended, failure } = bed.start('sum');
    await bed.publish(line(1));
    await bed.until(ended);
    expect(failure()).toMatchObject({ reaction: 'fatal', code: 'TOPOLOGY' });
    expect(status).toMatchObject({ state: 'failed', restarts: 0 });
  });

  it('failures that differ each time use up the budget and escalate', async () => {
    let n = 0;
    const trap: Trap = () => {
      throw new Error(`failure ${n++}`);
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const strategy = { restartsMax: 4, windowMs: 1e12, backoffFirstMs: 1, backoffMaxMs: 1, poisonAfter: 3 };
    const { status, ended, failure } = bed.start('sum', 0, { strategy });
    await bed.publish(line(1));
    await bed.until(ended);
    expect(failure()).toMatchObject({ code: 'INSTANCE_FAILED', cause: { message: 'failure 4' } });
    expect(failure()!.message).toContain('sum.0 gave up: more than 4 restarts within');
    expect(status.restarts).toBe(4);
  });
});
