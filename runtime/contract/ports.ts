/** All external dependencies of the core. Adapters implement these; the in-memory doubles pass the same contract suites. */

import type { Frame } from '../frames/frame.js';

/** A message in a stream, as the log stored it. `data` is valid until the next read: copy it to retain it. */
export interface LogMessage {
  readonly sequence: number;
  readonly subject: string;
  /** Epoch ms at which the log stored it. */
  readonly storedAtMs: number;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** The sequence of the subject's previous message, as its writer expected it at publish; absent if the writer gave none. */
  readonly expected?: number;
}

export interface StreamSpec {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Writers get a Transient LOG_FULL past this, unless `dropsOldest`. */
  readonly bytesMax: number;
  readonly dropsOldest: boolean;
  /** Older messages are dropped; absent: none for their age. */
  readonly ageMaxMs?: number;
  /** Larger messages are refused with Poison LOG_MESSAGE_SIZE; absent: the server's limit. */
  readonly messageBytesMax?: number;
  readonly replicas: number;
  /** The record of the deployment, as text (config/deployment.ts); absent: the stream's record is unchanged. */
  readonly deployment?: string;
  /** Rewrites the subjects of publishers, inside the server. */
  readonly transform?: { readonly from: string; readonly to: string };
}

export interface StreamInfo {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  /** Changes when the stream is deleted and created again. */
  readonly identity: string;
  /** As in its spec; absent: no record. */
  readonly deployment?: string;
  /** The streams that this one is a restored copy of, oldest first. */
  readonly origins?: readonly StreamOrigin[];
}

/** A stream that another is a copy of: up to this message the two are the same. */
export interface StreamOrigin {
  readonly identity: string;
  readonly upTo: number;
}

/** Messages in stream order, pulled; buffers a bounded number ahead of the consumer. */
export interface Reader {
  /** The next messages, at least one and at most `max`; waits for them; an empty list means closed. */
  take(max: number): Promise<readonly LogMessage[]>;
  /**
   * Messages stored after a consumed one: as of now if this is cheap, else as of about a second ago. `undefined` while unknown; absent if never
   * known. For telemetry only.
   */
  waiting?(after: number): Waiting | undefined;
  close(): Promise<void>;
}

export interface Waiting {
  readonly messages: number;
  /** Epoch ms; absent while the oldest message has not been received. */
  readonly oldestStoredAtMs?: number | undefined;
}

