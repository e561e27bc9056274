/** Updates the store of a shard to the newest copy (REPLICA-3 in replication/store.ts), if the copy is ahead of it. */
import { textOf, utf8 } from '../frames/bytes.js';
import {
  type ReplicaStore,
  type CopyPart,
  entriesOf,
  includedIn,
  readManifest,
  type Sequences,
  type StoredManifest,
} from './store.js';
import { asError, fatal, RivuletError } from '../contract/errors.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import { changedPrefix, headKey, instancePrefix, sequenceIn } from '../state/keyspace.js';
import type { Store, StoreChange } from '../contract/ports.js';

/** A change that is larger than this is not buffered in memory but written in pieces, without a head until it is complete. */
const BATCH_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes of a complete copy that are written at a time. */
const PIECE_BYTES = 2 * 1024 * 1024;
const DELETES_MAX = 1_000;
/** A part may be replaced by a compacted one while it is read. */
const ATTEMPTS_MAX = 5;

/** Up to where a manifest includes the records of changed keys: from there on the store's records are complete. Local to a store. */
export const COPIED = '$copied';

/** What a shard's store includes, stage by stage. */
export function sequencesOf(store: Store, { stages, partition }: ShardSpec): Sequences {
  return Object.fromEntries(stages.map((id) => [id, sequenceIn(store.getSync(headKey(id, partition)))]));
}

/** From where on the store has records of changed keys; absent stages: it has none. */
export function copiedOf(store: Store): Partial<Sequences> {
  const bytes = store.getSync(COPIED);
  return bytes === undefined ? {} : (JSON.parse(textOf(bytes)) as Sequences);
}

/** Returns the manifest that the store has now caught up with. Fatal COPY_LOST when it cannot be read, or a part is not there; the store is as it was before that part. */
export async function catchUp(copies: ReplicaStore, shard: ShardSpec, store: Store): Promise<StoredManifest> {
  let missedAt: number | undefined;
  for (let attempt = 1; ; attempt++) {
    const stored = await readManifest(copies, shard.name);
    if (stored.unreadable !== undefined) throw unreadable(shard, stored.unreadable);
    let name = '';
    try {
      for (const part of missingParts(stored.manifest?.parts ?? [], sequencesOf(store, shard))) {
        ({ name } = part);
        await takePart(copies, shard, store, part);
      }
    } catch (error) {
      const code = error instanceof RivuletError ? error.code : undefined;
      if (code === 'OBJECT_DAMAGED') throw damaged(shard, asError(error));
      if (code !== 'OBJECT_MISSING') throw error;
      // The writer of a new part writes the manifest before it deletes the old one (REPLICA-2).
      if (stored.revision === missedAt) throw lost(shard, name, asError(error));
      if (attempt === ATTEMPTS_MAX) throw error;
      missedAt = stored.revision;
      continue;
    }
    await acknowledge(shard, store, includedIn(stored.manifest));
    return stored;
  }
}

const unreadable = ({ name: shard }: ShardSpec, what: string): Error =>
  fatal('COPY_LOST', `NATS holds no copy of ${shard} that can be read: ${what}`, { hint: copiedAnew(shard) });

const lost = ({ name: shard }: ShardSpec, part: string, cause: Error): Error =>
  fatal('COPY_LOST', `the copy of ${shard} that NATS holds lacks its part ${part}`, {
    cause,
    hint: copiedAnew(shard),
  });

const copiedAnew = (shard: string): string =>
  `start the node that had ${shard} last: it copies its state anew; without it restore a backup, or see what can be done with \`rivulet repair\``;

/** The owner of the shard has the state, and does not read the copy. */
const damaged = ({ name: shard }: ShardSpec, cause: Error): Error =>
  fatal('OBJECT_DAMAGED', `the copy of ${shard} that NATS holds is damaged`, {
    cause,
    hint: `start the node that had ${shard} last, which needs no copy; without it restore a backup, or see what can be done with \`rivulet repair\``,
  });

/** The parts from the first with new entries on. Each starts where the one before ends. */
function missingParts(parts: readonly CopyPart[], have: Sequences): readonly CopyPart[] {
  const isNews = ({ to }: CopyPart): boolean => Object.entries(to).some(([id, sequence]) => sequence > (have[id] ?? 0));
  const first = parts.findIndex(isNews);
  return first < 0 ? [] : parts.slice(first);
}

