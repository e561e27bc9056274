/**
 * The in-memory double of the log: the same contract as JetStream (test/contracts/log-contract.ts), without a server.
 * An operation takes effect when it is called; its promise only carries the answer.
 */
import { fatal, poison, transient } from '../../runtime/contract/errors.js';
import type { Log, LogMessage, Reader, StreamInfo, StreamOrigin, StreamSpec } from '../../runtime/contract/ports.js';
import { matches, transformed } from './subjects.js';

export { matches } from './subjects.js';

/** What a stored message takes beside its payload and subject, bytes. */
const OVERHEAD_BYTES = 30;

interface Stream {
  spec: StreamSpec;
  readonly identity: string;
  readonly origins: readonly StreamOrigin[];
  messages: LogMessage[];
  lastSequence: number;
  bytes: number;
  /** The last stored sequence of each subject, of those that are still there. */
  readonly last: Map<string, number>;
  deleted: boolean;
  /** Counts how often readers lost their place. */
  breaks: number;
  readonly waiting: Set<() => void>;
}

export type SavedStream = Pick<Stream, 'spec' | 'identity' | 'origins' | 'messages' | 'lastSequence' | 'bytes'>;

export interface MemoryLogOptions {
  readonly nowMs?: () => number;
  readonly payloadBytesMax?: number;
  /** Hears of each message that is stored, at once. */
  readonly onStored?: (stream: string, message: LogMessage) => void;
}

export class MemoryLog implements Log {
  readonly payloadBytesMax: number;
  private readonly streams = new Map<string, Stream>();
  private readonly nowMs: () => number;
  private readonly onStored: MemoryLogOptions['onStored'];
  private made = 0;

  constructor({ nowMs = () => 0, payloadBytesMax = 1024 * 1024, onStored }: MemoryLogOptions = {}) {
    this.nowMs = nowMs;
    this.payloadBytesMax = payloadBytesMax;
    this.onStored = onStored;
  }

  async ensureStream(spec: StreamSpec): Promise<void> {
    const known = this.streams.get(spec.name);
    if (known !== undefined) {
      known.spec = { ...(known.spec.deployment === undefined ? {} : { deployment: known.spec.deployment }), ...spec };
      return;
    }
    this.streams.set(spec.name, {
      ...{ spec, identity: `made-${++this.made}`, origins: [], messages: [], lastSequence: 0, bytes: 0 },
      ...{ deleted: false, breaks: 0 },
      last: new Map(),
      waiting: new Set(),
    });
  }

  async info(name: string): Promise<StreamInfo> {
    const { messages, lastSequence, bytes, identity, origins, spec } = this.stream(name);
    return {
      ...{ firstSequence: messages[0]?.sequence ?? lastSequence + 1, lastSequence, bytes, identity, origins },
      ...(spec.deployment === undefined ? {} : { deployment: spec.deployment }),
    };
  }

  async read(
    name: string,
    { filters, from }: { readonly filters: readonly string[]; readonly from: number },
  ): Promise<Reader> {
    return new MemoryReader(this.stream(name), filters, from);
  }

