/** PublishEvents: which calls are taken up, and which are open. */
import type { sendUnaryData } from '@grpc/grpc-js';
import type { CallDesk } from './call-desk.js';
import type { EventPublisher } from './ports.js';
import { PUBLISH_METHOD, PublishCall, type PublishStream } from './publish-call.js';
import { refusal } from './status-details.js';

export class EventHandlers {
  private readonly open = new Set<PublishCall>();

  constructor(
    private readonly publisher: EventPublisher,
    private readonly desk: CallDesk,
  ) {}

  publishEvents(call: PublishStream, reply: sendUnaryData<Buffer>): void {
    const fault = this.desk.faultOfCaller(call);
    if (fault !== undefined) {
      reply(refusal(fault));
      this.desk.ended(PUBLISH_METHOD, fault.code, performance.now());
      return;
    }
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