async function takePart(
  { objects }: ReplicaStore,
  shard: ShardSpec,
  store: Store,
  { name, from, to }: CopyPart,
): Promise<void> {
  const have = sequencesOf(store, shard);
  const news = shard.stages.filter((id) => (to[id] ?? 0) > (have[id] ?? 0));
  if (news.length === 0) return;
  const prefixes = news.map((id) => instancePrefix(id, shard.partition));
  const heads = new Set(news.map((id) => headKey(id, shard.partition)));
  const isComplete = Object.keys(from).length === 0;
  let piecewise = isComplete;
  let isThere = false;
  let batch: StoreChange[] = [];
  const last: StoreChange[] = [];
  let bytes = 0;
  for await (const changes of entriesOf(objects.get(name))) {
    // Nothing is deleted before the part is known to be there.
    if (isComplete && !isThere) await forget(shard, store, news);
    isThere = true;
    for (const change of changes) {
      if (!prefixes.some((prefix) => change.key.startsWith(prefix))) continue;
      (heads.has(change.key) ? last : batch).push(change);
      bytes += change.key.length + (change.value?.length ?? 0);
    }
    if (bytes < (isComplete ? PIECE_BYTES : BATCH_BYTES_MAX)) continue;
    if (!piecewise) {
      // Without a head the state is void: a crash in the middle starts again from the complete copy.
      await store.write([...heads].map((key) => ({ key, value: undefined })));
      piecewise = true;
    }
    await store.write(batch);
    batch = [];
    bytes = 0;
  }
  const marked = mark({ ...copiedOf(store), ...Object.fromEntries(news.map((id) => [id, to[id] ?? 0])) });
  // The digest is checked at the end: only then is the content trusted.
  await store.write([...batch, ...last, ...(await records(shard, store, news)), marked]);
}

/** Removes the entries of these instances, heads first. */
export async function forget(shard: ShardSpec, store: Store, stages: readonly string[]): Promise<void> {
  const heads = stages.map((id) => headKey(id, shard.partition)).filter((key) => store.getSync(key) !== undefined);
  if (heads.length > 0) await store.write(heads.map((key) => ({ key, value: undefined })));
  const view = store.view();
  try {
    for (const id of stages) {
      for await (const some of view.entries(instancePrefix(id, shard.partition))) {
        for (let at = 0; at < some.length; at += DELETES_MAX) {
          await store.write(some.slice(at, at + DELETES_MAX).map(([key]) => ({ key, value: undefined })));
        }
      }
    }
  } finally {
    await view.close();
  }
}

/** Deletes the records of changed keys of these stages. */
async function records(shard: ShardSpec, store: Store, stages: readonly string[]): Promise<StoreChange[]> {
  const found = await Promise.all(stages.map((id) => store.entries(changedPrefix(id, shard.partition))));
  return found.flat().map(([key]) => ({ key, value: undefined }));
}

/** The copy includes this much: records of it are not needed any more. */
export async function acknowledge(shard: ShardSpec, store: Store, included: Sequences): Promise<void> {
  const have = sequencesOf(store, shard);
  const before = copiedOf(store);
  const now: Record<string, number> = {};
  const changes: StoreChange[] = [];
  for (const id of shard.stages) {
    const known = before[id] ?? (have[id] === 0 ? 0 : undefined);
    const inCopy = Math.min(included[id] ?? 0, have[id] ?? 0);
    // A store without records of changed keys gets them with the next complete copy.
    if (known !== undefined) now[id] = Math.max(known, inCopy);
    const prefix = changedPrefix(id, shard.partition);
    for (const [key] of await store.entries(prefix)) {
      if (Number(key.slice(prefix.length)) <= inCopy) changes.push({ key, value: undefined });
    }
  }
  if (changes.length > 0 || shard.stages.some((id) => before[id] !== now[id]))
    await store.write([...changes, mark(now)]);
}

/** The copy includes the store up to these sequences. */
export const mark = (copied: Partial<Sequences>): StoreChange => ({ key: COPIED, value: utf8(JSON.stringify(copied)) });
