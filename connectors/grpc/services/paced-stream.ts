/**
 * A stream of messages to one client, which may read slowly.
 *
 *   PACED-STREAM-1  at most one message is in the transport; newer ones are not queued: `onFree` reports when the next one may be made, of the newest
 *                   state then
 *   PACED-STREAM-2  however the stream ends (refused, cancelled, too late, the node stops), `onEnd` is called once
 */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { CallDesk } from '../server/call-desk.js';
import { spanOf } from '../server/entered-call.js';
import type { FollowerStream, StreamListener } from '../../facade/trending/hub.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { refusal } from '../server/status-details.js';

export type ByteStream = ServerWritableStream<Buffer, Buffer>;

export class PacedStream implements FollowerStream {
  /** When the last message was written, by the shared clock. */
  sentAtMs = -Infinity;
  private isOnItsWay = false;
  private isOver = false;

  constructor(
    private readonly call: ByteStream,
    private readonly desk: CallDesk,
    private readonly listener: StreamListener,
  ) {
    call.once('cancelled', () => {
      this.isOver = true;
      listener.onEnd();
    });
  }

  get isFree(): boolean {
    return !this.isOnItsWay && !this.isOver && !this.call.writableEnded;
  }

  /** Only while the stream is free. */
  send(message: Buffer): void {
    this.isOnItsWay = true;
    this.sentAtMs = this.desk.clock.monotonicMs();
    spanOf(this.call)?.announce();
    // The result of `write` is no signal: it queues up to 16 messages.
    this.call.write(message, this.onTaken);
  }

  fail(error: unknown): void {
    if (!this.isOver && !this.call.writableEnded) refuse(this.call, faultOf(error));
  }

  private readonly onTaken = (error?: Error | null): void => {
    this.isOnItsWay = false;
    if (!error && this.isFree) this.listener.onFree();
  };
}

/** Ends a stream with a status, which grpc-js makes of the error. */
export const refuse = (call: Pick<ByteStream, 'emit'>, fault: ApiError): void =>
  void call.emit('error', refusal(fault));
