/**
 * Copies the changes of a shard's snapshots to where other nodes can read them, part after part; when the parts outweigh a complete copy, a new complete one.
 *
 * Runs beside the actors: it reads a view of the store, so that neither waits for the other.
 */
import { acknowledge, copiedOf, mark } from './reader.js';
import {
  type ReplicaStore,
  type CopyPart,
  includedIn,
  manifestOf,
  piecesOf,
  readManifest,
  type Sequences,
  type StoredManifest,
  writeManifest,
} from './store.js';
import { textOf } from '../frames/bytes.js';
import { asError, hasCode, reactionOf, RivuletError } from '../contract/errors.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import { changedPrefix, headKey, instancePrefix, sequenceIn } from '../state/keyspace.js';
import type { Clock, Logger, Store, StoreChange, StoreView } from '../contract/ports.js';

export interface ReplicaWriterOptions {
  readonly copies: ReplicaStore;
  readonly shard: ShardSpec;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly everyMs: number;
  /** Unique id in the names of parts: no two writers share one, also not two successive ones of a node. */
  readonly writer: string;
  /** While true nothing is deleted: a backup is running. */
  readonly isHeld: () => boolean;
}

/** Keys read from the store at a time. */
const READ_KEYS = 500;
/** Parts in a manifest; and below this many bytes of parts a new complete copy is not worth it. */
const PARTS_MAX = 64;
const PARTS_BYTES_MIN = 4 * 1024 * 1024;

export class ReplicaWriter {
  private readonly abort = new AbortController();
  private pause = new AbortController();
  private running: Promise<void> | undefined;
  /** Parts that no manifest names, seen before this writer's manifest was written. */
  private garbage: string[] = [];
  private count = 0;
  private ended: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: ReplicaWriterOptions,
    private stored: StoredManifest,
    /** Parts of the manifest are gone: nobody can start from it, whatever sequence it names. */
    private isLost: boolean,
  ) {}

  static async open(options: ReplicaWriterOptions): Promise<ReplicaWriter> {
    const { copies, shard } = options;
    const stored = await readStored(options);
    const copier = new ReplicaWriter(options, stored, false);
    if (stored.manifest !== undefined) copier.takeStock(await copies.objects.names(`${shard.name}/`));
    return copier;
  }

  /** The sequence of a stage that the copy includes. */
  included(stage: string): number {
    return this.isLost ? 0 : (includedIn(this.stored.manifest)[stage] ?? 0);
  }

  /** Copies at intervals; `onFatal` is called with errors that retrying cannot fix. */
  start(onFatal: (error: Error) => void): void {
    this.ended = this.run().catch((error: unknown) => {
      onFatal(asError(error));
    });
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.pause.abort();
    await this.ended;
  }

  /** Copies without waiting for the interval; if a copy is running, once more. Not during a backup: nothing is trimmed then. */
  hurry(): void {
    if (!this.options.isHeld()) this.pause.abort();
  }

  /** Copies the changes, if there are any. */
  async copy(): Promise<void> {
    while (this.running !== undefined) await this.running;
    this.running = this.copyNow().finally(() => (this.running = undefined));
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, everyMs, logger, shard } = this.options;
    const { signal } = this.abort;
    while (!signal.aborted) {
      await clock.sleep(everyMs, this.pause.signal);
      if (signal.aborted) return;
      this.pause = new AbortController();
      try {
        await this.copy();
      } catch (error) {
        // A stop that reached its deadline has closed the store.
        if (signal.aborted) return;
        if (reactionOf(error) !== 'transient') throw error;
        // The next round copies it too; until then the mailbox is longer than necessary.
        logger.warn({ err: asError(error), shard: shard.name }, 'cannot copy the state now');
      }
    }
  }

  private async copyNow(): Promise<void> {
    const { copies, shard, store } = this.options;
    const view = store.view();
    try {
      const to = await sequencesIn(view, shard);
      const included = includedIn(this.stored.manifest);
      const ahead = isAhead(to, included, shard);
      if (!ahead && !this.isLost) {
        await this.collect();
        return;
      }
      const known = await copies.objects.names(`${shard.name}/`);
      this.takeStock(known);
      // A lost copy is rewritten as soon as the state is not behind its manifest (REPLICA-1).
      if (this.isLost ? isBehind(to, included, shard) : !ahead) return;
      const parts = this.stored.manifest?.parts ?? [];
      const complete = this.isLost || mustBeComplete(parts, copiedOf(store), shard);
      await this.put(
        complete ? entriesOfAll(view, shard) : entriesChanged(view, shard),
        complete ? [] : parts,
        to,
        known,
      );
    } finally {
      await view.close();
    }
    const included = includedIn(this.stored.manifest);
    // From a complete copy on the store records changed keys again.
    if (shard.stages.some((id) => copiedOf(store)[id] === undefined)) await store.write([mark(included)]);
    await acknowledge(shard, store, included);
    await this.collect();
  }

  private takeStock(names: readonly string[]): void {
    const { logger, shard } = this.options;
    const was = this.isLost;
    this.isLost = !isStored(this.stored, names);
    if (this.isLost && !was)
      logger.warn({ shard: shard.name }, 'parts of the copy are gone; writing a complete new one');
  }

  /** `known`: the objects that were there before. */
  private async put(
    entries: AsyncIterable<StoreChange[]>,
    before: readonly CopyPart[],
    to: Sequences,
    known: readonly string[],
  ): Promise<void> {
    const { copies, shard, writer, logger } = this.options;
    const name = `${shard.name}/${Math.max(0, ...Object.values(to))}-${writer}-${this.count++}`;
    const startedAt = performance.now();
    const { bytes, digest } = await copies.objects.put(name, piecesOf(entries));
    const part: CopyPart = { name, bytes, digest, from: before.at(-1)?.to ?? {}, to };
    const parts = [...before, part];
    try {
      this.stored = { manifest: manifestOf(parts), revision: await this.publish(parts, name) };
    } catch (error) {
      // No manifest names it; if the outcome is unknown, the next round reads it.
      if (hasCode(error, 'FENCED')) {
        await copies.objects.delete(name);
        this.stored = await readStored(this.options);
      }
      throw error;
    }
    this.isLost = false;
    const named = new Set(parts.map((one) => one.name));
    this.garbage = known.filter((one) => !named.has(one));
    const ms = Math.round(performance.now() - startedAt);
    logger.debug({ shard: shard.name, bytes, ms, complete: before.length === 0 }, 'copied the state');
  }

  /** Compare-and-set; an unknown outcome is resolved by reading. */
  private async publish(parts: readonly CopyPart[], name: string): Promise<number> {
    const { copies, shard } = this.options;
    try {
      return await writeManifest(copies, shard.name, parts, this.stored.revision);
    } catch (error) {
      if (!(error instanceof RivuletError) || error.code !== 'LOG_UNKNOWN') throw error;
      this.stored = await readStored(this.options);
      if (this.stored.manifest?.parts.at(-1)?.name === name) return this.stored.revision;
      throw error;
    }
  }

  private async collect(): Promise<void> {
    if (this.options.isHeld()) return;
    for (let name = this.garbage.at(-1); name !== undefined; name = this.garbage.at(-1)) {
      await this.options.copies.objects.delete(name);
      this.garbage.pop();
    }
  }
}

