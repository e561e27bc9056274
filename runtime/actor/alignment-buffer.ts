/**
 * The buffer for barrier alignment (ALIGNMENT-2): messages that wait for their epoch, as a part of the instance's state.
 *
 * The messages cannot stay in the stream: the marker that releases them comes after them in the same mailbox, so an actor that stopped reading would
 * wait for ever. How many there are depends on how far a writer is ahead of the others, and that is bounded at the source, which writes epoch after
 * epoch into streams that reject messages when full. That bounds the disk; memory has a bound of its own:
 *
 *   ALIGNMENT-BUFFER-1  In memory are at most BUFFER_MEMORY_BYTES of messages and what was buffered since the last snapshot, which
 *                       `snapshotEveryBytes` bounds. The others are in the store, each under its own key, and are read when they are
 *                       released. (An index entry of each stays in memory.)
 *   ALIGNMENT-BUFFER-2  Per writer, messages are released in the order in which they came; whether a writer has any is known without
 *                       reading them.
 *   ALIGNMENT-BUFFER-3  A buffered message that is missing from the store is fatal: the instance never goes on without it.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BufferedMessageSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fatal } from '../contract/errors.js';
import type { StoredState } from '../state/kinds.js';
import { NOTHING_STORED, type StateChange } from './instance.js';
import type { LogMessage } from '../contract/ports.js';

/** The index, which a recovery reads entirely; and the messages themselves. */
export const BUFFERED = '$buffered';
export const BUFFERED_BYTES = '$buffered-bytes';

export const BUFFER_MEMORY_BYTES = 32 * 1024 * 1024;

interface Entry {
  readonly writer: string;
  readonly sequence: number;
  readonly subject: string;
  readonly storedAtMs: number;
  readonly bytes: number;
  /** Absent: in the store. */
  data: Uint8Array | undefined;
  /** In a cut, so that the store must delete it when it is released. */
  cut: boolean;
}

/** First in, first out; removed entries are freed in batches. */
class Queue {
  private entries: Entry[] = [];
  private at = 0;

  get first(): Entry | undefined {
    return this.entries[this.at];
  }

  push(entry: Entry): void {
    this.entries.push(entry);
  }

  shift(): Entry | undefined {
    const entry = this.entries[this.at++];
    if (this.at * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.at);
      this.at = 0;
    }
    return entry;
  }
}

export class AlignmentBuffer {
  private readonly queues = new Map<string, Queue>();
  private store: StoredState = NOTHING_STORED;
  private changes = new Map<number, Entry | undefined>();
  private writing: Entry[] = [];
  count = 0;
  /** Bytes of all, and of those in memory. */
  bytes = 0;
  memoryBytes = 0;

  constructor(
    private readonly writerOf: (subject: string) => string,
    private readonly memoryBytesMax = BUFFER_MEMORY_BYTES,
  ) {}

  has(writer: string): boolean {
    return this.queues.has(writer);
  }

  push({ sequence, subject, storedAtMs, data }: LogMessage): void {
    // `slice` of a Buffer, which is what a socket gives, would be a view.
    const entry = this.add(sequence, subject, storedAtMs, data.length, Uint8Array.from(data));
    this.changes.set(sequence, entry);
  }

  /** Whose message is the first in stream order, of writers that are not blocked. */
  firstWriter(blocked: ReadonlySet<string>): string | undefined {
    let found: Entry | undefined;
    for (const [writer, queue] of this.queues) {
      const first = queue.first!;
      if (!blocked.has(writer) && (found === undefined || first.sequence < found.sequence)) found = first;
    }
    return found?.writer;
  }

  /** Takes a writer's first message out. */
  release(writer: string): LogMessage {
    const queue = this.queues.get(writer)!;
    const entry = queue.shift()!;
    const { sequence, subject, storedAtMs } = entry;
    if (queue.first === undefined) this.queues.delete(writer);
    this.count--;
    this.bytes -= entry.bytes;
    if (entry.data !== undefined) this.memoryBytes -= entry.bytes;
    const data = entry.data ?? this.store.get(String(sequence));
    if (data === undefined) {
      throw fatal(
        'STATE_DAMAGED',
        `the store lacks message ${sequence} on ${subject}, which waits there for its epoch`,
        {
          hint: 'see what can be done with `rivulet repair`',
        },
      );
    }
    entry.data = undefined;
    if (entry.cut) this.changes.set(sequence, undefined);
    else this.changes.delete(sequence);
    return { sequence, subject, storedAtMs, data, headers: {} };
  }

  restore(index: StoredState, store: StoredState): void {
    this.store = store;
    // Keys are text: in byte order 10 comes before 9.
    const found = [...index.entries()].map(([key, bytes]) => ({
      sequence: Number(key),
      ...fromBinary(BufferedMessageSchema, bytes),
    }));
    for (const { sequence, subject, storedAtMs, bytes } of found.sort((a, b) => a.sequence - b.sequence)) {
      this.add(sequence, subject, storedAtMs, bytes, undefined).cut = true;
    }
  }

  cut(): StateChange[] {
    const changes: StateChange[] = [];
    for (const [sequence, entry] of this.changes) {
      const key = String(sequence);
      changes.push({ state: BUFFERED, key, value: entry === undefined ? undefined : indexLine(entry) });
      changes.push({ state: BUFFERED_BYTES, key, value: entry?.data });
      if (entry === undefined) continue;
      entry.cut = true;
      this.writing.push(entry);
    }
    this.changes = new Map();
    return changes;
  }

  /** The cut is in the store: frees memory beyond the bound, and the oldest last, which are released next. */
  written(): void {
    for (const entry of this.writing) {
      if (this.memoryBytes <= this.memoryBytesMax) break;
      if (entry.data !== undefined) this.memoryBytes -= entry.bytes;
      entry.data = undefined;
    }
    this.writing = [];
  }

  private add(
    sequence: number,
    subject: string,
    storedAtMs: number,
    bytes: number,
    data: Uint8Array | undefined,
  ): Entry {
    const writer = this.writerOf(subject);
    const entry: Entry = { writer, sequence, subject, storedAtMs, bytes, data, cut: false };
    let queue = this.queues.get(writer);
    if (queue === undefined) this.queues.set(writer, (queue = new Queue()));
    queue.push(entry);
    this.count++;
    this.bytes += bytes;
    if (data !== undefined) this.memoryBytes += bytes;
    return entry;
  }
}

const indexLine = ({ subject, storedAtMs, bytes }: Entry): Uint8Array =>
  toBinary(BufferedMessageSchema, create(BufferedMessageSchema, { subject, storedAtMs, bytes }));
