/**
 * A backup taken stream by stream while everything goes on (runtime/cli/backup/order.ts), restored into an empty world and gone on with, ends as if
 * nothing had happened. In the other order it does not: the test can fail.
 */
import { expect, it } from 'vitest';
import { seededRandom } from '../../../actors/maths/random.js';
import { streamsToSave } from '../../../runtime/cli/backup/order.js';
import type { ReplicaStore } from '../../../runtime/replication/store.js';
import { Host } from '../../../runtime/shards/host.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryObjects } from '../../support/memory-objects.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { ActorBed } from '../actor/actor-bed.js';
import { groupedBy } from '../actor/grouped.js';
import { TUNING, SILENT } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

const LINES = 120;
const USERS = 5;
const line = (n: number): string => {
  const user = `u${n % USERS}`;
  return n % 13 === 12 ? `${n} ${user} bad` : `${n} ${user} ${user}.${'abc'[n % 3]} ${n}`;
};
/** Actors and copies do something at least this often. */
const IDLE_STEPS = 40;
const UNITS = [0, 1].flatMap((partition) => [
  { name: `source-${partition}`, partition, stages: ['read'] },
  { name: `user-${partition}`, partition, stages: ['sum'] },
  { name: `item-${partition}`, partition, stages: ['rank'] },
]);

class World {
  readonly copies = { manifests: new MemoryKeyValue(), objects: new MemoryObjects() } satisfies ReplicaStore;
  readonly disks = new Map<string, MemoryStore>();
  readonly fatals: Error[] = [];
  held = false;
  sent = 0;
  private host: Host | undefined;
  private copiers = 0;

  private constructor(readonly bed: ActorBed) {}

  static async make(): Promise<World> {
    return new World(await ActorBed.make(liveToys()));
  }

  /** On what each shard has on its disk, by default nothing. */
  async start(disks: ReadonlyMap<string, MemoryStore> = new Map()): Promise<void> {
    const { topology, log, clock } = this.bed;
    const options = {
      ...{ topology, log, clock, loggerOf: () => SILENT, tuning: TUNING, tickEveryMs: 0 },
      openStore: async (name: string) => {
        const store = new MemoryStore(disks.get(name)?.contents());
        this.disks.set(name, store);
        return store;
      },
      replication: { copies: this.copies, everyMs: 150, writer: () => `n-${++this.copiers}`, isHeld: () => this.held },
    };
    this.host = await Host.start(UNITS, options, (error) => this.fatals.push(error));
  }

  async send(to: number): Promise<void> {
    for (; this.sent < to; this.sent++) {
      const text = line(this.sent);
      await this.bed.log.publish(`rivulet.events.word.${text.split(' ')[1]!}`, utf8(text));
    }
  }

  /** Some time passes, in which some of it is done. */
  async step(random: () => number): Promise<void> {
    await this.send(Math.min(LINES, this.sent + Math.floor(random() * 4)));
    for (let i = Math.floor(random() * 4); i > 0; i--) {
      await settled();
      this.bed.clock.wakeNext();
    }
  }

  async finish(): Promise<unknown> {
    await this.send(LINES);
    const said = (): number => this.bed.log.messages('RIVULET_TOTALS').length;
    let idle = 0;
    for (let before = said(); idle < IDLE_STEPS; before = said()) {
      await settled();
      this.bed.clock.wakeNext();
      idle = said() === before ? idle + 1 : 0;
    }
    await this.host!.stop();
    expect(this.fatals).toEqual([]);
    return groupedBy(this.bed.rows('totals'), ({ item }) => String(item));
  }
}

/** Saves stream after stream, with time in between, and restores all of it in a world of its own. */
async function backedUp(world: World, random: () => number, order: (names: string[]) => string[]): Promise<World> {
  const other = await World.make();
  world.held = true;
  await world.step(random);
  for (const { key, value } of await world.copies.manifests.entries()) await other.copies.manifests.put(key, value);
  await world.step(random);
  for (const name of await world.copies.objects.names(''))
    await other.copies.objects.put(name, world.copies.objects.get(name));
  const names = streamsToSave(world.bed.topology).flatMap(({ name }) => (name.startsWith('RIVULET_') ? [name] : []));
  for (const name of order(names)) {
    await world.step(random);
    other.bed.log.restore(world.bed.log.saved(name));
    if (name === 'RIVULET_READ') other.sent = world.sent;
  }
  world.held = false;
  return other;
}

async function run(seed: number, order: (names: string[]) => string[]) {
  const random = seededRandom(seed);
  const world = await World.make();
  await world.start();
  const from = 10 + Math.floor(random() * 60);
  while (world.sent < from) await world.step(random);
  const other = await backedUp(world, random, order);
  const trimmed =
    [...other.bed.log.messages('RIVULET_SUM')].length < (await other.bed.log.info('RIVULET_SUM')).lastSequence;
  const copied = (await other.copies.manifests.entries()).length > 0;
  await other.start();
  // A publisher that is not sure sends its last event again.
  other.sent = Math.max(0, other.sent - 1);
  return { world, outcome: await other.finish(), expected: await world.finish(), trimmed, copied };
}

const SEEDS = Array.from({ length: 25 }, (_, i) => i + 1);

it('ends as if nothing had happened', async () => {
  let [trimmed, copied] = [0, 0];
  for (const seed of SEEDS) {
    const run1 = await run(seed, (names) => names);
    expect(run1.outcome, `seed ${seed}`).toEqual(run1.expected);
    trimmed += Number(run1.trimmed);
    copied += Number(run1.copied);
  }
  // It was not all replayed from the start.
  expect([trimmed > SEEDS.length / 4, copied > SEEDS.length / 2]).toEqual([true, true]);
});

it('does not when upstream is saved first', async () => {
  const wrong: number[] = [];
  for (const seed of SEEDS.slice(0, 10)) {
    const same = await run(seed, (names) => names.reverse()).then(
      ({ outcome, expected }) => JSON.stringify(outcome) === JSON.stringify(expected),
      () => false,
    );
    if (!same) wrong.push(seed);
  }
  expect(wrong.length).toBeGreaterThan(0);
});

it('does not take state that is ahead of it, or went another way', async () => {
  const random = seededRandom(7);
  const world = await World.make();
  await world.start();
  while (world.sent < 60) await world.step(random);
  const other = await backedUp(world, random, (names) => names);
  await world.finish();
  await other.start();
  await other.finish();
  // What the first world has on disk goes further than the backup, and what the second says there by now goes another way.
  const own = new Map(other.disks);
  const again = other.start(world.disks);
  await expect(again).rejects.toMatchObject({
    code: 'LOG_BEHIND',
    message: expect.stringContaining('was restored from a backup that ends at'),
  });
  // Its own it takes.
  await other.start(own);
  await other.finish();
});
