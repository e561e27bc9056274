/** PublishEvents: tracks the open calls. */
import type { sendUnaryData } from '@grpc/grpc-js';
import type { EventReader } from '../../../actors/formats/event-reader.js';
import { transient } from '../../../runtime/contract/errors.js';
import type { EventPublisher } from '../../facade/ports.js';
import type { ServerContext } from '../server/server-context.js';
import { interceptedOf } from '../server/intercepted-call.js';
import { publishCall, type PublishStream } from './publish-call.js';

export class EventHandlers {
  private readonly open = new Set<AbortController>();

  constructor(
    private readonly publisher: EventPublisher,
    private readonly reader: EventReader,
    private readonly context: ServerContext,
  ) {}

  publishEvents(call: PublishStream, reply: sendUnaryData<Buffer>): void {
    const { publisher, reader, context, open } = this;
    const leave = interceptedOf(call)!.enterCalls();
    const stop = new AbortController();
    open.add(stop);
    void publishCall(call, reply, { publisher, reader, context, stop }).finally(() => {
      open.delete(stop);
      leave();
    });
  }

  /** Ends the open calls: a publisher may keep its stream for days. */
  interrupt(): void {
    const error = transient(
      'NODE_STOPPING',
      'the node stops: send the rest to another, or to this one when it is back',
    );
    for (const stop of this.open) stop.abort(error);
  }
}
