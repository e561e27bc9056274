/** One deadline over the steps of a stop, and hosts whose parts hang. */
import { describe, expect, it } from 'vitest';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { Host } from '../../../runtime/shards/host.js';
import type { Log, Store } from '../../../runtime/contract/ports.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { TUNING, SILENT } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { settled, VirtualClock } from '../virtual-clock.js';

const never = (): Promise<never> => new Promise(() => undefined);

describe('a deadline', () => {
  it('gives each step what is left of it, and knows what did not end', async () => {
    const clock = new VirtualClock();
    const deadline = new Deadline(1_000, clock);
    await deadline.step('done', () => Promise.resolve());
    const slow = deadline.step('slow', () => clock.sleep(600));
    clock.advance(600);
    await slow;
    expect(deadline.leftMs).toBe(400);
    const hangs = deadline.step('hangs', never);
    clock.advance(400);
    await hangs;
    let begun = false;
    await deadline.step('too late', async () => (begun = true));
    expect([deadline.leftMs, begun, deadline.unfinished]).toEqual([0, false, ['hangs', 'too late']]);
    expect(clock.sleeping).toBe(0);
  });

  it('takes a failure for what it is, with its reason, and goes on', async () => {
    const deadline = new Deadline(Infinity, new VirtualClock());
    await deadline.step('bad', () => Promise.reject(new Error('no')));
    await deadline.step('good', () => Promise.resolve());
    expect(deadline.unfinished).toEqual(['bad (Error: no)']);
  });
});

describe('a host that is stopped', () => {
  const UNITS = [
    { name: 'source-0', partition: 0, stages: ['read'] },
    { name: 'rest-0', partition: 0, stages: ['sum', 'rank'] },
  ];

  async function hostWith({ store, log }: { store?: (name: string) => Partial<Store>; log?: Partial<Log> }) {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    const closed: string[] = [];
    const fatals: Error[] = [];
    const host = await Host.start(
      UNITS,
      {
        ...{ topology: bed.topology, clock: bed.clock, loggerOf: () => SILENT, tickEveryMs: 0 },
        log: Object.assign(Object.create(bed.log) as Log, log),
        tuning: { ...TUNING, snapshotEveryMs: 1e12 },
        openStore: async (name) =>
          Object.assign(new MemoryStore(), { close: async () => void closed.push(name) }, store?.(name)),
      },
      (error) => fatals.push(error),
    );
    await bed.publish(line(1));
    const takenIn = (): boolean => host.statuses.every(({ messagesIn }) => messagesIn > 0);
    return { bed, host, closed, fatals, takenIn };
  }

  /** Lets the time of the deadline pass. */
  async function stopWithin(bed: ActorBed, host: Host, ms: number): Promise<readonly string[]> {
    const deadline = new Deadline(ms, bed.clock);
    let over = false;
    const stopping = host.stop(deadline).then(() => (over = true));
    await settled();
    await settled();
    if (!over) bed.clock.advance(ms);
    await stopping;
    return deadline.unfinished;
  }

  it('finishes everything when nothing hangs', async () => {
    const { bed, host, closed, takenIn } = await hostWith({});
    await bed.until(takenIn);
    expect([await stopWithin(bed, host, 1_000), closed]).toEqual([[], ['source-0', 'rest-0']]);
  });

  it('does not wait for a disk that hangs: says whose snapshots are missing, closes what it can', async () => {
    const { bed, host, takenIn } = await hostWith({ store: (name) => (name === 'rest-0' ? { write: never } : {}) });
    await bed.until(takenIn);
    const unfinished = await stopWithin(bed, host, 1_000);
    expect(unfinished.slice(0, 2)).toEqual(['the last snapshot of sum.0', 'the last snapshot of rank.0']);
    expect(host.statuses.find(({ stage }) => stage === 'read')).toMatchObject({ state: 'stopped', snapshots: 1 });
  });

  it('does not wait for a log that hangs', async () => {
    let hangs = false;
    const { bed, host, takenIn } = await hostWith({
      log: { publish: async (...args) => (hangs ? never() : bed.log.publish(...args)) },
    });
    await bed.until(takenIn);
    hangs = true;
    await bed.publish(line(2));
    await settled();
    expect(await stopWithin(bed, host, 1_000)).toContain('the last snapshot of read.0');
  });

  it('says whose last snapshot was refused', async () => {
    const refuse = (): Promise<void> => Promise.reject(new Error('disk full'));
    const { bed, host, takenIn } = await hostWith({ store: (name) => (name === 'source-0' ? { write: refuse } : {}) });
    await bed.until(takenIn);
    expect(await stopWithin(bed, host, 1_000)).toEqual(['the last snapshot of read.0 (Error: disk full)']);
  });
});
