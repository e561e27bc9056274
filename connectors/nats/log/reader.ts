/** A stream's messages in order, pulled, with a bounded queue between the client and the actor (NATS-LOG-3 in log.ts). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumerInfo, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { RivuletError, transient } from '../../../runtime/contract/errors.js';
import type { LogMessage, Reader, Waiting } from '../../../runtime/contract/ports.js';
import { Behind } from './behind.js';

export const EXPECTED_LAST = 'Nats-Expected-Last-Subject-Sequence';

/** A consumer on the server, and what it sends. */
export interface Feed {
  readonly messages: ConsumerMessages;
  /** How far the server is with it. */
  info(): Promise<Pick<ConsumerInfo, 'num_pending' | 'delivered'>>;
  /** Takes the consumer off the server, which would keep it for minutes. */
  discard(): Promise<unknown>;
}

/** The last message that was passed on. */
export type LastRead = Pick<LogMessage, 'sequence' | 'storedAtMs'>;

/** Nobody waits for it: where the server is away, there is nothing to be done. */
export async function discarded(feed: Feed): Promise<void> {
  feed.discard().catch(() => undefined);
  await feed.messages.close();
}

export interface ReaderOptions {
  readonly stream: string;
  readonly queueMax: number;
  /** Makes a feed of what is stored from a sequence on; fails with a Transient while that cannot be done. */
  open(from: number): Promise<Feed>;
  isConnected(): boolean;
}

/** Heartbeats come each second. */
const SILENCE_MS_MAX = 5_000;
const LOOK_EVERY_MS = 1_000;
const REOPEN_MS = 250;

/**
 * The client makes a lost consumer anew when it is told that it is lost, and looks at nothing: the reader leaves that one too, and makes its own
 * when it knows that the stream goes on. Where the one server that kept a consumer is dead, nobody tells: after SILENCE_MS_MAX without a heartbeat
 * the reader does the same, behind the last message that it heard (NATS-LOG-4 in log.ts).
 */
export class NatsReader implements Reader {
  private queue: LogMessage[] = [];
  /** Given out last, as long as nobody asks for more. */
  private taken: readonly LogMessage[] = [];
  private readonly behind = new Behind();
  private closed = false;
  private failure: Error | undefined;
  private wakeTaker: (() => void) | undefined;
  private wakePump: (() => void) | undefined;
  /** A full queue: nothing is asked for, so nothing is heard. */
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
      this.look();
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

  /** What is here, and what the server has for us behind it. */
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

  /** Leaves the feed and makes another, behind the last message of this one. */
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

  /** Moves messages from the client's bounded buffer to ours while ours has room. */
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

  private look(): void {
    if (this.full || !this.options.isConnected()) this.heardAtMs = performance.now();
    else if (performance.now() - this.heardAtMs > SILENCE_MS_MAX) this.renew();
  }

  /** Ends the present feed, which ends the pump when it has passed on all that has come. */
  private async leave(): Promise<void> {
    await discarded(this.feed);
  }

  private async reopen(): Promise<void> {
    while (!this.isOver()) {
      try {
        this.feed = await this.options.open(this.last === undefined ? this.from : this.last.sequence + 1);
        this.heardAtMs = performance.now();
        this.behind.begin();
        // Closed while it was made.
        if (this.isOver()) await this.leave();
        return;
      } catch (error) {
        if (!(error instanceof RivuletError) || error.code !== 'LOG_AWAY') throw error;
        await sleep(REOPEN_MS, undefined, { ref: false });
      }
    }
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

/** What the writer said of the message before this one. */
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
