/**
 * Key-value buckets on JetStream, as NATS defines them (its tools can read them): one subject per key.
 *
 * Invariants
 *   KEY-VALUE-1  The server compares: a write with a revision carries it as the subject's expected last sequence (NATS-LOG-2 in log.ts).
 *   KEY-VALUE-2  Reads go to the stream's leader. A consumer, and a direct get, may be served by a stale replica: a view requests the last sequence
 *   of the
 *                bucket from the leader, one request for any number of keys, and waits until its consumer has reached it.
 *   KEY-VALUE-3  A deleted key leaves a marker, so that watchers see the deletion. The marker counts as absent: a write with revision 0 replaces it.
 */
import { EventEmitter, once } from 'node:events';
import { DiscardPolicy, type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { backgroundClock } from '../../runtime/contract/clock.js';
import { fatal, hasCode, transient } from '../../runtime/contract/errors.js';
import type { KeyValue, KeyValueEntry, KeyValueView, Log, LogMessage, Reader } from '../../runtime/contract/ports.js';
import { retry } from '../../runtime/supervision/retry.js';
import { openNatsLog } from './log/log.js';
import { ifTransient } from './connection/retry.js';
import { ensureStream, openManager, subjectsOf } from './log/stream-manager.js';

export interface KeyValueOptions {
  readonly bucket: string;
  /** An entry expires this long after its last put; absent: never. */
  readonly ttlMs?: number;
  readonly replicas: number;
}

const BYTES_MAX = 64 * 1024 * 1024;
const NANOS_PER_MS = 1e6;
/** How long the server remembers message ids; Rivulet sends none. */
const DUPLICATES_MS = 1_000;
const READS_AT_A_TIME = 64;
const REOPEN_MS_MAX = 200;
/** Entries are small: one pull fetches many, so that the renewals of other nodes cost almost nothing. */
const AHEAD_MAX = 256;
/** A watch that has not caught up with the bucket after this long is reopened. */
const BEHIND_MS = 1_000;

const EMPTY = new Uint8Array(0);
const DELETED = { 'KV-Operation': 'DEL' };

/** Creates the bucket, or updates it to the options. Its reads and writes fail with the same errors as those of the log. */
export async function openKeyValue(connection: NatsConnection, options: KeyValueOptions): Promise<KeyValue> {
  const { bucket, ttlMs = 0, replicas } = options;
  const manager = await openManager(connection);
  const stream = `KV_${bucket}`;
  const ageMs = Math.ceil(ttlMs);
  await ensureStream(manager, {
    name: stream,
    subjects: [`$KV.${bucket}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_bytes: BYTES_MAX,
    max_age: ageMs * NANOS_PER_MS,
    duplicate_window: (ageMs === 0 ? DUPLICATES_MS : Math.min(DUPLICATES_MS, ageMs)) * NANOS_PER_MS,
    num_replicas: replicas,
    allow_direct: false,
    // The tools of NATS expect this of a bucket.
    allow_rollup_hdrs: true,
  });
  return new NatsKeyValue(await openNatsLog(connection, { manager }), manager, stream, `$KV.${bucket}.`, ttlMs);
}

export interface StoredEntry extends KeyValueEntry {
  /** Epoch ms of its last put. */
  readonly storedAtMs: number;
}

/** The entries of a bucket, for inspection; `undefined` when the bucket does not exist; it is not created. */
export async function entriesOfBucket(connection: NatsConnection, bucket: string): Promise<StoredEntry[] | undefined> {
  const table = new NatsKeyValue(
    await openNatsLog(connection),
    await openManager(connection),
    `KV_${bucket}`,
    `$KV.${bucket}.`,
  );
  try {
    return await table.entries();
  } catch (error) {
    if (hasCode(error, 'STREAM_NOT_FOUND')) return undefined;
    throw error;
  }
}

class NatsKeyValue implements KeyValue {
  constructor(
    private readonly log: Log,
    private readonly manager: JetStreamManager,
    private readonly stream: string,
    private readonly prefix: string,
    private readonly ttlMs = 0,
  ) {}

  async get(key: string): Promise<StoredEntry | undefined> {
    const last = await this.log.last(this.stream, this.subjectOf(key));
    if (last === undefined || isGone(last)) return undefined;
    return entryOf(key, last);
  }

  async entries(): Promise<StoredEntry[]> {
    const subjects = await subjectsOf(this.manager, this.stream, `${this.prefix}>`);
    // Foreign clients may publish subjects that are not keys.
    const keys = subjects
      .map((subject) => this.keyOf(subject))
      .filter(isKey)
      .sort();
    const entries: StoredEntry[] = [];
    for (let at = 0; at < keys.length; at += READS_AT_A_TIME) {
      const some = await Promise.all(keys.slice(at, at + READS_AT_A_TIME).map((key) => this.get(key)));
      for (const entry of some) if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  async put(key: string, value: Uint8Array, revision?: number): Promise<number> {
    const subject = this.subjectOf(key);
    try {
      return await this.log.publish(subject, value, revision === undefined ? {} : { expected: revision });
    } catch (error) {
      if (revision !== 0 || !isFenced(error)) throw error;
      const last = await this.log.last(this.stream, subject);
      if (last === undefined || !isGone(last)) throw error;
      return await this.log.publish(subject, value, { expected: last.sequence });
    }
  }

  async delete(key: string, revision?: number): Promise<void> {
    const entry = await this.get(key);
    if (entry === undefined) return;
    if (revision !== undefined && revision !== entry.revision) {
      throw transient('FENCED', `${key}: its revision is ${entry.revision}, not ${revision}`);
    }
    const headers = DELETED;
    await this.log.publish(
      this.subjectOf(key),
      EMPTY,
      revision === undefined ? { headers } : { headers, expected: revision },
    );
  }

  async watch(onChange: (key: string, value?: Uint8Array) => void): Promise<KeyValueView> {
    const { identity } = await this.log.info(this.stream);
    const filter = `${this.prefix}>`;
    const view = new NatsView(this.log, this.stream, filter, this.ttlMs, identity, (message) => {
      const key = this.keyOf(message.subject);
      // Foreign clients may publish subjects that are not keys.
      if (!isKey(key)) return undefined;
      const isHere = !isGone(message);
      if (isHere) onChange(key, message.data);
      else onChange(key);
      return { key, entry: isHere ? entryOf(key, message) : undefined };
    });
    await view.start();
    return view;
  }

  private subjectOf(key: string): string {
    if (!isKey(key)) {
      throw fatal('KEY_INVALID', `"${key}" cannot be a key: letters, digits, and - _ / = . between them`);
    }
    return this.prefix + key;
  }

  private keyOf(subject: string): string {
    return subject.slice(this.prefix.length);
  }
}

const entryOf = (key: string, { data, sequence, storedAtMs }: LogMessage): StoredEntry => ({
  ...{ key, value: data, revision: sequence, storedAtMs },
});

/** Reads until it is stopped: when a reader ends, another one continues after its last message. */
class NatsView implements KeyValueView {
  private readonly stopping = new AbortController();
  private readonly moves = new EventEmitter();
  private readonly known = new Map<string, { readonly entry: KeyValueEntry; readonly atMs: number }>();
  /** The next message has at least this sequence. */
  private from = 1;
  private reader: Reader | undefined;
  private done: Promise<void> = Promise.resolve();

  constructor(
    private readonly log: Log,
    private readonly stream: string,
    private readonly filter: string,
    private readonly ttlMs: number,
    private identity: string,
    /** `undefined`: a foreign message. */
    private readonly read: (message: LogMessage) => { key: string; entry: KeyValueEntry | undefined } | undefined,
  ) {}

  async start(): Promise<void> {
    const reader = await this.open();
    this.done = this.run(reader);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.reader?.close();
    await this.done;
  }

  async entries(): Promise<KeyValueEntry[]> {
    const last = await this.log.last(this.stream, this.filter);
    if (last !== undefined) await this.reached(last.sequence);
    const nowMs = performance.now();
    // The server expires an entry that long after it was stored, and does not report it.
    for (const [key, { atMs }] of this.known) if (this.ttlMs > 0 && nowMs - atMs >= this.ttlMs) this.known.delete(key);
    return [...this.known.values()].map(({ entry }) => entry).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  private async reached(sequence: number): Promise<void> {
    const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(BEHIND_MS)]);
    while (this.from <= sequence) {
      await once(this.moves, 'moved', { signal }).catch(async (cause: unknown) => {
        await this.reader?.close();
        throw transient(
          'LOG_UNREACHABLE',
          `the watch on ${this.stream} is behind: at ${this.from - 1} of ${sequence}`,
          {
            cause,
          },
        );
      });
    }
  }

  private async open(): Promise<Reader> {
    const options = { filters: [this.filter], from: this.from, framesAhead: AHEAD_MAX };
    this.reader = await this.log.read(this.stream, options);
    return this.reader;
  }

  private async run(first: Reader): Promise<void> {
    const { signal } = this.stopping;
    for (let reader: Reader | undefined = first; ; reader = await this.reopened()) {
      if (reader === undefined || signal.aborted) break;
      await this.drain(reader);
    }
    await this.reader?.close();
  }

  /** Reads until the reader ends or is closed. */
  private async drain(reader: Reader): Promise<void> {
    for (;;) {
      const messages = await reader.take(AHEAD_MAX).catch(ifTransient);
      if (messages === undefined || messages.length === 0) break;
      for (const message of messages) {
        if (this.stopping.signal.aborted) return;
        this.take(message);
      }
      this.moves.emit('moved');
    }
    await reader.close();
  }

  private take(message: LogMessage): void {
    this.from = message.sequence + 1;
    const read = this.read(message);
    if (read?.entry !== undefined) this.known.set(read.key, { entry: read.entry, atMs: performance.now() });
    else if (read !== undefined) this.known.delete(read.key);
  }

  /** `undefined`: it was stopped. */
  private reopened(): Promise<Reader | undefined> {
    const { signal } = this.stopping;
    const reopen = async (): Promise<Reader | undefined> => {
      if (signal.aborted) return undefined;
      const now = await this.log.info(this.stream);
      // Another bucket of that name, or one that was restored: all entries are new.
      if (now.identity !== this.identity || now.lastSequence < this.from - 1) {
        this.identity = now.identity;
        this.from = 1;
        this.known.clear();
      }
      return this.open();
    };
    return retry(reopen, { clock: backgroundClock, signal, pauseMsMax: REOPEN_MS_MAX });
  }
}

const isKey = (key: string): boolean => /^[-/=\w]+(\.[-/=\w]+)*$/.test(key);

const isFenced = (error: unknown): boolean => hasCode(error, 'FENCED');

/** Deleted by Rivulet or by a tool, or expired where the server reports it. */
const isGone = ({ headers }: LogMessage): boolean =>
  headers['kv-operation'] !== undefined || headers['nats-marker-reason'] !== undefined;
