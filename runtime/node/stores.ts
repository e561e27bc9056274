/**
 * The stores of a thread (composition). Opening one after a crash reads its files to see that they are sound. That needs no NATS, so it goes on while NATS
 * starts: whoever needs a store then finds it open, or gets the reason why it is not.
 */
import { join } from 'node:path';
import { openLevelStore } from '../../state/level-store.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { Logger, Store } from '../contract/ports.js';

/** The store of a shard; made when it is not there. */
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
      // Who asks for it is told.
      store.catch(() => undefined);
      this.opening.set(name, store);
    }
  }

  /** Each one that was begun is given once. */
  open(shard: string): Promise<Store> {
    const begun = this.opening.get(shard);
    this.opening.delete(shard);
    return begun ?? openShardStore(this.dataDir, shard, this.logger);
  }

  /** Those that nobody has asked for. */
  async close(): Promise<void> {
    const left = [...this.opening.values()];
    this.opening.clear();
    await Promise.allSettled(left.map(async (store) => (await store).close()));
  }
}
