/**
 * Publishes with acknowledgements, many at a time, on one inbox: no timer, stack trace or subscription per request, on which the client's own
 * `request` spends half of its time.
 */
import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { transient } from '../../../runtime/contract/errors.js';

interface Outgoing {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string;
  readonly headers: MsgHdrs | undefined;
}

interface Waiting {
  readonly subject: string;
  readonly sinceMs: number;
  readonly resolve: (answer: Msg) => void;
  readonly reject: (error: Error) => void;
}

const SWEEP_EVERY_MS = 500;
const NO_RESPONDERS = 503;

export class Requests {
  private readonly inbox = createInbox();
  private readonly waiting = new Map<string, Waiting>();
  /** Rejects pending API requests. */
  private readonly asking = new Set<(error: Error) => void>();
  /** While an answer is waited for. */
  private sweeper: NodeJS.Timeout | undefined;
  private broken = false;
  private next = 0;
  private outgoing: Outgoing[] = [];

  constructor(
    private readonly connection: NatsConnection,
    private readonly timeoutMs: number,
  ) {
    connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.settle(message);
      },
    });
    void this.watch();
  }

  /** The answer to a publish. Rejects with Transient LOG_UNREACHABLE when there is no responder, LOG_UNKNOWN when there was no answer in time. */
  request(subject: string, data: Uint8Array, headers: MsgHdrs | undefined): Promise<Msg> {
    return new Promise((resolve, reject) => {
      this.mustBeConnected();
      const reply = `${this.inbox}.${this.next++}`;
      this.waiting.set(reply, { subject, sinceMs: performance.now(), resolve, reject });
      this.sweepSoon();
      // All messages that the actors of this thread publish in one turn of the event loop are sent in one write: a write to a socket costs more than
      // all other work for a small message.
      if (this.outgoing.push({ subject, data, reply, headers }) === 1) {
        setImmediate(() => {
          this.flush();
        });
      }
    });
  }

  /**
   * An answer of the API to the client; Transient LOG_UNREACHABLE as soon as the connection breaks, since no answer can arrive any more. A late result is
   * passed to `onLate`.
   */
  async run<T>(work: () => Promise<T>, onLate: (late: T) => void = () => undefined): Promise<T> {
    this.mustBeConnected();
    const { promise: broken, reject } = withReject();
    this.asking.add(reject);
    let isOver = false;
    const answer = work().then((value) => {
      if (isOver) onLate(value);
      return value;
    });
    // When both reject, the second rejection would be unhandled.
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, broken]);
    } finally {
      isOver = true;
      this.asking.delete(reject);
    }
  }

  get connected(): boolean {
    return !this.broken;
  }

  /** While it reconnects the client drops messages, and the answer would never arrive. */
  mustBeConnected(): void {
    if (this.broken) throw transient('LOG_UNREACHABLE', 'the connection to NATS is broken; reconnecting');
  }

  private flush(): void {
    const outgoing = this.outgoing;
    this.outgoing = [];
    for (const { subject, data, reply, headers } of outgoing) {
      try {
        this.connection.publish(subject, data, { reply, ...(headers === undefined ? {} : { headers }) });
      } catch (error) {
        const waiting = this.waiting.get(reply);
        this.waiting.delete(reply);
        waiting?.reject(transient('LOG_UNREACHABLE', `cannot publish on ${subject} now`, { cause: error }));
      }
    }
  }

  /** Pending publishes have an unknown outcome. */
  close(): void {
    clearTimeout(this.sweeper);
    this.sweep(-Infinity);
  }

  private settle(message: Msg): void {
    const waiting = this.waiting.get(message.subject);
    if (waiting === undefined) return;
    this.waiting.delete(message.subject);
    if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) {
      waiting.reject(transient('LOG_UNREACHABLE', `no stream accepts ${waiting.subject} now`));
    } else waiting.resolve(message);
  }

  /** A message under way when the connection broke may or may not have arrived; no answer will come. */
  private async watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect') {
        this.broken = true;
        this.sweep(-Infinity);
        for (const reject of this.asking) reject(transient('LOG_UNREACHABLE', 'the connection to NATS broke'));
      } else if (type === 'reconnect') this.broken = false;
    }
  }

  private sweepSoon(): void {
    this.sweeper ??= setTimeout(() => {
      this.sweeper = undefined;
      this.sweep();
      if (this.waiting.size > 0) this.sweepSoon();
    }, SWEEP_EVERY_MS).unref();
  }

  private sweep(timeoutMs = this.timeoutMs): void {
    const lateMs = performance.now() - timeoutMs;
    for (const [reply, { subject, sinceMs, reject }] of this.waiting) {
      // In order of sending: the first one that is not late ends the sweep.
      if (sinceMs > lateMs) return;
      this.waiting.delete(reply);
      reject(transient('LOG_UNKNOWN', `no answer to a publish on ${subject}`));
    }
  }
}

function withReject(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, rejectPromise) => (reject = rejectPromise));
  return { promise, reject };
}
