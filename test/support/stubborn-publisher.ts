/** A plain NATS client that publishes events with acks, repeats what was not acknowledged, and outlives its server. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { pause } from './blows.js';

export interface Event {
  readonly subject: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const ACK_MS = 1_000;
const AWAY_MS = 50;

export class StubbornPublisher {
  /** Events sent, repeats included, and events acknowledged. */
  sent = 0;
  acked = 0;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly ackMs: number,
  ) {}

  /** `ackMs`: what was not acknowledged by then is repeated. */
  static async connect(servers: string, { ackMs = ACK_MS } = {}): Promise<StubbornPublisher> {
    const patience = { maxReconnectAttempts: -1, reconnectTimeWait: AWAY_MS, waitOnFirstConnect: true };
    return new StubbornPublisher(await connect({ servers, ...patience, reconnectJitter: 0 }), ackMs);
  }

  /** All of them, some `perSecond`, each until it is acknowledged; they overtake each other when they are repeated. */
  async publish(events: readonly Event[], perSecond: number): Promise<void> {
    const under = new Set<Promise<void>>();
    const startedAt = performance.now();
    for (const [i, event] of events.entries()) {
      const waitMs = startedAt + (i / perSecond) * 1000 - performance.now();
      if (waitMs > 1) await pause(waitMs);
      const one = this.untilAcked(event).finally(() => under.delete(one));
      under.add(one);
    }
    await Promise.all(under);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private async untilAcked({ subject, body }: Event): Promise<void> {
    for (;;) {
      this.sent++;
      try {
        const answer = await this.connection.request(subject, JSON.stringify(body), { timeout: this.ackMs });
        const { error, seq } = answer.json<{ error?: object; seq?: number }>();
        // A refusal of JetStream holds a sequence as well: 0.
        if (error === undefined && typeof seq === 'number') break;
      } catch {
        // No server, no stream yet, or nobody has said: it may be stored or not.
      }
      await pause(AWAY_MS);
    }
    this.acked++;
  }
}
