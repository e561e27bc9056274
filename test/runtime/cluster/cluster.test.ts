/** A node at rest is at rest: its own writes, which it hears of as of anybody's, call for nothing; and who was away is given time. */
import { expect, it, vi } from 'vitest';
import { textOf, utf8 } from '../../../runtime/frames/bytes.js';
import { Cluster } from '../../../runtime/cluster/cluster.js';
import type { ClusterHost } from '../../../runtime/cluster/options.js';
import { transient } from '../../../runtime/contract/errors.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

const LEASE_MS = 4_000;

const note = (): void => undefined;
const nothing = async (): Promise<void> => undefined;

interface Tables {
  readonly clock: VirtualClock;
  readonly nodes: MemoryKeyValue;
  readonly leases: MemoryKeyValue;
}

function tables(): Tables {
  const clock = new VirtualClock();
  const nowMs = (): number => clock.nowMs();
  const table = (): MemoryKeyValue => new MemoryKeyValue({ nowMs, ttlMs: LEASE_MS });
  return { clock, nodes: table(), leases: table() };
}

function join(
  { clock, nodes, leases }: Tables,
  node: string,
  shards: number,
  follow: (shard: string) => Promise<void> = nothing,
): Promise<Cluster> {
  const host: ClusterHost = { check: nothing, follow, own: nothing, close: nothing, hold: nothing };
  return Cluster.join({
    ...{ node, process: `process of ${node}`, name: 'here', nodes, leases, host, clock },
    ...{ leaseMs: LEASE_MS, standbys: 1, onFatal: note },
    shards: Array.from({ length: shards }, (_, partition) => ({ name: `user-${partition}`, partition, stages: [] })),
    logger: { debug: note, info: note, warn: note, error: note },
  });
}

async function allSettled(): Promise<void> {
  for (let i = 0; i < 20; i++) await settled();
}

async function clusterOfOne() {
  const shared = tables();
  let writes = 0;
  await shared.leases.watch(() => writes++);
  await shared.nodes.watch(() => writes++);
  return { cluster: await join(shared, 'a', 1), ...shared, writes: () => writes };
}

it('goes round when it is time, and when something is new, not because it has just gone round', async () => {
  const { cluster, clock, nodes, writes } = await clusterOfOne();
  const [presence, lease] = [1, 1];
  // What it heard of first was new.
  await allSettled();
  const before = writes();
  await allSettled();
  expect(writes()).toBe(before);
  clock.wakeNext();
  await allSettled();
  const round = presence + lease;
  expect(writes()).toBeGreaterThanOrEqual(before + round);
  expect(writes()).toBeLessThanOrEqual(before + 3 * round);
  const quiet = writes();
  const other = { name: 'there', process: 'q', startedAtMs: 0, standbyOf: [], draining: false };
  await nodes.put('b', utf8(JSON.stringify(other)));
  await allSettled();
  expect(writes()).toBeGreaterThan(quiet + 1);
  expect(cluster.members.map(({ id }) => id)).toEqual(['a', 'b']);
  await cluster.stop();
});

it('hands nothing to a node that was away until that one takes again', async () => {
  const UNITS = 6;
  const shared = tables();
  const { clock, leases } = shared;
  let away = false;
  const gate = <T extends object>(table: T): T =>
    new Proxy(table, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) =>
          away ? Promise.reject(transient('LOG_UNREACHABLE', 'away')) : member.apply(target, args);
      },
    });
  const a = await join(shared, 'a', UNITS);
  const b = await join({ ...shared, nodes: gate(shared.nodes), leases: gate(leases) }, 'b', UNITS);
  const isShared = (): boolean => a.shards.length === UNITS / 2 && b.shards.length === UNITS / 2;
  await until(clock, isShared);
  expect(b.unreachableSinceMs).toBeUndefined();
  away = true;
  const awayMs = clock.nowMs();
  await until(clock, () => a.shards.length === UNITS);
  expect(a.unreachableSinceMs).toBeUndefined();
  expect(b.unreachableSinceMs! - awayMs).toBeLessThan(LEASE_MS / 2);
  away = false;
  const backAtMs = clock.nowMs();
  let ownedAtMs = backAtMs;
  let ownerlessMs = 0;
  await until(clock, () => {
    if (leases.now().length === UNITS) ownedAtMs = clock.nowMs();
    ownerlessMs = Math.max(ownerlessMs, clock.nowMs() - ownedAtMs);
    return isShared();
  });
  expect([ownerlessMs, b.unreachableSinceMs]).toEqual([0, undefined]);
  expect(clock.nowMs() - backAtMs).toBeGreaterThanOrEqual(LEASE_MS);
  await Promise.all([a.stop(), b.stop()]);
});

