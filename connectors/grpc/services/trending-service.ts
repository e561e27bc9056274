/** StreamTrending: the hub of trending lists over gRPC. */
import { StreamTrendingRequestSchema } from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import { faultOf } from '../../facade/errors/fault.js';
import type { TrendingLists } from '../../facade/ports.js';
import { type TrendingCounts, TrendingHub } from '../../facade/trending/hub.js';
import type { ServerContext } from '../server/server-context.js';
import { clientOf as clientOfCall, spanOf } from '../server/intercepted-call.js';
import { type ByteStream, CallStream, refuse } from './call-stream.js';
import { subscriptionOf } from './request-fields.js';
import { readRequest } from './request-reading.js';
import { TRENDING_BYTES } from '../codec/trending-bytes.js';

export class TrendingHandlers {
  private readonly hub: TrendingHub;

  constructor(
    private readonly lists: TrendingLists,
    private readonly context: ServerContext,
    clock: Clock,
    private readonly clientOf = clientOfCall,
  ) {
    this.hub = new TrendingHub(lists, TRENDING_BYTES, clock);
  }

  /** Sends no more; the streams are ended by their owner. */
  stop(): void {
    this.hub.stop();
  }

  counts(): TrendingCounts {
    return this.hub.counts();
  }

  readonly streamTrending = (call: ByteStream): void => {
    const read = readRequest(StreamTrendingRequestSchema, call.request, subscriptionOf);
    if ('fault' in read) {
      refuse(call, read.fault);
      return;
    }
    try {
      const fault = this.hub.follow(read.query, this.clientOf(call), (listener) => {
        spanOf(call)?.tookIn(this.lists.trace?.());
        return new CallStream(call, this.context, listener);
      });
      if (fault !== undefined) refuse(call, fault);
    } catch (error) {
      refuse(call, faultOf(error));
    }
  };
}
