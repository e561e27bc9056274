/** All that the core needs from outside. Adapters come to these; the in-memory doubles pass the same contract suites. */

import type { Frame } from '../frames/frame.js';

/** A message in a stream, as the log stored it. `data` is valid until the next read: copy what you keep. */
export interface LogMessage {
  readonly sequence: number;
  readonly subject: string;
  /** Epoch ms at which the log stored it. */
  readonly storedAtMs: number;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** The subject's message before this one, as its writer knew it (`expected` of its publish); absent when the writer did not say. */
  readonly expected?: number;
}

export interface StreamSpec {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Writers get a Transient LOG_FULL past this, unless `dropsOldest`. */
  readonly bytesMax: number;
  readonly dropsOldest: boolean;
  /** Larger messages are refused with Poison LOG_MESSAGE_SIZE; absent: what the server takes. */
  readonly messageBytesMax?: number;
  readonly replicas: number;
  /** The record of the deployment, as text (config/deployment.ts); absent: what the stream has stays. */
  readonly deployment?: string;
  /** Rewrites the subject of what publishers send, inside the server. */
  readonly transform?: { readonly from: string; readonly to: string };
}

export interface StreamInfo {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  /** Changes when the stream was deleted and made anew. */
  readonly identity: string;
  /** As its spec gave it; absent: none has. */
  readonly deployment?: string;
  /** The streams that this one is a restored copy of, oldest first. */
  readonly origins?: readonly StreamOrigin[];
}

/** A stream that another is a copy of: up to this message the two are the same. */
export interface StreamOrigin {
  readonly identity: string;
  readonly upTo: number;
}

/** Messages in stream order, pulled; holds at most a bounded number beyond what was taken. */
export interface Reader {
  /** The next messages, at least one and at most `max`; waits for them; an empty list means closed. */
  take(max: number): Promise<readonly LogMessage[]>;
  /**
   * What is stored behind a message that was taken: as of now where this costs nothing, else as of a second or so ago. `undefined` while it cannot be
   * told; absent where it never can. For telemetry only.
   */
  waiting?(after: number): Waiting | undefined;
  close(): Promise<void>;
}

export interface Waiting {
  readonly messages: number;
  /** Epoch ms; absent when the oldest has not come here yet. */
  readonly oldestStoredAtMs?: number | undefined;
}

export interface Log {
  /** Makes the stream or brings it to the spec. */
  ensureStream(spec: StreamSpec): Promise<void>;
  info(stream: string): Promise<StreamInfo>;
  /** Reads messages with sequence ≥ `from` whose subject matches one of the filters. */
  /** `framesAhead`: how many frames are on their way at once; absent: as many as keep a stage busy. */
  read(
    stream: string,
    options: { readonly filters: readonly string[]; readonly from: number; readonly framesAhead?: number },
  ): Promise<Reader>;
  /**
   * Appends and returns the sequence. With `expected` (the sequence of the last message on that subject, 0 for none) the write is refused
   * with Transient FENCED when the subject has moved on. Transient LOG_UNKNOWN: it may or may not have been stored.
   */
  publish(
    subject: string,
    data: Uint8Array,
    options?: { readonly expected?: number; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<number>;
  /** The last message on a subject, or on all that a filter matches, read from the leader. */
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
  /** Where to go on after this chunk: byte offset in the (uncompressed) file, and the line there. */
  readonly nextOffset: number;
  readonly nextLine: number;
  /** The last of its file, and the last of all. */
  readonly endsEpoch: boolean;
  readonly endsInput: boolean;
}

/** Where a source goes on: after what its last stored chunk said. */
export interface SourcePosition {
  readonly file: string;
  readonly nextOffset: number;
  readonly nextLine: number;
  readonly endsEpoch: boolean;
}

/** A bounded input in chunks, in a fixed order, that can go on from a position. */
export interface ChunkSource {
  chunks(after?: SourcePosition): AsyncIterable<SourceChunk>;
}

/** Where result rows go. `write` may buffer within a bound; what a `sync` returned is what `open` goes on from, exactly. */
export interface Sink {
  /** Goes on after a position that `sync` returned (what was written later is cut off), or starts anew. */
  open(position: string | undefined): Promise<void>;
  write(topic: string, epoch: number, frame: Frame): void | Promise<void>;
  /** Makes all that was written durable. */
  sync(): Promise<string>;
  close(): Promise<void>;
}

/** An ordered key-value store of one thread. */
export interface Store {
  getSync(key: string): Uint8Array | undefined;
  /** Keys with the prefix, in byte order. */
  entries(prefix: string): Promise<[key: string, value: Uint8Array][]>;
  /** All or nothing, on disk when it resolves. */
  write(changes: readonly StoreChange[]): Promise<void>;
  /** The store as it is now, whatever is written later. */
  view(): StoreView;
  close(): Promise<void>;
}

/** A store as it was at one moment. Close it: what it keeps cannot be reclaimed. */
export interface StoreView {
  /** In the order of the keys; `undefined` for those that are not there. */
  values(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** Keys with the prefix, in byte order, some at a time. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array][]>;
  close(): Promise<void>;
}

export interface KeyValueEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Rises with each change, over all keys. */
  readonly revision: number;
}

/** A small table that all nodes share, with compare-and-set. Its entries may end by themselves unless they are renewed (leases). */
export interface KeyValue {
  /** From the leader, as are all reads. */
  get(key: string): Promise<KeyValueEntry | undefined>;
  entries(): Promise<KeyValueEntry[]>;
  /**
   * Stores and returns the new revision. With `revision` (0: not there) it is refused with Transient FENCED when the key has moved on.
   * Transient LOG_UNKNOWN: it may or may not have been stored.
   */
  put(key: string, value: Uint8Array, revision?: number): Promise<number>;
  /** Nothing when it is not there; with `revision` refused with Transient FENCED when the key has moved on. */
  delete(key: string, revision?: number): Promise<void>;
  /** Reports what is there, and each write as soon as it can, with the value (absent: it was deleted). That an entry has ended by itself may not be reported. */
  watch(onChange: (key: string, value?: Uint8Array) => void): Promise<KeyValueView>;
}

/** The entries of a table as a watch has reported them: to read them costs the same however many there are. */
export interface KeyValueView {
  /**
   * With all that was written before the call; an entry that has ended by itself may stay for as long again. Transient LOG_AWAY when the watch is behind: it is
   * opened again.
   */
  entries(): Promise<KeyValueEntry[]>;
  stop(): Promise<void>;
}

/** Large values by name, cut into pieces, with a digest. */
export interface Objects {
  /** Stores all or nothing under a name; an object of that name is replaced. */
  put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<{ readonly bytes: number; readonly digest: string }>;
  /** Transient OBJECT_MISSING; Fatal OBJECT_DAMAGED, at its end, when the bytes do not give the digest. */
  get(name: string): AsyncIterable<Uint8Array>;
  /** Nothing when it is not there. */
  delete(name: string): Promise<void>;
  /** Names of all objects with the prefix, in byte order. */
  names(prefix: string): Promise<string[]>;
}

/** Time for supervision and telemetry; never seen by a stage. */
export interface Clock {
  /** Wall time, epoch ms: for what people and other machines read. It may jump, forward and back. */
  nowMs(): number;
  /** Ms since some moment; never goes back: for durations. */
  monotonicMs(): number;
  /** Resolves after the time, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
