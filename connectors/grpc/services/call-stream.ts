/** The responses of a streaming call: at most one message is in the transport (PACED-STREAM-1). */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ServerContext } from '../server/server-context.js';
import { spanOf } from '../server/intercepted-call.js';
import type { StreamListener } from '../../facade/trending/hub.js';
import { PacedStream } from '../../facade/trending/paced-stream.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { refusal } from '../server/status-details.js';

export type ByteStream = ServerWritableStream<Buffer, Buffer>;

export class CallStream extends PacedStream<ByteStream> {
  constructor(call: ByteStream, context: ServerContext, listener: StreamListener) {
    super(call, context.clock, listener, 'cancelled');
  }

  override send(message: Buffer): void {
    spanOf(this.transport)?.announce();
    super.send(message);
  }

  fail(error: unknown): void {
    if (!this.isOver && !this.transport.writableEnded) refuse(this.transport, faultOf(error));
  }
}

/** Ends a stream with a status, which grpc-js makes of the error. */
export const refuse = (call: Pick<ByteStream, 'emit'>, fault: ApiError): void =>
  void call.emit('error', refusal(fault));
