/**
 * Messages that wait for their epoch (rule A2), as a part of the instance's state.
 *
 * What bounds them. They cannot be left in the stream: the marker that lets them go comes behind them in the same mailbox, so an actor that
 * stopped taking would wait for ever. How many there are is how far a writer is ahead of the others, and that is bounded at the source, which
 * writes one epoch after the other into streams that refuse it when full. That bound is of the disk; memory has one of its own:
 *
 *   H1  In memory are at most HELD_MEMORY_BYTES of them and what was held since the last snapshot, which `snapshotEveryBytes` bounds.
 *       The others are in the store, each under its own key, and are read when their turn comes. (Of each a line of the index stays.)
 *   H2  Per writer they go on in the order in which they came; whether a writer has any is known without looking at them.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { HeldMessageSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { EMPTY } from '../frames/bytes.js';
import type { CellStore } from '../state/kinds.js';
import { NOTHING_STORED, type StateChange } from './instance.js';
import type { LogMessage } from '../contract/ports.js';

/** The index, read whole at a restore; and the messages themselves. (Earlier snapshots have these in the index.) */
export const HELD = '$held';
export const HELD_BYTES = '$held-bytes';

export const HELD_MEMORY_BYTES = 32 * 1024 * 1024;

interface Entry {
  readonly writer: string;
  readonly sequence: number;
  readonly subject: string;
  readonly storedAtMs: number;
  readonly bytes: number;
  /** Absent: in the store. */
  data: Uint8Array | undefined;
  /** In a cut, so that its end must be told to the store. */
  cut: boolean;
}

/** First in, first out; what is taken is let go of now and then rather than each time. */
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

export class HeldMessages {
  private readonly queues = new Map<string, Queue>();
  private store: CellStore = NOTHING_STORED;
  private changes = new Map<number, Entry | undefined>();
  private writing: Entry[] = [];
  count = 0;
  /** Of all, wherever they are, and of those in memory. */
  bytes = 0;
  memoryBytes = 0;

  constructor(
    private readonly writerOf: (subject: string) => string,
    private readonly memoryBytesMax = HELD_MEMORY_BYTES,
  ) {}

  has(writer: string): boolean {
    return this.queues.has(writer);
  }

  hold({ sequence, subject, storedAtMs, data }: LogMessage): void {
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
    const data = entry.data ?? this.store.get(String(sequence)) ?? EMPTY;
    entry.data = undefined;
    if (entry.cut) this.changes.set(sequence, undefined);
    else this.changes.delete(sequence);
    return { sequence, subject, storedAtMs, data, headers: {} };
  }

  restore(index: CellStore, store: CellStore): void {
    this.store = store;
    // Keys are text: in byte order 10 comes before 9.
    const found = [...index.entries()].map(([key, bytes]) => ({
      sequence: Number(key),
      ...fromBinary(HeldMessageSchema, bytes),
    }));
    for (const one of found.sort((a, b) => a.sequence - b.sequence)) {
      const { sequence, subject, storedAtMs, data, bytes } = one;
      this.add(sequence, subject, storedAtMs, bytes === 0 ? data.length : bytes, bytes === 0 ? data : undefined).cut =
        true;
    }
  }

  cut(): StateChange[] {
    const changes: StateChange[] = [];
    for (const [sequence, entry] of this.changes) {
      const key = String(sequence);
      changes.push({ cell: HELD, key, value: entry === undefined ? undefined : indexLine(entry) });
      changes.push({ cell: HELD_BYTES, key, value: entry?.data });
      if (entry === undefined) continue;
      entry.cut = true;
      this.writing.push(entry);
    }
    this.changes = new Map();
    return changes;
  }

  /** What was cut is in the store: memory beyond the bound is given back. Of what stays the oldest does, whose turn is next. */
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
  toBinary(HeldMessageSchema, create(HeldMessageSchema, { subject, storedAtMs, bytes }));
