/** The copies of a repartition: deletes the old ones and creates new ones, so that nodes on empty data directories can start at once. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../contract/clock.js';
import { ReplicaWriter } from '../../replication/writer.js';
import type { ReplicaStore } from '../../replication/store.js';
import { openShardStore } from '../../node/stores.js';
import { allShards } from '../../node/shards.js';
import type { Logger } from '../../contract/ports.js';
import type { Change } from './state.js';

/** Copies are of the old partitions; those of the source refer to deleted streams. */
export async function dropAllCopies({ manifests, objects }: ReplicaStore): Promise<void> {
  for (const { key } of await manifests.entries()) await manifests.delete(key);
  for (const name of await objects.names('')) await objects.delete(name);
}

/** Complete copies of all shards; those that an earlier attempt has made stay. */
export async function makeCopies({ dataDir, after }: Change, copies: ReplicaStore, logger: Logger): Promise<void> {
  const writer = `repartition-${randomUUID().slice(0, 8)}`;
  for (const shard of allShards(after)) {
    const store = await openShardStore(dataDir, shard.name, logger);
    try {
      const options = { copies, shard, store, clock: systemClock, logger, everyMs: 0, writer, isHeld: () => false };
      await (await ReplicaWriter.open(options)).copy();
    } finally {
      await store.close();
    }
  }
}
