/** A host: the instances of one thread, their stores, their clock. */
import { expect, it } from 'vitest';
import { Host } from '../../../runtime/shards/host.js';
import { type HostOptions } from '../../../runtime/shards/shard.js';
import { fatal } from '../../../runtime/contract/errors.js';
import { MemoryStore, type StoreContents } from '../../../state/memory-store.js';
import { ActorBed, line } from '../actor/actor-bed.js';
import { TUNING, SILENT } from '../tuning.js';
import { liveToys, type Trap } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

const UNITS = [0, 1].flatMap((partition) => [
  { name: `source-${partition}`, partition, stages: ['read'] },
  { name: `rest-${partition}`, partition, stages: ['sum', 'rank'] },
]);

async function setUp(trap: Trap = () => undefined) {
  const bed = await ActorBed.make(liveToys({ sumTrap: trap }));
  const disks = new Map<string, StoreContents>();
  const open = new Map<string, MemoryStore>();
  const fatals: Error[] = [];
  const answered: string[] = [];
  const options: HostOptions = {
    ...{ topology: bed.topology, log: bed.log, clock: bed.clock, loggerOf: () => SILENT, tuning: TUNING },
    openStore: async (name) => {
      const store = Object.assign(new MemoryStore(disks.get(name)), {
        close: async () => {
          disks.set(name, store.contents());
          open.delete(name);
        },
      });
      open.set(name, store);
      return store;
    },
    tickEveryMs: 1_000,
    onAnswered: (stage) => answered.push(stage),
  };
  const start = (more: Partial<HostOptions> = {}): Promise<Host> =>
    Host.start(UNITS, { ...options, ...more }, (error) => fatals.push(error));
  return { bed, disks, open, fatals, answered, start };
}

it('runs its shards, goes on where it stopped, and says how they are', async () => {
  const { bed, disks, open, answered, start } = await setUp();
  const first = await start();
  for (let i = 0; i < 10; i++) await bed.publish(line(i, i, `u${i % 3}`));
  await bed.until(
    () => first.statuses.reduce((sum, { stage, rowsOut }) => sum + (stage === 'rank' ? rowsOut : 0), 0) === 10,
  );
  expect(new Set(answered)).toEqual(new Set(['read', 'sum', 'rank']));
  expect(first.statuses.map(({ stage, partition }) => `${stage}/${partition}`).sort()).toHaveLength(6);
  expect(first.actor('sum', 1)).toBeDefined();
  const { statuses } = first;
  await first.stop();
  expect([open.size, [...disks.keys()].sort()]).toEqual([0, UNITS.map(({ name }) => name).sort()]);
  expect(
    statuses.every(({ state, sequence, snapshotSequence }) => state === 'stopped' && sequence === snapshotSequence),
  ).toBe(true);
  expect(bed.clock.sleeping).toBe(0);

  const second = await start();
  await bed.publish(line(10, 10, 'u1'));
  await bed.until(() => bed.rows('totals').length === 11);
  expect(bed.rows('totals').at(-1)).toMatchObject({ item: 'u1.a', sum: 1 + 4 + 7 + 10, times: 4 });
  await second.stop();
});

it('hears of what escalates; the others go on', async () => {
  const { bed, fatals, start } = await setUp((user) => {
    if (user === 'bad') throw fatal('TOPOLOGY', 'going on would be wrong');
  });
  const host = await start();
  await bed.publish(line(1, 1, 'bad'), ...[2, 3, 4, 5].map((i) => line(i, i, `u${i}`)));
  await bed.until(() => fatals.length === 1);
  expect(fatals[0]).toMatchObject({ code: 'TOPOLOGY' });
  await bed.until(() =>
    host.statuses.filter(({ stage }) => stage === 'read').every(({ unacknowledged }) => unacknowledged === 0),
  );
  expect(host.statuses.filter(({ state }) => state === 'failed')).toHaveLength(1);
  expect(host.statuses.filter(({ state }) => state === 'running')).toHaveLength(5);
  await host.stop();
  expect(fatals).toHaveLength(1);
});

it('that cannot open a store stops what it has started', async () => {
  const { bed, open, start } = await setUp();
  let opened = 0;
  const openStore = async (name: string): Promise<MemoryStore> => {
    if (++opened === 3) throw fatal('DATA_DIR_LOCKED', `${name} is in use`);
    const store = new MemoryStore();
    open.set(name, store);
    return store;
  };
  const starting = expect(start({ openStore })).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' });
  for (let i = 0; i < 20; i++) await settled();
  await starting;
  expect(bed.clock.sleeping).toBe(0);
});

it('ticks into the mailboxes of the stage that publishers write to', async () => {
  const { bed, start } = await setUp();
  const host = await start();
  const ticks = (): string[] =>
    bed.log
      .messages('RIVULET_READ')
      .map(({ subject }) => subject)
      .filter((subject) => subject.includes('.clock.'));
  await bed.until(() => new Set(ticks()).size === 2);
  await host.stop();
  const none = await start({ tickEveryMs: 0 });
  const last = ticks();
  for (let i = 0; i < 20; i++) {
    bed.clock.wakeNext();
    await settled();
  }
  expect(ticks().length).toBeLessThanOrEqual(last.length);
  await none.stop();
});