  async publish(
    sent: string,
    data: Uint8Array,
    {
      expected,
      headers = {},
    }: { readonly expected?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<number> {
    if (data.length > this.payloadBytesMax) throw fatal('LOG_PAYLOAD', `${sent}: ${data.length} bytes are too many`);
    const stream = [...this.streams.values()].find(({ spec }) => spec.subjects.some((one) => matches(one, sent)));
    if (stream === undefined) throw transient('LOG_UNREACHABLE', `no stream accepts ${sent} now`);
    if (data.length > (stream.spec.messageBytesMax ?? Infinity)) {
      throw poison('LOG_MESSAGE_SIZE', `${sent}: ${data.length} bytes are too many`);
    }
    const subject = transformed(stream.spec, sent);
    const last = stream.last.get(subject) ?? 0;
    if (expected !== undefined && expected !== last) {
      throw transient('FENCED', `${subject}: last sequence is ${last}, expected ${expected}`);
    }
    const message: LogMessage = {
      ...{ sequence: stream.lastSequence + 1, subject, storedAtMs: this.nowMs(), data: data.slice() },
      headers: Object.fromEntries(Object.entries(headers).map(([key, text]) => [key.toLowerCase(), text])),
      ...(expected === undefined ? {} : { expected }),
    };
    makeRoom(stream, bytesOf(message));
    stream.lastSequence = message.sequence;
    stream.messages.push(message);
    stream.bytes += bytesOf(message);
    stream.last.set(subject, message.sequence);
    this.onStored?.(stream.spec.name, message);
    wake(stream);
    return message.sequence;
  }

  async last(name: string, subject: string): Promise<LogMessage | undefined> {
    const stream = this.stream(name);
    const sequence = stream.last.get(subject);
    const message = /[*>]/.test(subject)
      ? stream.messages.findLast((one) => matches(subject, one.subject))
      : sequence === undefined
        ? undefined
        : stream.messages[positionOf(stream, sequence)];
    return message === undefined ? undefined : { ...message, data: message.data.slice() };
  }

  async purge(name: string, subject: string, below: number): Promise<void> {
    const stream = this.stream(name);
    drop(stream, (message) => message.sequence < below && matches(subject, message.subject));
  }

  async close(): Promise<void> {
    for (const stream of this.streams.values()) {
      stream.deleted = true;
      wake(stream);
    }
  }

  /** All that a stream holds now. */
  messages(name: string): readonly LogMessage[] {
    return this.stream(name).messages;
  }

  deleteStream(name: string): void {
    const stream = this.stream(name);
    this.streams.delete(name);
    stream.deleted = true;
    wake(stream);
  }

  /** As when the server's disk is put back to an earlier state: the stream ends at this sequence again. */
  rollBack(name: string, lastSequence: number): void {
    const stream = this.stream(name);
    drop(stream, ({ sequence }) => sequence > lastSequence);
    stream.lastSequence = lastSequence;
    breakReaders(stream);
  }

  /** The same for what was trimmed since as well. */
  putBack({ spec, messages, lastSequence, bytes }: SavedStream): void {
    const stream = this.stream(spec.name);
    Object.assign(stream, { messages: [...messages], lastSequence, bytes });
    drop(stream, () => false);
    breakReaders(stream);
  }

  /** As when the server cannot read a message on its disk any more: it is served no longer. */
  lose(name: string, sequence: number): void {
    drop(this.stream(name), (message) => message.sequence === sequence);
  }

  /** As when the server restarts and nothing is lost: readers end. */
  restart(): void {
    for (const stream of this.streams.values()) breakReaders(stream);
  }

  streamNames(): string[] {
    return [...this.streams.keys()];
  }

  /** As a backup would: the stream as it is now. */
  saved(name: string): SavedStream {
    const { spec, identity, origins, messages, lastSequence, bytes } = this.stream(name);
    return { spec, identity, origins, messages: [...messages], lastSequence, bytes };
  }

  /** Puts a saved stream where there may be one of that name. */
  restore({ identity, origins, messages, ...saved }: SavedStream): void {
    this.streams.set(saved.spec.name, {
      ...{
        ...saved,
        identity: `${identity}-restored-${++this.made}`,
        messages: [...messages],
        deleted: false,
        breaks: 0,
      },
      origins: [...origins, { identity, upTo: saved.lastSequence }],
      last: new Map(messages.map(({ subject, sequence }) => [subject, sequence])),
      waiting: new Set(),
    });
  }

  private stream(name: string): Stream {
    const stream = this.streams.get(name);
    if (stream === undefined) throw transient('STREAM_NOT_FOUND', `there is no stream ${name}`);
    return stream;
  }
}

class MemoryReader implements Reader {
  private closed = false;
  private wakeTaker: (() => void) | undefined;
  private next: number;
  private readonly breaks: number;

  constructor(
    private readonly stream: Stream,
    private readonly filters: readonly string[],
    from: number,
  ) {
    this.next = from;
    this.breaks = stream.breaks;
  }

  async take(max: number): Promise<readonly LogMessage[]> {
    for (;;) {
      if (this.closed) return [];
      if (this.stream.deleted || this.stream.breaks !== this.breaks)
        throw transient('LOG_READ', `reading ${this.stream.spec.name} ended`);
      const taken = this.takeNow(max);
      if (taken.length > 0) return taken;
      await new Promise<void>((resolve) => {
        this.wakeTaker = resolve;
        this.stream.waiting.add(resolve);
      });
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wakeTaker?.();
  }

  private takeNow(max: number): LogMessage[] {
    const { messages, lastSequence } = this.stream;
    const taken: LogMessage[] = [];
    for (let at = positionOf(this.stream, this.next); at < messages.length && taken.length < max; at++) {
      const message = messages[at]!;
      this.next = message.sequence + 1;
      if (this.filters.some((filter) => matches(filter, message.subject))) taken.push(message);
    }
    if (taken.length < max) this.next = Math.max(this.next, lastSequence + 1);
    return taken;
  }
}

const bytesOf = ({ subject, data, headers }: LogMessage): number =>
  Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, OVERHEAD_BYTES) +
  data.length +
  subject.length;

function makeRoom(stream: Stream, bytes: number): void {
  const { bytesMax, dropsOldest, name } = stream.spec;
  if (stream.bytes + bytes <= bytesMax) return;
  if (!dropsOldest) throw transient('LOG_FULL', `${name} is full`);
  while (stream.messages.length > 0 && stream.bytes + bytes > bytesMax)
    drop(stream, ({ sequence }) => sequence === stream.messages[0]!.sequence);
}

function drop(stream: Stream, goes: (message: LogMessage) => boolean): void {
  const kept: LogMessage[] = [];
  for (const message of stream.messages) {
    if (goes(message)) stream.bytes -= bytesOf(message);
    else kept.push(message);
  }
  stream.messages = kept;
  stream.last.clear();
  for (const { subject, sequence } of kept) stream.last.set(subject, sequence);
}

/** Index of the first message with this sequence or a later one. */
function positionOf({ messages }: Stream, sequence: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (messages[middle]!.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function breakReaders(stream: Stream): void {
  stream.breaks++;
  wake(stream);
}

function wake(stream: Stream): void {
  const waiting = [...stream.waiting];
  stream.waiting.clear();
  for (const resolve of waiting) resolve();
}
