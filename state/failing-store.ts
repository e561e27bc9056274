/** A store with injected faults, around any other store: the effects of a full disk, a dying process or a broken connection on a write. */
import { transient } from '../runtime/contract/errors.js';
import type { Store, StoreChange, StoreView } from '../runtime/contract/ports.js';

/** `refused`: not written, and reported as failed. `unsaid`: written, but reported as failed. */
export type WriteFate = 'done' | 'refused' | 'unsaid';

export interface StoreFaults {
  /** The fate of the n-th write, from 1. */
  readonly fate?: (n: number) => WriteFate;
  /** The error of a failed write; default: Transient STATE_WRITE. */
  readonly error?: () => Error;
  /** Awaited before a write takes effect and again before it resolves: delays and interleaves writes. */
  readonly turn?: () => Promise<void>;
}

export class FailingStore implements Store {
  private writes = 0;
  private gone = false;

  constructor(
    private readonly inner: Store,
    private readonly faults: StoreFaults = {},
  ) {}

  /** Simulates the death of the process: no later write takes effect, and no promise resolves. */
  cut(): void {
    this.gone = true;
  }

  getSync(key: string): Uint8Array | undefined {
    return this.inner.getSync(key);
  }

  entries(prefix: string): Promise<[string, Uint8Array][]> {
    return this.inner.entries(prefix);
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    const { fate, error, turn } = this.faults;
    const end = fate?.(++this.writes) ?? 'done';
    // A store copies at the call, not when the disk is ready.
    const copied = changes.map(({ key, value }) => ({ key, value: value?.slice() }));
    await turn?.();
    await this.whileAlive();
    if (end !== 'refused') await this.inner.write(copied);
    await turn?.();
    await this.whileAlive();
    if (end !== 'done') throw error?.() ?? transient('STATE_WRITE', 'a write has failed (as told)');
  }

  view(): StoreView {
    return this.inner.view();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private async whileAlive(): Promise<void> {
    if (this.gone) await new Promise<never>(() => undefined);
  }
}