it('takes nothing from a node that lives, whatever its watch shows it', async () => {
  const UNITS = 6;
  const shared = tables();
  const { clock } = shared;
  let isStale = true;
  /** Shows what was there before anybody came. */
  const stale = (table: MemoryKeyValue): MemoryKeyValue =>
    Object.assign(Object.create(table) as MemoryKeyValue, {
      watch: async (onChange: (key: string, value?: Uint8Array) => void) => {
        const view = await table.watch(onChange);
        const ours = async () => (await view.entries()).filter(({ key }) => !isStale || key === 'b');
        return { ...view, entries: ours };
      },
    });
  const a = await join(shared, 'a', UNITS);
  const b = await join({ ...shared, nodes: stale(shared.nodes), leases: stale(shared.leases) }, 'b', UNITS);
  const fromMs = clock.nowMs();
  await until(clock, () => {
    expect(b.shards.filter((shard) => a.shards.includes(shard))).toEqual([]);
    return clock.nowMs() - fromMs >= 5 * LEASE_MS;
  });
  isStale = false;
  await until(clock, () => a.shards.length === UNITS / 2 && b.shards.length === UNITS / 2);
  await Promise.all([a.stop(), b.stop()]);
});

it('follows at once what another node was faster to take', async () => {
  const shared = tables();
  const { nodes, leases } = shared;
  const put = leases.put.bind(leases);
  vi.spyOn(leases, 'put').mockImplementationOnce(async (shard, value, revision) => {
    // Just before: the first who looked has seen nobody here.
    await nodes.put('b', utf8(JSON.stringify({ name: 'there', process: 'q', startedAtMs: 0, standbyOf: [] })));
    await put(shard, utf8(JSON.stringify({ node: 'b' })), 0);
    return put(shard, value, revision);
  });
  const followed: string[] = [];
  const cluster = await join(shared, 'a', 1, async (shard) => void followed.push(shard));
  expect(followed).toEqual(['user-0']);
  expect(cluster.shards).toEqual([]);
  await cluster.stop();
});

it('joins although a copy cannot be used, looks at it again from round to round, and reports that it is a standby when it is', async () => {
  const shared = tables();
  const { clock, nodes } = shared;
  const owner = await join(shared, 'a', 1);
  let [attempts, usable] = [0, false];
  const follow = async (): Promise<void> => {
    attempts++;
    if (!usable) throw transient('COPY_UNUSABLE', 'must wait until it is made anew');
  };
  const others = ['b', 'c'].map((node) => join(shared, node, 1, follow));
  let joined = 0;
  for (const other of others) void other.then(() => joined++);
  await until(clock, () => joined === 2);
  const fromMs = clock.nowMs();
  const before = attempts;
  await until(clock, () => clock.nowMs() - fromMs >= 5 * LEASE_MS);
  const standbys = (): number =>
    nodes.now().filter(({ value }) => textOf(value).includes('"standbyOf":["user-0"]')).length;
  expect(standbys()).toBe(0);
  // A round is a quarter of a lease.
  expect(attempts - before).toBeGreaterThan(4);
  expect(attempts - before).toBeLessThanOrEqual(2 * 5 * 5);
  usable = true;
  await until(clock, () => standbys() > 0 || owner.shards.length === 0);
  await Promise.all([owner.stop(), ...(await Promise.all(others)).map((other) => other.stop())]);
});
