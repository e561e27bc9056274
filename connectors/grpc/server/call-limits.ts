/** The bounds of the gRPC façade, each with its default. As many single requests of a client as it may have calls may be on their way to the node. */
import { CLIENT_LIMITS, type ClientLimits } from '../../facade/admission/client-limits.js';

export interface CallLimits extends ClientLimits {
  /** Bytes of a single request. */
  readonly requestBytesMax: number;
  /** How long a single request may take to be complete. */
  readonly requestMsMax: number;
  /** Bytes of a message of a stream of requests, and the most that any call has us keep while a message is not complete. */
  readonly streamMessageBytesMax: number;
  /** Answers that one client has not taken. */
  readonly heldBytesPerClient: number;
  /** Calls at once on one connection; a client queues what is above. Absent: all that its client may have, and some more, which are refused. */
  readonly streamsPerConnection?: number;
  /** A connection without traffic is pinged after this long, and closed when there is no answer in time. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection this old is closed, so that clients spread over new nodes; its calls may end first. */
  readonly connectionAgeMsMax: number;
  /** How long its calls may take to end; absent: as long as they want. */
  readonly connectionAgeGraceMs?: number;
}

export const CALL_LIMITS: CallLimits = {
  ...CLIENT_LIMITS,
  requestBytesMax: 2 ** 16,
  requestMsMax: 10_000,
  streamMessageBytesMax: 2 ** 20,
  heldBytesPerClient: 64 * 2 ** 20,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  connectionAgeMsMax: 30 * 60_000,
};
