/** A stream's messages in order, pulled, with a bounded queue between the client and the actor (N3 in log.ts). */
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { transient } from '../../runtime/errors.js';
import type { LogMessage, Reader } from '../../runtime/ports.js';

export const EXPECTED_LAST = 'Nats-Expected-Last-Subject-Sequence';

export class NatsReader implements Reader {
  private queue: LogMessage[] = [];
  private closed = false;
  private failure: Error | undefined;
  private wakeTaker: (() => void) | undefined;
  private wakePump: (() => void) | undefined;

  constructor(
    private readonly messages: ConsumerMessages,
    private readonly stream: string,
    private readonly queueMax: number,
    /** Takes the consumer off the server, which would keep it for minutes. */
    private readonly discard: () => Promise<unknown>,
  ) {
    void this.pump();
  }

  async take(max: number): Promise<readonly LogMessage[]> {
    while (this.queue.length === 0) {
      if (this.failure !== undefined) throw this.failure;
      if (this.closed) return [];
      await new Promise<void>((resolve) => (this.wakeTaker = resolve));
    }
    const taken = this.queue.length <= max ? this.queue : this.queue.slice(0, max);
    this.queue = this.queue.length <= max ? [] : this.queue.slice(max);
    this.wakePump?.();
    return taken;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.wakePump?.();
    await this.messages.close();
    this.wakeTaker?.();
    // Nobody waits for it: where the server is away, there is nothing to be done.
    this.discard().catch(() => undefined);
  }

  async fail(error: Error): Promise<void> {
    this.failure = error;
    await this.messages.close();
    this.wakeTaker?.();
  }

  /** Moves messages from the client's bounded buffer to ours while ours has room. */
  private async pump(): Promise<void> {
    try {
      for await (const message of this.messages) {
        if (this.closed) break;
        this.queue.push(toLogMessage(message));
        this.wakeTaker?.();
        while (this.queue.length >= this.queueMax && !this.isClosed()) {
          await new Promise<void>((resolve) => (this.wakePump = resolve));
        }
      }
      if (!this.closed) this.failure ??= transient('LOG_READ', `reading ${this.stream} ended`);
    } catch (error) {
      this.failure ??= transient('LOG_READ', `reading ${this.stream} failed`, { cause: error });
    }
    this.wakeTaker?.();
  }

  private isClosed(): boolean {
    return this.closed;
  }
}

function toLogMessage(message: JsMsg): LogMessage {
  const { info, headers } = message;
  const expected = headers?.get(EXPECTED_LAST) ?? '';
  return {
    sequence: info.streamSequence,
    subject: message.subject,
    storedAtMs: Math.floor(info.timestampNanos / 1e6),
    data: message.data,
    headers: headers === undefined ? NO_HEADERS : plainHeaders(headers),
    ...(expected === '' ? {} : { expected: Number(expected) }),
  };
}

const NO_HEADERS: Readonly<Record<string, string>> = {};

export function plainHeaders(headers: MsgHdrs | undefined): Readonly<Record<string, string>> {
  if (headers === undefined) return NO_HEADERS;
  const plain: Record<string, string> = {};
  for (const key of headers.keys()) plain[key.toLowerCase()] = headers.get(key);
  return plain;
}
