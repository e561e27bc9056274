/** A node at rest is at rest: its own writes, which it hears of as of anybody's, call for nothing. */
import { expect, it } from 'vitest';
import { utf8 } from '../../runtime/bytes.js';
import { Cluster } from '../../runtime/cluster.js';
import type { ClusterHost } from '../../runtime/cluster-options.js';
import { MemoryKeyValue } from '../support/memory-key-value.js';
import { settled, VirtualClock } from './virtual-clock.js';

const LEASE_MS = 4_000;

async function clusterOfOne() {
  const clock = new VirtualClock();
  const [nodes, leases] = [new MemoryKeyValue({ nowMs: () => clock.nowMs() }), new MemoryKeyValue()];
  let writes = 0;
  await leases.watch(() => writes++);
  await nodes.watch(() => writes++);
  const nothing = async (): Promise<void> => undefined;
  const host: ClusterHost = { check: nothing, follow: nothing, own: nothing, close: nothing, hold: nothing };
  const note = (): void => undefined;
  const cluster = await Cluster.join({
    ...{ node: 'a', process: 'p', name: 'here', nodes, leases, host, clock, leaseMs: LEASE_MS, standbys: 0 },
    ...{ units: [{ name: 'user-0', partition: 0, stages: [] }], onFatal: note },
    logger: { debug: note, info: note, warn: note, error: note },
  });
  return { cluster, clock, nodes, writes: () => writes };
}

it('goes round when it is time, and when something is new, not because it has just gone round', async () => {
  const { cluster, clock, nodes, writes } = await clusterOfOne();
  const [presence, lease] = [1, 1];
  // What it heard of first was new.
  for (let i = 0; i < 20; i++) await settled();
  const before = writes();
  for (let i = 0; i < 20; i++) await settled();
  expect(writes()).toBe(before);
  clock.wakeNext();
  for (let i = 0; i < 20; i++) await settled();
  const round = presence + lease;
  expect(writes()).toBeGreaterThanOrEqual(before + round);
  expect(writes()).toBeLessThanOrEqual(before + 3 * round);
  const quiet = writes();
  const other = { name: 'there', process: 'q', startedAtMs: 0, warm: [], draining: false };
  await nodes.put('b', utf8(JSON.stringify(other)));
  for (let i = 0; i < 20; i++) await settled();
  expect(writes()).toBeGreaterThan(quiet + 1);
  expect(cluster.members.map(({ id }) => id)).toEqual(['a', 'b']);
  await cluster.stop();
});
