/** A topology that ran in memory, gone on with by another number of partitions, or other stages that run as one. */
import { type PipelineOptions, mainTopology } from '../../actors/topology.js';
import type { Topology } from '../../runtime/contract/graph.js';
import { repartitionStage } from '../../runtime/jobs/repartition.js';
import { MemoryStore } from '../../state/memory-store.js';
import { TopologyDriver } from './topology-driver.js';

export const withPartitions = (options: PipelineOptions, partitions: number): Topology =>
  mainTopology({ ...options, partitions: { ...options.partitions, user: partitions, item: partitions } });

/** What has run is drained: the driver leaves nothing in a mailbox. */
export async function repartitioned(driver: TopologyDriver, after: Topology): Promise<TopologyDriver> {
  const before = driver.topology;
  const restored = new Map<string, ReadonlyMap<string, Uint8Array>>();
  /** By key and partition: as a shard has them. */
  const stores = new Map<string, Map<string, Uint8Array>>();
  for (const { id, key } of before.stages) {
    for (let p = 0; p < before.count(id); p++) {
      const stored = driver.snapshot(id, p);
      if (key === 'source') restored.set(`${id}/${p}`, stored);
      const shard = stores.get(`${key}-${p}`) ?? new Map<string, Uint8Array>();
      for (const [path, value] of stored) shard.set(`${id}/${p}/${path}`, value);
      stores.set(`${key}-${p}`, shard);
    }
  }
  for (const { id, key } of after.stages) {
    if (key === 'source') continue;
    const count = key === 'whole' ? 1 : before.partitions[key];
    const from = Array.from({ length: count }, (_, p) => new MemoryStore(stores.get(`${key}-${p}`)));
    const to = Array.from({ length: after.count(id) }, () => new MemoryStore());
    await repartitionStage({ before, after, stage: id, from, to });
    for (const [q, store] of to.entries()) {
      const prefix = `${id}/${q}/`;
      const cells = [...store.contents()].map(([path, value]) => [path.slice(prefix.length), value] as const);
      restored.set(`${id}/${q}`, new Map(cells));
    }
  }
  const next = new TopologyDriver(after, undefined, restored);
  next.nowMs = driver.nowMs;
  return next;
}
