/** The in-memory double of the LevelDB store, with the same contract (LEVEL-STORE-1). */
import { transient } from '../runtime/contract/errors.js';
import type { Store, StoreChange, StoreView } from '../runtime/contract/ports.js';

/** The contents of a closed store, to be passed to the next one. */
export type StoreContents = ReadonlyMap<string, Uint8Array>;

export class MemoryStore implements Store {
  private readonly values: Map<string, Uint8Array>;
  private closed = false;

  constructor(contents: StoreContents = new Map()) {
    this.values = new Map(contents);
  }

  /** The current contents; not affected by later writes. */
  contents(): StoreContents {
    return new Map(this.values);
  }

  getSync(key: string): Uint8Array | undefined {
    this.mustBeOpen();
    return this.values.get(key)?.slice();
  }

  async entries(prefix: string): Promise<[string, Uint8Array][]> {
    this.mustBeOpen();
    return [...this.values]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, value]) => [key, value.slice()]);
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.mustBeOpen();
    const copied = changes.map(({ key, value }) => [key, value?.slice()] as const);
    for (const [key, value] of copied) {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    }
  }

  view(): StoreView {
    this.mustBeOpen();
    const then = new MemoryStore(this.values);
    return {
      values: (keys) => Promise.resolve(keys.map((key) => then.getSync(key))),
      async *entries(prefix) {
        yield await then.entries(prefix);
      },
      close: () => then.close(),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private mustBeOpen(): void {
    if (this.closed) throw transient('STATE_CLOSED', 'the store is closed');
  }
}
