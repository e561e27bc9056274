/** An instance under supervision (SUPERVISOR-1–SUPERVISOR-4). */
import { beforeEach, describe, expect, it } from 'vitest';
import { fatal, transient } from '../../../runtime/contract/errors.js';
import type { Log, Logger } from '../../../runtime/contract/ports.js';
import { newStatus } from '../../../runtime/telemetry/status.js';
import { SupervisedInstance } from '../../../runtime/shards/supervised-instance.js';
import { STAGE_STRATEGY } from '../../../runtime/supervision/strategy.js';
import { Supervisor } from '../../../runtime/supervision/supervisor.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { FailingLog } from '../../support/failing-log.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { TUNING } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

let bed: ActorBed;
let failures: number;

beforeEach(async () => {
  failures = 0;
  bed = await ActorBed.make(
    liveToys({
      partitions: ONE,
      trap: () => {
        if (failures-- > 0) throw transient('LOG_UNREACHABLE', 'for a moment');
      },
    }),
  );
});

interface Line {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

function supervise(log: Log = bed.log): {
  supervisor: SupervisedInstance;
  status: ReturnType<typeof newStatus>;
  lines: Line[];
  ended: () => boolean;
  failure: () => unknown;
} {
  const lines: Line[] = [];
  const at = (level: keyof Logger) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Line['fields'], message });
  };
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const status = newStatus('read', 0);
  const { topology, clock } = bed;
  let ended = false;
  let failure: unknown;
  const onEscalated = (error: Error): void => void (failure = error);
  const supervisor = new SupervisedInstance(new Supervisor({ clock, logger, onEscalated }), {
    ...{ topology, stage: topology.stage('read'), partition: 0, log, store: new MemoryStore(), clock, logger, status },
    ...{ tuning: TUNING, strategy: STAGE_STRATEGY },
  });
  void supervisor.ended.catch(() => undefined).finally(() => (ended = true));
  return { supervisor, status, lines, ended: () => ended, failure: () => failure };
}

describe('a supervisor', () => {
  it('has at most one actor open: the next begins when the one before has ended (SUPERVISOR-1)', async () => {
    let open = 0;
    let most = 0;
    const counting: Log = Object.assign(Object.create(bed.log) as Log, {
      read: async (...args: Parameters<Log['read']>) => {
        const reader = await bed.log.read(...args);
        most = Math.max(most, ++open);
        let closed = false;
        return {
          take: (max: number) => reader.take(max),
          close: async () => {
            if (!closed) open--;
            closed = true;
            await reader.close();
          },
        };
      },
    });
    failures = 5;
    const { status, supervisor, ended } = supervise(counting);
    await bed.publish(line(1));
    await bed.until(() => status.sequence === 1);
    expect([status.restarts, most, open]).toEqual([5, 1, 1]);
    await supervisor.stop();
    await bed.until(ended);
    expect(open).toBe(0);
  });

  it('logs each restart with reason, attempt and delay (SUPERVISOR-2)', async () => {
    failures = 3;
    const { status, lines } = supervise();
    await bed.publish(line(1));
    await bed.until(() => status.sequence === 1);
    const restarts = lines.filter(({ message }) => message === 'restarting');
    expect(restarts.map(({ level, fields: { attempt, delayMs } }) => [level, attempt, delayMs])).toEqual([
      ['warn', 1, 50],
      ['warn', 2, 100],
      ['warn', 3, 200],
    ]);
    expect(restarts[0]!.fields.reason).toContain('LOG_UNREACHABLE: for a moment');
    expect(status.lastError).toContain('LOG_UNREACHABLE: for a moment');
  });

  it('goes on for ever through transient failures: the status tells at any time, the log until it is known', async () => {
    failures = 100;
    const { status, lines, ended } = supervise();
    const startedMs = bed.clock.nowMs();
    await bed.publish(line(1));
    await bed.until(() => status.restarts === 90);
    expect([status.state, ended()]).toEqual(['backoff', false]);
    expect(status.failingSinceMs).toBe(startedMs);
    expect(status.sinceMs).toBeGreaterThan(startedMs + 60_000);
    const loud = lines.filter(({ level, message }) => level === 'warn' && message === 'restarting');
    expect(loud.map(({ fields: { attempt } }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]);
    await bed.until(() => status.sequence === 1);
    expect([status.state, status.restarts]).toEqual(['running', 100]);
  });

  it('leaves the one line about its end to whoever ends the node', async () => {
    const away = Object.assign(Object.create(bed.log) as Log, {
      info: () => Promise.reject(fatal('LOG_BEHIND', 'rolled back')),
    });
    const { lines, failure, ended, status } = supervise(away);
    await bed.until(ended);
    expect(failure()).toMatchObject({ reaction: 'fatal', code: 'LOG_BEHIND' });
    expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    expect(status).toMatchObject({ state: 'failed', lastError: expect.stringContaining('LOG_BEHIND') });
  });

  it('tells how it is: restoring, running, backoff, stopped', async () => {
    failures = 1;
    const { status, supervisor, ended } = supervise();
    const seen = new Set<string>([status.state]);
    await settled();
    seen.add(status.state);
    await bed.publish(line(1));
    await settled();
    seen.add(status.state);
    await bed.until(() => status.sequence === 1);
    await supervisor.stop();
    await bed.until(ended);
    seen.add(status.state);
    expect([...seen]).toEqual(['restoring', 'running', 'backoff', 'stopped']);
  });

  it('stops at once while it waits to restart', async () => {
    failures = 1;
    const { status, supervisor, ended } = supervise();
    await bed.publish(line(1));
    await settled();
    expect(status.state).toBe('backoff');
    await supervisor.stop();
    await bed.until(ended);
    expect(bed.clock.sleeping).toBe(0);
  });

  it('stops while it restores', async () => {
    let go = (): void => undefined;
    const slow = new FailingLog(bed.log, {
      turn: ({ kind }) => (kind === 'info' ? new Promise((resolve) => (go = resolve)) : Promise.resolve()),
    });
    const { supervisor, ended } = supervise(slow);
    await settled();
    await supervisor.stop();
    for (let i = 0; i < 5; i++) {
      go();
      await settled();
    }
    await bed.until(ended);
  });

  it('notices a failed output while its mailbox is empty', async () => {
    let refuse = true;
    const log: Log = Object.assign(Object.create(bed.log) as Log, {
      publish: async (...args: Parameters<Log['publish']>) => {
        if (refuse) {
          refuse = false;
          throw new TypeError('a bug in the client');
        }
        return bed.log.publish(...args);
      },
    });
    const { status } = supervise(log);
    await bed.publish(line(1));
    await settled();
    await settled();
    expect(status.restarts).toBe(1);
    await bed.until(() => status.sequence === 1 && status.unacknowledged === 0);
    expect(bed.rows('sum')).toHaveLength(1);
  });
});
