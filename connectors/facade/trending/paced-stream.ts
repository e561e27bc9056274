/**
 * A stream of messages to one client, which may read slowly.
 *
 *   PACED-STREAM-1  at most one message is in the transport; newer ones are not queued: `onFree` reports when the next one may be made, of the newest
 *                   state then
 *   PACED-STREAM-2  however the stream ends (refused, cancelled, too late, the node stops), `onEnd` is called once
 */
import type { Writable } from 'node:stream';
import type { Clock } from '../../../runtime/contract/ports.js';
import type { FollowerStream, StreamListener } from './hub.js';

export abstract class PacedStream<T extends Writable> implements FollowerStream {
  sentAtMs = -Infinity;
  protected isOver = false;
  private isOnItsWay = false;

  /** `ended`: the event of the transport that comes however it ends. */
  constructor(
    protected readonly transport: T,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly listener: StreamListener,
    ended: string,
  ) {
    transport.once(ended, () => {
      this.isOver = true;
      listener.onEnd();
    });
  }

  get isFree(): boolean {
    return !this.isOnItsWay && !this.isOver && !this.transport.writableEnded;
  }

  send(message: Buffer): void {
    this.isOnItsWay = true;
    this.sentAtMs = this.clock.monotonicMs();
    // The result of `write` is no signal: transports queue several messages.
    this.transport.write(message, this.onTaken);
  }

  abstract fail(error: unknown): void;

  private readonly onTaken = (error?: Error | null): void => {
    this.isOnItsWay = false;
    if (!error && this.isFree) this.listener.onFree();
  };
}
