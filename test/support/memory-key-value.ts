/** The in-memory double of the shared table: the same contract as JetStream's (test/contracts/key-value-contract.ts), with a clock of the test's. */
import { transient } from '../../runtime/contract/errors.js';
import type { KeyValue, KeyValueEntry, KeyValueView } from '../../runtime/contract/ports.js';

interface Stored extends KeyValueEntry {
  readonly endsAtMs: number;
}

export interface MemoryKeyValueOptions {
  readonly nowMs?: () => number;
  /** Absent: entries stay. */
  readonly ttlMs?: number;
}

export class MemoryKeyValue implements KeyValue {
  private readonly stored = new Map<string, Stored>();
  private readonly watchers = new Set<(key: string, value?: Uint8Array) => void>();
  private readonly nowMs: () => number;
  private readonly ttlMs: number;
  private revision = 0;

  constructor({ nowMs = () => 0, ttlMs = Infinity }: MemoryKeyValueOptions = {}) {
    this.nowMs = nowMs;
    this.ttlMs = ttlMs;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    const stored = this.live(key);
    return stored === undefined ? undefined : entryOf(stored);
  }

  async entries(): Promise<KeyValueEntry[]> {
    return this.now();
  }

  /** The entries, for who stands outside. */
  now(): KeyValueEntry[] {
    const keys = [...this.stored.keys()].sort();
    return keys.flatMap((key) => this.live(key) ?? []).map(entryOf);
  }

  async put(key: string, value: Uint8Array, revision?: number): Promise<number> {
    this.compare(key, revision);
    this.revision++;
    this.stored.set(key, { key, value: value.slice(), revision: this.revision, endsAtMs: this.nowMs() + this.ttlMs });
    this.tell(key, value.slice());
    return this.revision;
  }

  async delete(key: string, revision?: number): Promise<void> {
    if (this.live(key) === undefined) return;
    this.compare(key, revision);
    this.revision++;
    this.stored.delete(key);
    this.tell(key);
  }

  async watch(onChange: (key: string, value?: Uint8Array) => void): Promise<KeyValueView> {
    // Its own, also when one function watches twice.
    const watcher = (key: string, value?: Uint8Array): void => {
      onChange(key, value);
    };
    this.watchers.add(watcher);
    for (const { key, value } of this.now()) this.tellOne(watcher, key, value);
    return {
      entries: () => this.entries(),
      stop: async () => {
        this.watchers.delete(watcher);
      },
    };
  }

  private live(key: string): Stored | undefined {
    const stored = this.stored.get(key);
    if (stored === undefined || stored.endsAtMs > this.nowMs()) return stored;
    this.stored.delete(key);
    return undefined;
  }

  private compare(key: string, revision: number | undefined): void {
    const now = this.live(key)?.revision ?? 0;
    if (revision === undefined || revision === now) return;
    throw transient('FENCED', `${key}: its revision is ${now}, not ${revision}`);
  }

  private tell(key: string, value?: Uint8Array): void {
    for (const watcher of this.watchers) this.tellOne(watcher, key, value);
  }

  private tellOne(watcher: (key: string, value?: Uint8Array) => void, key: string, value?: Uint8Array): void {
    queueMicrotask(() => {
      if (this.watchers.has(watcher)) watcher(key, value);
    });
  }
}

const entryOf = ({ key, value, revision }: Stored): KeyValueEntry => ({ key, value: value.slice(), revision });
