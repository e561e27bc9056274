/**
 * Publishes many messages, each acknowledged by JetStream, with a bounded number in flight.
 *
 *   BOUNDED-PUBLISHER-1  at most `inFlightMax` messages are unacknowledged; `publish` waits for room, which is the backpressure on its caller
 *   BOUNDED-PUBLISHER-2  a message that was certainly not stored is sent again with backoff; so is one with an unknown outcome, which is counted: an event
 *                        without an event_id may then be stored twice
 *   BOUNDED-PUBLISHER-3  after GIVE_UP_MS without a single acknowledgement it fails with the last reason
 */
import { setMaxListeners } from 'node:events';
import { asError, fatal, hasCode, reactionOf, RivuletError } from '../../contract/errors.js';
import type { Clock, Log } from '../../contract/ports.js';

export interface PublishCounts {
  readonly published: number;
  /** Rejected by the server or its size limit. */
  readonly rejected: number;
  /** Sent again with an unknown outcome of the first attempt. */
  readonly uncertain: number;
}

export interface BoundedPublisherOptions {
  readonly log: Pick<Log, 'publish' | 'payloadBytesMax'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly inFlightMax?: number;
  readonly onRejected?: (reason: string) => void;
  readonly onStored?: (subject: string, sequence: number) => void;
}

const IN_FLIGHT_MAX = 512;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2_000;
const GIVE_UP_MS = 60_000;

export class BoundedPublisher {
  private readonly inFlightMax: number;
  private readonly tally = { published: 0, rejected: 0, uncertain: 0 };
  private inFlight = 0;
  private ackedAtMs: number;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly options: BoundedPublisherOptions) {
    this.inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX;
    this.ackedAtMs = options.clock.monotonicMs();
    // Each message that waits for a retry adds a listener.
    setMaxListeners(0, options.signal);
    options.signal.addEventListener('abort', () => this.wake?.(), { once: true });
  }

  get counts(): PublishCounts {
    return { ...this.tally };
  }

  /** Resolves when it is in flight, not when it is stored. One call at a time. */
  async publish(subject: string, data: Uint8Array, contentType?: string): Promise<void> {
    await this.until(() => this.inFlight < this.inFlightMax);
    const { log } = this.options;
    if (data.length > log.payloadBytesMax) {
      this.reject(`a message of ${data.length} bytes is above the server's limit of ${log.payloadBytesMax}`);
      return;
    }
    if (this.inFlight++ === 0) this.ackedAtMs = this.options.clock.monotonicMs();
    void this.deliver(subject, data, contentType).finally(() => {
      this.inFlight--;
      this.wake?.();
    });
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    await this.until(() => this.inFlight === 0);
  }

  private async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      this.options.signal.throwIfAborted();
      if (condition()) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Never rejects. */
  private async deliver(subject: string, data: Uint8Array, contentType: string | undefined): Promise<void> {
    const { log, clock, signal } = this.options;
    const headers = contentType === undefined ? {} : { headers: { 'Content-Type': contentType } };
    for (let backoffMs = BACKOFF_FIRST_MS; !signal.aborted && this.failure === undefined;) {
      try {
        const sequence = await log.publish(subject, data, headers);
        this.options.onStored?.(subject, sequence);
        this.ackedAtMs = clock.monotonicMs();
        this.tally.published++;
        return;
      } catch (thrown) {
        const error = asError(thrown);
        if (reactionOf(error) !== 'transient') {
          this.reject(error.message);
          return;
        }
        if (hasCode(error, 'LOG_UNKNOWN')) this.tally.uncertain++;
        if (clock.monotonicMs() - this.ackedAtMs > GIVE_UP_MS) this.failure = gaveUp(error);
        await clock.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  private reject(reason: string): void {
    this.tally.rejected++;
    this.options.onRejected?.(reason);
  }
}

const gaveUp = (cause: Error): Error =>
  fatal('PUBLISH_STALLED', `nothing was acknowledged for ${GIVE_UP_MS / 1000} s`, {
    cause,
    hint:
      cause instanceof RivuletError && cause.code === 'LOG_FULL'
        ? 'the stream is full: is a node running that takes events out of it?'
        : 'is NATS up, and has a node run on it at least once (it makes the streams)?',
  });
