/**
 * Checks before any actor writes that the log has all that the snapshots need. Each actor checks this for itself when it opens, but by
 * then its upstreams may have refilled a truncated stream in another order, so that its end shows nothing.
 */
import type { ShardSpec } from '../shards/shard-spec.js';
import { destinationsOf, streamOf, type Topology } from '../contract/graph.js';
import type { Log, Store } from '../contract/ports.js';
import { judgeOutputs, recoverSnapshot } from '../actor/recovery.js';
import { readOutputPosition } from './last-message.js';
import { mustFit } from './verdict.js';

export interface ShardOptions {
  readonly topology: Topology;
  readonly shard: ShardSpec;
  readonly log: Log;
  readonly store: Store;
}

export interface PreflightOptions {
  readonly topology: Topology;
  readonly shards: readonly ShardSpec[];
  readonly log: Log;
  /** Opened, checked and closed, one after the other. */
  readonly openStore: (name: string) => Promise<Store>;
}

/** Throws Fatal LOG_BEHIND when the log does not fit. */
export async function preflight({ topology, shards, log, openStore }: PreflightOptions): Promise<void> {
  for (const shard of shards) {
    const store = await openStore(shard.name);
    try {
      await mustFitLog({ topology, shard, log, store });
    } finally {
      await store.close();
    }
  }
}

/** The same for one shard whose store is open. */
export async function mustFitLog({ topology, shard, log, store }: ShardOptions): Promise<void> {
  const { partition, stages } = shard;
  const fits = stages.map(async (id) => {
    const instance = { topology, stage: topology.stage(id), partition, log, store };
    const restored = await recoverSnapshot(instance);
    const lanes = destinationsOf(topology, id, partition).map(
      async ({ to, subject }) => [subject, await readOutputPosition(log, streamOf(to), subject)] as const,
    );
    mustFit(await judgeOutputs(instance, restored, new Map(await Promise.all(lanes))));
  });
  await Promise.all(fits);
}
