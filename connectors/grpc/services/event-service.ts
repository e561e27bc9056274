/** PublishEvents: which calls are open. */
import type { sendUnaryData } from '@grpc/grpc-js';
import type { CallDesk } from '../server/call-desk.js';
import type { EventPublisher } from '../../facade/ports.js';
import { PublishCall, type PublishStream } from './publish-call.js';

export class EventHandlers {
  private readonly open = new Set<PublishCall>();

  constructor(
    private readonly publisher: EventPublisher,
    private readonly desk: CallDesk,
  ) {}

  publishEvents(call: PublishStream, reply: sendUnaryData<Buffer>): void {
    const leave = this.desk.clients.enter(call);
    const one = new PublishCall(call, reply, this.publisher, this.desk, () => {
      this.open.delete(one);
      leave();
    });
    this.open.add(one);
  }

  /** Ends what is still open: a publisher may keep its stream for days. */
  interrupt(): void {
    for (const call of this.open) call.interrupt();
  }
}
