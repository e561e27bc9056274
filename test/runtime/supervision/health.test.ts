/** Health is a function of the tree (HEALTH-1–HEALTH-4). */
import { describe, expect, it } from 'vitest';
import {
  GRACE_MS,
  type Health,
  healthOf,
  type InstanceVitals,
  REPLAY_WAIT_MS,
  STEADY_MS,
  type Vitals,
} from '../../../runtime/supervision/health.js';

const NOW = 1_000_000;
const up = (stage: string, more: Partial<InstanceVitals> = {}): InstanceVitals => ({
  ...{
    stage,
    partition: 0,
    state: 'running',
    sinceMs: 0,
    failingSinceMs: undefined,
    restarts: 0,
    lastError: undefined,
  },
  bufferedBytes: 0,
  ...{ sequence: 7, replayTo: 7 },
  refusal: undefined,
  foreign: undefined,
  ...more,
});
const down = (sinceMs: number, state: InstanceVitals['state'] = 'backoff'): InstanceVitals =>
  up('sum', { state, sinceMs, failingSinceMs: sinceMs, restarts: 3, lastError: 'AWAY: for a moment' });
const IN_TOUCH = { natsUnreachableSinceMs: undefined, outOfTouchSinceMs: undefined };
const health = (vitals: Partial<Vitals>, served = true): Health =>
  healthOf({ ...{ instances: [up('read')], threads: [], nowMs: NOW }, ...IN_TOUCH, ...vitals }, served);
const OK: Health = { serving: true, takesEvents: true, reasons: [], warnings: [] };

describe('a node that starts', () => {
  it('serves when all of it runs, and no moment before', () => {
    expect(health({}, false)).toEqual(OK);
    const restoring = up('sum', { state: 'restoring', sinceMs: NOW });
    expect(health({ instances: [up('read'), restoring] }, false)).toEqual({
      ...{ serving: false, takesEvents: true, reasons: ['sum.0 is restoring for 0 s'], warnings: [] },
    });
    expect(health({ threads: [{ name: 'worker-0', answeredAtMs: undefined }] }, false).reasons).toEqual([
      'thread worker-0 has not answered yet',
    ]);
    expect(health({ natsUnreachableSinceMs: NOW }, false)).toMatchObject({ serving: false, takesEvents: false });
  });
});

describe('a mailbox that was not empty at the start', () => {
  const reads = (sinceMs: number) => up('sum', { sinceMs, sequence: 6 });

  it('is read before the node serves, and one that takes long is not waited for', () => {
    expect(health({ instances: [reads(NOW - REPLAY_WAIT_MS)] }, false)).toMatchObject({
      ...{ serving: false, takesEvents: true, reasons: ['sum.0 has been replaying its mailbox for 15 s'] },
    });
    expect(health({ instances: [reads(NOW - REPLAY_WAIT_MS - 1)] }, false)).toEqual(OK);
  });

  it('does not end a node that serves: it has taken over more', () => {
    expect(health({ instances: [reads(NOW)] })).toEqual(OK);
  });
});

describe('a node that serves', () => {
  it('goes on through what is over within the grace time', () => {
    const justNow = NOW - GRACE_MS;
    expect(health({ instances: [down(justNow)] })).toEqual(OK);
    expect(health({ instances: [down(justNow, 'restoring')] })).toEqual(OK);
    expect(health({ natsUnreachableSinceMs: justNow })).toEqual(OK);
    expect(health({ instances: [up('taken', { state: 'restoring', sinceMs: justNow })] })).toEqual(OK);
    expect(health({ threads: [{ name: 'worker-0', answeredAtMs: justNow }] })).toEqual(OK);
  });

  it('ends when an instance is away for longer, and says which and why; events are still stored', () => {
    expect(health({ instances: [up('read'), down(NOW - GRACE_MS - 1_000)] })).toEqual({
      ...{ serving: false, takesEvents: true, warnings: [] },
      reasons: ['sum.0 fails for 6 s (3 restarts): AWAY: for a moment'],
    });
    expect(health({ instances: [up('taken', { state: 'restoring', sinceMs: NOW - 60_000 })] }).reasons).toEqual([
      'taken.0 is restoring for 60 s',
    ]);
  });

  it('ends at once when an instance has failed for good', () => {
    const failed = up('sum', { state: 'failed', sinceMs: NOW, lastError: 'LOG_GAP: gone' });
    expect(health({ instances: [failed] }).reasons).toEqual(['sum.0 has failed: LOG_GAP: gone']);
  });

  it('ends when NATS is unreachable for longer: no events either', () => {
    expect(health({ natsUnreachableSinceMs: NOW - 7_000 })).toEqual({
      ...{ serving: false, takesEvents: false, reasons: ['NATS is unreachable for 7 s'], warnings: [] },
    });
  });

  it('ends when nobody leads JetStream for longer, as when NATS is unreachable', () => {
    expect(health({ outOfTouchSinceMs: NOW - GRACE_MS })).toEqual(OK);
    expect(health({ outOfTouchSinceMs: NOW - 8_000 })).toEqual({
      ...{ serving: false, takesEvents: false, reasons: ['out of touch with JetStream for 8 s'], warnings: [] },
    });
  });

  it('takes no events when they are refused for longer, and says why; it answers all the same', () => {
    const refusing = (sinceMs: number): InstanceVitals =>
      up('parse', { refusal: { sinceMs, reason: 'LOG_FULL: maximum bytes exceeded' } });
    expect(health({ instances: [up('read'), refusing(NOW - GRACE_MS)] })).toEqual(OK);
    expect(health({ instances: [up('read'), refusing(NOW - 9_000)] })).toEqual({
      ...{ serving: true, takesEvents: false, warnings: [] },
      reasons: ['parse.0 takes no events for 9 s: LOG_FULL: maximum bytes exceeded'],
    });
  });

  it('ends when a thread is silent for longer', () => {
    expect(health({ threads: [{ name: 'worker-1', answeredAtMs: NOW - 9_000 }] }).reasons).toEqual([
      'thread worker-1 is silent for 9 s',
    ]);
  });

  it('does not take an instance that fails again and again for one that runs, until it has run for a while', () => {
    const flapping = (ranMs: number): InstanceVitals => ({ ...down(NOW - 60_000, 'running'), sinceMs: NOW - ranMs });
    expect(health({ instances: [flapping(STEADY_MS - 1)] }).serving).toBe(false);
    expect(health({ instances: [flapping(STEADY_MS)] })).toEqual(OK);
  });

  it('warns of what it holds for later epochs, and serves', () => {
    const full = up('join', { bufferedBytes: 1.5 * 2 ** 30 });
    expect(health({ instances: [full] })).toMatchObject({
      serving: true,
      warnings: ['join.0 buffers 1.5 GiB for later epochs: one of its writers is far behind the others'],
    });
  });
});
