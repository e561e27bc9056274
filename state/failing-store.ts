/** A store that fails as told, around any other: what a full disk, a dying process or a torn cable makes of a write. */
import { transient } from '../runtime/contract/errors.js';
import type { Store, StoreChange, StoreView } from '../runtime/contract/ports.js';

/** `refused`: not written, and said so. `unsaid`: written, yet said to have failed. */
export type WriteFate = 'done' | 'refused' | 'unsaid';

export interface StoreFaults {
  /** Decides over the n-th write, from 1. */
  readonly fate?: (n: number) => WriteFate;
  /** What a failed write throws; Transient STATE_WRITE when absent. */
  readonly error?: () => Error;
  /** Awaited before a write takes effect and again before its answer: delays, and interleaves. */
  readonly turn?: () => Promise<void>;
}

export class FailingStore implements Store {
  private writes = 0;
  private gone = false;

  constructor(
    private readonly inner: Store,
    private readonly faults: StoreFaults = {},
  ) {}

  /** The process has died: no later write takes effect, and no answer arrives. */
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
    // A store copies when it is called, not when the disk is ready.
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
