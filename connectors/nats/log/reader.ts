/** Pulls a stream's messages in order, with a bounded queue between the client and the actor (NATS-LOG-3 in log.ts). */
import type { ConsumerInfo, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { backgroundClock } from '../../../runtime/contract/clock.js';
import { hasCode, transient } from '../../../runtime/contract/errors.js';
import type { LogMessage, Reader, Waiting } from '../../../runtime/contract/ports.js';
import { retry } from '../../../runtime/supervision/retry.js';
import { Behind } from './behind.js';

export const EXPECTED_LAST = 'Nats-Expected-Last-Subject-Sequence';

/** A consumer on the server, and its messages. */
export interface Feed {
  readonly messages: ConsumerMessages;
  /** The server's progress with it. */
  info(): Promise<Pick<ConsumerInfo, 'num_pending' | 'delivered'>>;
  /** Deletes the consumer from the server, which would otherwise retain it for minutes. */
  discard(): Promise<unknown>;
}

/** The last message that was passed on. */
export type LastRead = Pick<LogMessage, 'sequence' | 'storedAtMs'>;

/** Not awaited: while the server is unreachable, nothing can be done. */
export async function discarded(feed: Feed): Promise<void> {
  feed.discard().catch(() => undefined);
  await feed.messages.close();
}

export interface ReaderOptions {
  readonly stream: string;
  readonly queueMax: number;
  /** Opens a feed from a sequence on; fails with a Transient while that is not possible. */
  open(from: number): Promise<Feed>;
  isConnected(): boolean;
}

/** Heartbeats arrive each second. */
const SILENCE_MS_MAX = 5_000;
const LOOK_EVERY_MS = 1_000;
const REOPEN_MS_MAX = 250;

/**
 * When notified that its consumer is lost, the client recreates it without any check: the reader drops that one too, and opens its own when it knows
 * that the stream continues. When the only server of a consumer is dead, there is no notification: after SILENCE_MS_MAX without a heartbeat the
 * reader does the same, after the last message that it received (NATS-LOG-4 in log.ts).
 */
export class NatsReader implements Reader {
  private queue: LogMessage[] = [];
  /** The last batch returned, until the next one is requested. */
  private taken: readonly LogMessage[] = [];
  private readonly behind = new Behind();
  private closed = false;
  private failure: Error | undefined;
  private wakeTaker: (() => void) | undefined;
  private wakePump: (() => void) | undefined;
  /** While the queue is full no messages are requested, so none arrive. */
  private full = false;
  private heardAtMs = performance.now();
  last: LastRead | undefined;
  private readonly looking: NodeJS.Timeout;

  constructor(
    private readonly options: ReaderOptions,
    private feed: Feed,
    private readonly from: number,
  ) {
    this.looking = setInterval(() => {
      this.checkConsumer();
    }, LOOK_EVERY_MS);
    this.looking.unref();
    void this.run();
  }

  get messages(): ConsumerMessages {
    return this.feed.messages;
  }

  async take(max: number): Promise<readonly LogMessage[]> {
    this.taken = [];
    while (this.queue.length === 0) {
      if (this.failure !== undefined) throw this.failure;
      if (this.closed) return [];
      await new Promise<void>((resolve) => (this.wakeTaker = resolve));
    }
    const taken = this.queue.length <= max ? this.queue : this.queue.slice(0, max);
    this.queue = this.queue.length <= max ? [] : this.queue.slice(max);
    this.wakePump?.();
    this.taken = taken;
    return taken;
  }

  /** Messages in the queue, and those that the server still has. */
  waiting(after: number): Waiting | undefined {
    if (this.isOver() || !this.options.isConnected()) return undefined;
    const server = this.behind.messages(this.feed, this.full);
    if (server === undefined) return undefined;
    const rest = this.taken.findIndex(({ sequence }) => sequence > after);
    const [own, oldest] = rest < 0 ? [0, this.queue[0]] : [this.taken.length - rest, this.taken[rest]];
    return { messages: own + this.queue.length + server, oldestStoredAtMs: oldest?.storedAtMs };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.wakePump?.();
    await this.leave();
    this.wakeTaker?.();
  }

  /** Drops the feed and opens another, after the last message of this one. */
  renew(): void {
    void this.leave();
  }

  private async run(): Promise<void> {
    try {
      while (!this.isOver()) {
        const { messages } = this.feed;
        void this.listen(messages);
        await this.pump(messages);
        await this.reopen();
      }
    } catch (error) {
      this.failure = transient('LOG_READ', `reading ${this.options.stream} failed`, { cause: error });
    }
    clearInterval(this.looking);
    this.wakeTaker?.();
  }

  /** Moves messages from the client's bounded buffer to the queue while it has room. */
  private async pump(messages: ConsumerMessages): Promise<void> {
    for await (const message of messages) {
      if (this.closed) break;
      this.heardAtMs = performance.now();
      const passed = toLogMessage(message);
      this.last = { sequence: passed.sequence, storedAtMs: passed.storedAtMs };
      this.behind.passed(message.info);
      this.queue.push(passed);
      this.wakeTaker?.();
      while (this.queue.length >= this.options.queueMax && !this.isOver()) {
        this.full = true;
        await new Promise<void>((resolve) => (this.wakePump = resolve));
      }
      this.full = false;
    }
  }

  private async listen(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) {
      if (type === 'heartbeat') this.heardAtMs = performance.now();
    }
  }

  private checkConsumer(): void {
    if (this.full || !this.options.isConnected()) this.heardAtMs = performance.now();
    else if (performance.now() - this.heardAtMs > SILENCE_MS_MAX) this.renew();
  }

  /** Ends the current feed; the pump ends when it has passed on all messages that arrived. */
  private async leave(): Promise<void> {
    await discarded(this.feed);
  }

  private reopen(): Promise<void> {
    const open = async (): Promise<void> => {
      if (this.isOver()) return;
      this.feed = await this.options.open(this.last === undefined ? this.from : this.last.sequence + 1);
      this.heardAtMs = performance.now();
      this.behind.begin();
      // Closed while the feed was opened.
      if (this.isOver()) await this.leave();
    };
    const isRetryable = (error: unknown): boolean => hasCode(error, 'LOG_UNREACHABLE');
    return retry(open, { clock: backgroundClock, isRetryable, pauseMsMax: REOPEN_MS_MAX });
  }

  private isOver(): boolean {
    return this.closed || this.failure !== undefined;
  }
}

function toLogMessage(message: JsMsg): LogMessage {
  const { info, headers } = message;
  return {
    sequence: info.streamSequence,
    subject: message.subject,
    storedAtMs: Math.floor(info.timestampNanos / 1e6),
    data: message.data,
    headers: plainHeaders(headers),
    ...expectedIn(headers),
  };
}

/** The sequence of the preceding message, as the writer recorded it. */
export function expectedIn(headers: MsgHdrs | undefined): Pick<LogMessage, 'expected'> {
  const expected = headers?.get(EXPECTED_LAST) ?? '';
  return expected === '' ? {} : { expected: Number(expected) };
}

const NO_HEADERS: Readonly<Record<string, string>> = {};

export function plainHeaders(headers: MsgHdrs | undefined): Readonly<Record<string, string>> {
  if (headers === undefined) return NO_HEADERS;
  const plain: Record<string, string> = {};
  for (const key of headers.keys()) plain[key.toLowerCase()] = headers.get(key);
  return plain;
}
