/**
 * The stores of a thread (composition). After a crash, opening a store reads its files to check them. That needs no NATS, so it runs while NATS
 * starts: later the store is open already, or the reason is known why it is not.
 */
import { join } from 'node:path';
import { openLevelStore } from '../../state/level-store.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { Logger, Store } from '../contract/ports.js';

/** The store of a shard; created if missing. */
export function openShardStore(dataDir: string, name: string, logger?: Logger): Promise<Store> {
  return openLevelStore(join(dataDir, 'state', name), logger);
}

export class StoresAhead {
  private readonly opening = new Map<string, Promise<Store>>();

  constructor(
    private readonly dataDir: string,
    private readonly logger: Logger,
  ) {}

  begin(shards: readonly ShardSpec[]): void {
    for (const { name } of shards) {
      const store = openShardStore(this.dataDir, name, this.logger);
      // Reported to the caller that requests it.
      store.catch(() => undefined);
      this.opening.set(name, store);
    }
  }

  /** Each prepared store is returned once. */
  open(shard: string): Promise<Store> {
    const begun = this.opening.get(shard);
    this.opening.delete(shard);
    return begun ?? openShardStore(this.dataDir, shard, this.logger);
  }

  /** Those that were not requested. */
  async close(): Promise<void> {
    const left = [...this.opening.values()];
    this.opening.clear();
    await Promise.allSettled(left.map(async (store) => (await store).close()));
  }
}