/** An unreadable manifest counts as none: the next copy replaces it. */
async function readStored({ copies, shard, logger }: ReplicaWriterOptions): Promise<StoredManifest> {
  const stored = await readManifest(copies, shard.name);
  if (stored.unreadable !== undefined) {
    logger.warn({ shard: shard.name }, `there is no copy: ${stored.unreadable}; writing a complete new one`);
  }
  return stored;
}

/** Are all parts of the manifest among the objects that are there? */
function isStored({ manifest }: StoredManifest, names: readonly string[]): boolean {
  const stored = new Set(names);
  return (manifest?.parts ?? []).every(({ name }) => stored.has(name));
}

async function sequencesIn(view: StoreView, { stages, partition }: ShardSpec): Promise<Sequences> {
  const heads = await view.values(stages.map((id) => headKey(id, partition)));
  return Object.fromEntries(stages.map((id, i) => [id, sequenceIn(heads[i])]));
}

const isBehind = (to: Sequences, included: Sequences, { stages }: ShardSpec): boolean =>
  stages.some((id) => (to[id] ?? 0) < (included[id] ?? 0));

/** Ahead in one stage and behind in none (REPLICA-1). */
const isAhead = (to: Sequences, included: Sequences, shard: ShardSpec): boolean =>
  !isBehind(to, included, shard) && shard.stages.some((id) => (to[id] ?? 0) > (included[id] ?? 0));

/** The first copy; when the store lacks records of changes since the manifest; and when the parts outweigh a complete copy. */
function mustBeComplete(parts: readonly CopyPart[], copied: Partial<Sequences>, { stages }: ShardSpec): boolean {
  const [first, ...rest] = parts;
  if (first === undefined || parts.length >= PARTS_MAX) return true;
  const included = parts.at(-1)!.to;
  if (stages.some((id) => copied[id] === undefined || copied[id] > (included[id] ?? 0))) return true;
  return rest.reduce((sum, { bytes }) => sum + bytes, 0) > Math.max(first.bytes, PARTS_BYTES_MIN);
}

async function* entriesOfAll(view: StoreView, { stages, partition }: ShardSpec): AsyncGenerator<StoreChange[]> {
  for (const id of stages) {
    const local = changedPrefix(id, partition);
    for await (const some of view.entries(instancePrefix(id, partition))) {
      yield some.filter(([key]) => !key.startsWith(local)).map(([key, value]) => ({ key, value }));
    }
  }
}

async function* entriesChanged(view: StoreView, { stages, partition }: ShardSpec): AsyncGenerator<StoreChange[]> {
  for (const id of stages) {
    const keys = new Set<string>();
    for await (const some of view.entries(changedPrefix(id, partition))) {
      for (const [, bytes] of some) for (const key of JSON.parse(textOf(bytes)) as string[]) keys.add(key);
    }
    // Inputs that change nothing move only the head.
    const head = headKey(id, partition);
    const [value] = await view.values([head]);
    if (value !== undefined) yield [{ key: head, value }];
    const all = [...keys];
    for (let at = 0; at < all.length; at += READ_KEYS) {
      const some = all.slice(at, at + READ_KEYS);
      const values = await view.values(some);
      yield some.map((key, i) => ({ key, value: values[i] }));
    }
  }
}
