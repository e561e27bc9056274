/**
 * Before anybody writes: does the log hold all that the snapshots stand on (design rule 8)? Each actor asks that for itself when it opens, but by
 * then its upstreams may have refilled a stream that was cut back, in another order, so that its end tells nothing any more.
 */
import type { Unit } from '../shards/host.js';
import { streamOf, type Topology } from '../contract/graph.js';
import type { Log, Store } from '../contract/ports.js';
import { destinationsOf } from '../actor/router.js';
import { mustHoldWhatWasSaid, restoredSnapshot } from '../actor/recovery.js';
import { readSaid } from '../actor/outbox.js';

export interface UnitOptions {
  readonly topology: Topology;
  readonly unit: Unit;
  readonly log: Log;
  readonly store: Store;
}

export interface PreflightOptions {
  readonly topology: Topology;
  readonly units: readonly Unit[];
  readonly log: Log;
  /** Opened, looked at and closed again, one after the other. */
  readonly openStore: (name: string) => Promise<Store>;
}

/** Throws Fatal LOG_BEHIND when the log does not fit. */
export async function preflight({ topology, units, log, openStore }: PreflightOptions): Promise<void> {
  for (const unit of units) {
    const store = await openStore(unit.name);
    try {
      await mustFitLog({ topology, unit, log, store });
    } finally {
      await store.close();
    }
  }
}

/** The same for one unit whose store is open. */
export async function mustFitLog({ topology, unit, log, store }: UnitOptions): Promise<void> {
  const { partition, stages } = unit;
  const fits = stages.map(async (id) => {
    const instance = { topology, stage: topology.stage(id), partition, log, store };
    const restored = await restoredSnapshot(instance);
    const lines = destinationsOf(topology, id, partition).map(
      async ({ to, subject }) => [subject, await readSaid(log, streamOf(to), subject)] as const,
    );
    await mustHoldWhatWasSaid(instance, restored, new Map(await Promise.all(lines)));
  });
  await Promise.all(fits);
}
