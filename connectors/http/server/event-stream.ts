/**
 * Server-Sent Events to one client, which may read slowly: as in gRPC, at most one message is on its way into the socket, and newer ones are not
 * queued.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../../runtime/contract/ports.js';
import type { FollowerStream, StreamListener } from '../../facade/trending/hub.js';

/** Reconnection time for browsers, in ms. */
const RETRY_MS = 2_000;

export class EventStream implements FollowerStream {
  sentAtMs = -Infinity;
  private isOnItsWay = false;
  private isOver = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    private readonly listener: StreamListener,
  ) {
    response.once('close', () => {
      this.isOver = true;
      listener.onEnd();
    });
    response.once('error', () => response.destroy());
    response.write(`retry: ${RETRY_MS}\n\n`);
  }

  get isFree(): boolean {
    return !this.isOnItsWay && !this.isOver && !this.response.writableEnded;
  }

  send(message: Buffer): void {
    this.isOnItsWay = true;
    this.sentAtMs = this.clock.monotonicMs();
    this.response.write(message, this.onTaken);
  }

  /** The browser reconnects by itself, and then gets the reason. */
  fail(): void {
    this.end();
  }

  end(): void {
    if (!this.response.writableEnded) this.response.end();
  }

  private readonly onTaken = (error?: Error | null): void => {
    this.isOnItsWay = false;
    if (!error && this.isFree) this.listener.onFree();
  };
}
