/** Server-Sent Events: at most one message is in the socket (PACED-STREAM-1). */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../../runtime/contract/ports.js';
import type { StreamListener } from '../../facade/trending/hub.js';
import { PacedStream } from '../../facade/trending/paced-stream.js';

/** Reconnection time for browsers, in ms. */
const RETRY_MS = 2_000;

export class EventStream extends PacedStream<ServerResponse> {
  constructor(response: ServerResponse, clock: Pick<Clock, 'monotonicMs'>, listener: StreamListener) {
    super(response, clock, listener, 'close');
    response.once('error', () => response.destroy());
    response.write(`retry: ${RETRY_MS}\n\n`);
  }

  /** The browser reconnects by itself, and then gets the reason. */
  fail(): void {
    this.end();
  }

  end(): void {
    if (!this.transport.writableEnded) this.transport.end();
  }
}
