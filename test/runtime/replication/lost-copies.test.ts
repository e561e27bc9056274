/** Nodes on a NATS that has lost parts of a copy, or has them damaged: who owns, who stands by, who starts with nothing. */
import { beforeEach, expect, it, vi } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { sequencesOf } from '../../../runtime/replication/reader.js';
import { Host } from '../../../runtime/shards/host.js';
import { MemoryStore, type StoreContents } from '../../../state/memory-store.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { makeCopies } from './copies-bed.js';
import { TUNING, SILENT } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { settled, until } from '../virtual-clock.js';

const SOURCE = { name: 'source-0', partition: 0, stages: ['read'] };
const REST = { name: 'rest-0', partition: 0, stages: ['sum', 'rank'] };
const UNITS = [SOURCE, REST];
const COPY_EVERY_MS = 150;
let bed: ActorBed;
let copies: ReturnType<typeof makeCopies>;
let writers = 0;
beforeEach(async () => {
  bed = await ActorBed.make(liveToys({ partitions: ONE }));
  copies = makeCopies();
});

class Node {
  readonly disks = new Map<string, StoreContents>();
  readonly open = new Map<string, MemoryStore>();
  readonly fatals: Error[] = [];
  readonly host: Host;

  /** `trims`: its mailboxes, behind what is copied. */
  constructor(disks: ReadonlyMap<string, StoreContents> = new Map(), trims = true) {
    const { topology, log, clock } = bed;
    const options = {
      ...{ topology, log, clock, loggerOf: () => SILENT, tuning: { ...TUNING, trimEveryMs: 0 }, tickEveryMs: 0 },
      openStore: async (name: string) => {
        const store = Object.assign(new MemoryStore(this.disks.get(name) ?? disks.get(name)), {
          close: async () => void this.disks.set(name, store.contents()),
        });
        this.open.set(name, store);
        return store;
      },
      replication: { copies, everyMs: COPY_EVERY_MS, writer: () => `n-${++writers}`, isHeld: () => !trims },
    };
    this.host = new Host(UNITS, options, (error) => this.fatals.push(error));
  }

  async own(): Promise<this> {
    for (const { name } of UNITS) await this.host.own(name);
    return this;
  }

  sequence(): number {
    return sequencesOf(this.open.get(REST.name)!, REST).sum!;
  }
}

/** Has said what so many lines give, and all of it is in its copies. */
async function wasOwned(lines: number, trims = true): Promise<Node> {
  const node = await new Node(new Map(), trims).own();
  for (let i = 0; i < lines; i++) await bed.publish(line(i));
  const copied = (): boolean => copies.manifests.now().length === UNITS.length;
  await bed.until(() => bed.rows('totals').length === lines && copied());
  for (let i = 0; i < 50; i++) {
    await settled();
    bed.clock.wakeNext();
  }
  await node.host.stop();
  return node;
}

const lose = async (): Promise<void> => {
  for (const name of copies.objects.namesNow()) await copies.objects.delete(name);
};

it.each<[string, () => Promise<void>]>([
  ['lost', lose],
  ['damaged', async () => copies.objects.namesNow().forEach((name) => copies.objects.damage(name))],
])('who stands by while the copy is %s waits until it is made anew, and ends nobody', async (_, spoil) => {
  const before = await wasOwned(6);
  await spoil();
  const standby = new Node();
  for (let i = 0; i < 3; i++) {
    const waits = { reaction: 'transient', code: 'COPY_UNUSABLE' };
    await expect(standby.host.follow(REST.name)).rejects.toMatchObject(waits);
    bed.clock.advance(COPY_EVERY_MS);
  }
  // What is damaged nobody has looked at; who finds it takes it away.
  await lose();
  const owner = await new Node(before.disks).own();
  for (let followed = false; !followed; bed.clock.wakeNext()) {
    await settled();
    followed = await standby.host.follow(REST.name).then(
      () => true,
      () => false,
    );
  }
  expect(standby.sequence()).toBe(owner.sequence());
  expect([standby.fatals, owner.fatals]).toEqual([[], []]);
  await owner.host.stop();
  await standby.host.stop();
});

it('who must own, has no state and finds mailboxes trimmed ends, and says which part is gone', async () => {
  await wasOwned(6);
  await lose();
  const node = await new Node().own();
  await until(bed.clock, () => node.fatals.length > 0);
  expect(node.fatals[0]).toMatchObject({
    code: 'COPY_LOST',
    message: expect.stringMatching(/(source|rest)-0.* part /),
  });
  await node.host.stop();
});

it('who must own and finds its mailboxes whole reads them from the beginning, and copies anew', async () => {
  await wasOwned(6, false);
  await lose();
  const node = await new Node(new Map(), false).own();
  await bed.publish(line(6));
  await bed.until(() => bed.rows('totals').length === 7);
  expect(bed.rows('totals').at(-1)).toMatchObject({ sum: 0 + 1 + 2 + 3 + 4 + 5 + 6, times: 7 });
  await bed.until(() => copies.objects.namesNow().some((name) => name.startsWith(REST.name)));
  expect(node.fatals).toEqual([]);
  await node.host.stop();
});

it('who has gone on past a gap goes on without the copy when it is lost later: that gap is over', async () => {
  await wasOwned(6);
  const copy = await copies.manifests.get(REST.name);
  const spoil = (): Promise<number> => copies.manifests.put(REST.name, utf8('of a stranger'));
  await spoil();
  const node = await new Node().own();
  const rest = () => node.host.shardStatuses.find(({ name }) => name === REST.name)!;
  await until(bed.clock, () => rest().lastError?.startsWith('LOG_GAP') === true);
  await copies.manifests.put(REST.name, copy!.value);
  await bed.publish(line(6));
  await bed.until(() => bed.rows('totals').length === 7);

  await spoil();
  const names = copies.objects.names.bind(copies.objects);
  const slips = vi.spyOn(copies.objects, 'names').mockImplementation(async (prefix) => {
    if (prefix.startsWith(REST.name)) throw new Error('a slip');
    return names(prefix);
  });
  await bed.publish(line(7));
  await until(bed.clock, () => rest().lastError === 'Error: a slip');
  slips.mockRestore();
  await until(bed.clock, () => rest().state === 'running' || node.fatals.length > 0);
  expect(node.fatals).toEqual([]);
  await bed.publish(line(8));
  await bed.until(() => bed.rows('totals').length === 9);
  await node.host.stop();
});
