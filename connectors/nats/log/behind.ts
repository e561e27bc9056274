/**
 * How far a reader is behind: the messages that the server has after the newest one passed on. Each message carries this number as of when it was
 * sent, which is good enough while the reader accepts messages. A full reader accepts none, and its last number grows old: then it is requested from
 * the server, at most once per ASK_EVERY_MS and one request at a time.
 */
import type { ConsumerInfo, DeliveryInfo } from '@nats-io/jetstream';

const REQUEST_EVERY_MS = 1_000;

type Delivery = Pick<DeliveryInfo, 'pending' | 'deliverySequence'>;

/** The consumer that answers. */
export interface LagSource {
  info(): Promise<Pick<ConsumerInfo, 'num_pending' | 'delivered'>>;
}

export class Behind {
  private newest: Delivery | undefined;
  /** The server's last answer since the newest message. */
  private answered: number | undefined;
  private isRequesting = false;
  private requestedAtMs = -Infinity;

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
  messages(feed: LagSource, isFull: boolean): number | undefined {
    // No message yet: stored messages arrive at once.
    if (this.newest === undefined) return 0;
    if (isFull) this.request(feed);
    return this.answered ?? this.newest.pending;
  }

  private request(feed: LagSource): void {
    const nowMs = performance.now();
    if (this.isRequesting || nowMs - this.requestedAtMs < REQUEST_EVERY_MS) return;
    this.isRequesting = true;
    this.requestedAtMs = nowMs;
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
      .finally(() => (this.isRequesting = false));
  }
}