export interface Log {
  /** Creates the stream or updates it to the spec. */
  ensureStream(spec: StreamSpec): Promise<void>;
  info(stream: string): Promise<StreamInfo>;
  /** Reads messages with sequence ≥ `from` whose subject matches one of the filters. */
  /** `framesAhead`: how many frames are in flight; absent: enough to keep a stage busy. */
  read(
    stream: string,
    options: { readonly filters: readonly string[]; readonly from: number; readonly framesAhead?: number },
  ): Promise<Reader>;
  /**
   * Appends and returns the sequence. With `expected` (the sequence of the last message on that subject, 0 for none) the write is refused
   * with Transient FENCED when the subject has a newer message. Transient LOG_UNKNOWN: it may or may not have been stored.
   */
  publish(
    subject: string,
    data: Uint8Array,
    options?: { readonly expected?: number; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<number>;
  /** The last message on a subject, or on all subjects that a filter matches, read from the leader. */
  last(stream: string, subject: string): Promise<LogMessage | undefined>;
  /** Drops messages of a subject with sequence < `below`. */
  purge(stream: string, subject: string, below: number): Promise<void>;
  /** Payload limit of a message, bytes. */
  readonly payloadBytesMax: number;
  close(): Promise<void>;
}

export interface StoreChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** A piece of a file on its way to parse: whole records. */
export interface SourceChunk {
  readonly format: 'csv' | 'jsonl';
  readonly file: string;
  /** 1-based number of the first line in `data`. */
  readonly line: number;
  /** CSV: the header line, without its line end. */
  readonly header: Uint8Array;
  readonly data: Uint8Array;
  /** Where to resume after this chunk: byte offset in the (uncompressed) file, and the line there. */
  readonly nextOffset: number;
  readonly nextLine: number;
  /** The last chunk of its file, and the last of all. */
  readonly endsEpoch: boolean;
  readonly endsInput: boolean;
}

/** Where a source resumes: after its last stored chunk. */
export interface SourcePosition {
  readonly file: string;
  readonly nextOffset: number;
  readonly nextLine: number;
  readonly endsEpoch: boolean;
  readonly endsInput: boolean;
  /** Of the chunk, from 1, over all files. */
  readonly number: number;
}

/** What the log has of a source. */
export interface StoredChunks {
  /** The last one, read from the leader. */
  last(): Promise<SourcePosition | undefined>;
  /** Resolves when all chunks that were taken from the source are stored, with the number of the last; 0 for none. */
  all(): Promise<number>;
}

/** What is recorded of a file. */
export interface FileRecord {
  readonly file: string;
  /** Size on disk when it was read. */
  readonly bytes: number;
  /** Where it was checked before it was read: when it was modified, epoch ms, and the SHA-256 of its uncompressed content. */
  readonly modifiedMs?: number | undefined;
  readonly digest?: string | undefined;
  readonly done: boolean;
  /** Number of its last stored chunk; 0: none. */
  readonly chunk: number;
  /** Behind that chunk. */
  readonly nextOffset: number;
  readonly nextLine: number;
}

/** How far the files of a folder were read, beside the log that has their chunks. */
export interface FileRecords {
  /** Reads the record, corrects it by what the log has, and returns the last stored chunk. Fatal FILE_RECORD. */
  load(stored: StoredChunks): Promise<SourcePosition | undefined>;
  get(file: string): FileRecord | undefined;
  isDone(file: string): boolean;
  /** How many files are done. */
  readonly done: number;
  /** Transient FENCED when another reader has changed the record of the file. */
  put(record: FileRecord): Promise<void>;
}

/** Files in chunks, which can resume from what is stored. */
export interface ChunkSource {
  chunks(stored: StoredChunks): AsyncIterable<SourceChunk>;
}

/** Destination of result rows. `write` may buffer within a bound; `open` resumes exactly from a position that `sync` returned. */
export interface Sink {
  /** Resumes at a position that `sync` returned (later rows are truncated), or starts empty. */
  open(position: string | undefined): Promise<void>;
  /** `asOfMs`: the event time up to which the rows have been computed, epoch ms; of a job whose epochs are files or intervals. */
  write(topic: string, epoch: number, frame: Frame, asOfMs?: number): void | Promise<void>;
  /** Makes all written rows durable. */
  sync(): Promise<string>;
  close(): Promise<void>;
}

/** An ordered key-value store of one thread. */
export interface Store {
  getSync(key: string): Uint8Array | undefined;
  /** Keys with the prefix, in byte order. */
  entries(prefix: string): Promise<[key: string, value: Uint8Array][]>;
  /** Atomic; durable when it resolves. */
  write(changes: readonly StoreChange[]): Promise<void>;
  /** The store as it is now, unaffected by later writes. */
  view(): StoreView;
  close(): Promise<void>;
}

/** A snapshot of a store. Close it: the space that it retains cannot be reclaimed. */
export interface StoreView {
  /** In the order of the keys; `undefined` for missing keys. */
  values(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** Keys with the prefix, in byte order, in batches. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array][]>;
  close(): Promise<void>;
}

export interface KeyValueEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Rises with each change, over all keys. */
  readonly revision: number;
}

/** A small table that all nodes share, with compare-and-set. Its entries may expire unless they are renewed (leases). */
export interface KeyValue {
  /** From the leader, as are all reads. */
  get(key: string): Promise<KeyValueEntry | undefined>;
  entries(): Promise<KeyValueEntry[]>;
  /**
   * Stores and returns the new revision. With `revision` (0: no entry) it is refused with Transient FENCED when the key has a newer revision.
   * Transient LOG_UNKNOWN: it may or may not have been stored.
   */
  put(key: string, value: Uint8Array, revision?: number): Promise<number>;
  /** No effect if the key is missing; with `revision` refused with Transient FENCED when the key has a newer revision. */
  delete(key: string, revision?: number): Promise<void>;
  /** Reports the current entries, and each write promptly, with the value (absent: deleted). The expiry of an entry may not be reported. */
  watch(onChange: (key: string, value?: Uint8Array) => void): Promise<KeyValueView>;
}

/** The entries of a table as a watch has reported them: a read costs the same however many there are. */
export interface KeyValueView {
  /**
   * Includes all writes before the call; an expired entry may remain for as long again. Transient LOG_UNREACHABLE while the watch is behind: it is
   * reopened.
   */
  entries(): Promise<KeyValueEntry[]>;
  stop(): Promise<void>;
}

/** Large values by name, stored in chunks, with a digest. */
export interface Objects {
  /** Atomic: stores the whole object under its name, or nothing; replaces an existing object. */
  put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<{ readonly bytes: number; readonly digest: string }>;
  /** Transient OBJECT_MISSING; Fatal OBJECT_DAMAGED, at its end, when the digest does not match. */
  get(name: string): AsyncIterable<Uint8Array>;
  /** No effect if the object is missing. */
  delete(name: string): Promise<void>;
  /** Names of all objects with the prefix, in byte order. */
  names(prefix: string): Promise<string[]>;
}

/** Time for supervision and telemetry; never seen by a stage. */
export interface Clock {
  /** Wall time, epoch ms: for people and other machines. It may jump forward and back. */
  nowMs(): number;
  /** Ms since an arbitrary moment; never goes back: for durations. */
  monotonicMs(): number;
  /** Resolves after the time, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** CPU time of this process so far, of all its threads, in ms, and the cores that it may use; absent where time is virtual. */
  cpuMs?(): number;
  readonly cores?: number;
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
