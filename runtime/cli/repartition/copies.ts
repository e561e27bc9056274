/** The copies of a repartition: the old ones go, and new ones are made, so that nodes on empty data directories can start at once. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../contract/clock.js';
import { Copier } from '../../replication/writer.js';
import type { Copies } from '../../replication/store.js';
import { openUnitStore } from '../../node/stores.js';
import { allUnits } from '../../node/shards.js';
import type { Logger } from '../../contract/ports.js';
import type { Change } from './state.js';

/** Copies are of the old partitions; those of the source name streams that are gone. */
export async function dropAllCopies({ manifests, objects }: Copies): Promise<void> {
  for (const { key } of await manifests.entries()) await manifests.delete(key);
  for (const name of await objects.names('')) await objects.delete(name);
}

/** Of all units, whole; those that an earlier attempt has copied stay. */
export async function makeCopies({ dataDir, after }: Change, copies: Copies, logger: Logger): Promise<void> {
  const writer = `repartition-${randomUUID().slice(0, 8)}`;
  for (const unit of allUnits(after)) {
    const store = await openUnitStore(dataDir, unit.name, logger);
    try {
      const options = { copies, unit, store, clock: systemClock, logger, everyMs: 0, writer, isHeld: () => false };
      await (await Copier.open(options)).copy();
    } finally {
      await store.close();
    }
  }
}
