/**
 * How far a reader is behind: the messages that the server has after the newest one passed on. Each message carries this number as of when it was
 * sent, which is good enough while the reader accepts messages. A full reader accepts none, and its last number grows old: then it is requested from
 * the server, at most once per ASK_EVERY_MS and one request at a time.
 */
import type { ConsumerInfo, DeliveryInfo } from '@nats-io/jetstream';

const ASK_EVERY_MS = 1_000;

type Delivery = Pick<DeliveryInfo, 'pending' | 'deliverySequence'>;

/** The consumer that answers. */
export interface Asked {
  info(): Promise<Pick<ConsumerInfo, 'num_pending' | 'delivered'>>;
}

export class Behind {
  private newest: Delivery | undefined;
  /** The server's last answer since the newest message. */
  private answered: number | undefined;
  private asking = false;
  private askedAtMs = -Infinity;

  /** Another consumer starts its own count. */
  begin(): void {
    this.newest = undefined;
    this.answered = undefined;
  }

  passed(delivery: Delivery): void {
    this.newest = delivery;
    this.answered = undefined;
  }

  /** `undefined`: unknown. */
  messages(feed: Asked, isFull: boolean): number | undefined {
    // No message yet: stored messages arrive at once.
    if (this.newest === undefined) return 0;
    if (isFull) this.ask(feed);
    return this.answered ?? this.newest.pending;
  }

  private ask(feed: Asked): void {
    const nowMs = performance.now();
    if (this.asking || nowMs - this.askedAtMs < ASK_EVERY_MS) return;
    this.asking = true;
    this.askedAtMs = nowMs;
    const { newest } = this;
    feed
      .info()
      .then(({ num_pending: unsent, delivered }) => {
        // Sent meanwhile, but not passed on: these wait in the client.
        const sent = Math.max(0, delivered.consumer_seq - newest!.deliverySequence);
        if (this.newest === newest) this.answered = unsent + sent;
      })
      // Requested again later; until then the last number stays.
      .catch(() => undefined)
      .finally(() => (this.asking = false));
  }
}
