/**
 * How many messages the server has for a reader behind the newest that it passed on. Each message says so as of when it was sent, which is enough
 * while the reader takes what comes. One that is full takes nothing, and what it heard last grows old: then the server is asked, at most once in
 * ASK_EVERY_MS and one question at a time.
 */
import type { ConsumerInfo, DeliveryInfo } from '@nats-io/jetstream';

const ASK_EVERY_MS = 1_000;

type Delivery = Pick<DeliveryInfo, 'pending' | 'deliverySequence'>;

/** What is asked. */
export interface Asked {
  info(): Promise<Pick<ConsumerInfo, 'num_pending' | 'delivered'>>;
}

export class Behind {
  private newest: Delivery | undefined;
  /** As the server has answered last, since the newest message. */
  private answered: number | undefined;
  private asking = false;
  private askedAtMs = -Infinity;

  /** Another consumer counts anew. */
  begin(): void {
    this.newest = undefined;
    this.answered = undefined;
  }

  passed(delivery: Delivery): void {
    this.newest = delivery;
    this.answered = undefined;
  }

  /** `undefined`: not known. */
  messages(feed: Asked, isFull: boolean): number | undefined {
    // Whatever there is comes at once.
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
        // Sent since, and not passed on: it waits in the client.
        const sent = Math.max(0, delivered.consumer_seq - newest!.deliverySequence);
        if (this.newest === newest) this.answered = unsent + sent;
      })
      // It is asked again: until then it is as it was.
      .catch(() => undefined)
      .finally(() => (this.asking = false));
  }
}
