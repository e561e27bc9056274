/**
 * The shared table on JetStream: a key-value bucket as NATS defines it (its tools read it), one subject per key.
 *
 * Invariants
 *   KEY-VALUE-1  The server compares: a write with a revision carries it as the subject's expected last sequence (NATS-LOG-2 in log.ts).
 *   KEY-VALUE-2  Reads ask the stream's leader. A consumer, and a direct get, may be served by a replica that is behind.
 *   KEY-VALUE-3  A deleted key leaves a marker, so that watchers hear of it. The marker counts as nothing: revision 0 takes its place.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DiscardPolicy, type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { fatal, hasCode, transient } from '../../runtime/contract/errors.js';
import type { KeyValue, KeyValueEntry, Log, LogMessage, Reader } from '../../runtime/contract/ports.js';
import { openNatsLog } from './log/log.js';
import { ifTransient } from './connection/retry.js';
import { ensureStream, openManager, subjectsOf } from './log/stream-manager.js';

export interface KeyValueOptions {
  readonly bucket: string;
  /** An entry ends by itself this long after it was last put; absent: never. */
  readonly ttlMs?: number;
  readonly replicas: number;
}

const BYTES_MAX = 64 * 1024 * 1024;
const NANOS_PER_MS = 1e6;
/** The server remembers message ids for as long; we send none. */
const DUPLICATES_MS = 1_000;
const READS_AT_A_TIME = 64;
const REOPEN_MS = 200;
const TAKEN_MAX = 256;

const EMPTY = new Uint8Array(0);
const DELETED = { 'KV-Operation': 'DEL' };

/** Makes the bucket or brings it to the options. Its reads and writes fail as those of the log do. */
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
    // What the tools of NATS expect of a bucket.
    allow_rollup_hdrs: true,
  });
  return new NatsKeyValue(await openNatsLog(connection, { manager }), manager, stream, `$KV.${bucket}.`);
}

export interface StoredEntry extends KeyValueEntry {
  /** Epoch ms at which it was last put. */
  readonly storedAtMs: number;
}

/** What is in a bucket, to be looked at; `undefined` when there is none, and none is made. */
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
  ) {}

  async get(key: string): Promise<StoredEntry | undefined> {
    const last = await this.log.last(this.stream, this.subjectOf(key));
    if (last === undefined || isGone(last)) return undefined;
    return { key, value: last.data, revision: last.sequence, storedAtMs: last.storedAtMs };
  }

  async entries(): Promise<StoredEntry[]> {
    const subjects = await subjectsOf(this.manager, this.stream, `${this.prefix}>`);
    // Anybody may publish there what is no key of a bucket.
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

  async watch(onChange: (key: string, value?: Uint8Array) => void): Promise<() => Promise<void>> {
    const { lastSequence, identity } = await this.log.info(this.stream);
    const watcher = new Watcher(
      this.log,
      this.stream,
      `${this.prefix}>`,
      { from: lastSequence + 1, identity },
      (told) => {
        const key = this.keyOf(told.subject);
        if (isGone(told)) onChange(key);
        else onChange(key, told.data);
      },
    );
    await watcher.start();
    return () => watcher.stop();
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

interface Position {
  readonly from: number;
  readonly identity: string;
}

/** Reads on for as long as it is wanted: where a reader ends, another one goes on behind it. */
class Watcher {
  private readonly stopping = new AbortController();
  private reader: Reader | undefined;
  private done: Promise<void> = Promise.resolve();

  constructor(
    private readonly log: Log,
    private readonly stream: string,
    private readonly filter: string,
    private position: Position,
    private readonly onMessage: (message: LogMessage) => void,
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

  private async open(): Promise<Reader> {
    const { from } = this.position;
    this.reader = await this.log.read(this.stream, { filters: [this.filter], from });
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

  /** Until the reader ends, or is closed. */
  private async drain(reader: Reader): Promise<void> {
    for (;;) {
      const messages = await reader.take(TAKEN_MAX).catch(ifTransient);
      if (messages === undefined || messages.length === 0) break;
      for (const message of messages) {
        if (this.stopping.signal.aborted) return;
        this.position = { ...this.position, from: message.sequence + 1 };
        this.onMessage(message);
      }
    }
    await reader.close();
  }

  private async reopened(): Promise<Reader | undefined> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const now = await this.log.info(this.stream).catch(ifTransient);
      if (now !== undefined) {
        // Another bucket of that name, or one that was put back: all of it is new.
        const isAnother = now.identity !== this.position.identity || now.lastSequence < this.position.from - 1;
        if (isAnother) this.position = { from: 1, identity: now.identity };
        const reader = await this.open().catch(ifTransient);
        if (reader !== undefined) return reader;
      }
      await sleep(REOPEN_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
    return undefined;
  }
}

const isKey = (key: string): boolean => /^[-/=\w]+(\.[-/=\w]+)*$/.test(key);

const isFenced = (error: unknown): boolean => hasCode(error, 'FENCED');

/** Deleted by us or by a tool, or ended by itself where the server says so. */
const isGone = ({ headers }: LogMessage): boolean =>
  headers['kv-operation'] !== undefined || headers['nats-marker-reason'] !== undefined;
