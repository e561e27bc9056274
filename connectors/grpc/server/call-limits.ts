/** The limits of the gRPC façade, with their defaults. A client may have as many incomplete unary requests as calls. */
import { CLIENT_LIMITS, type ClientLimits } from '../../facade/admission/client-limits.js';

export interface CallLimits extends ClientLimits {
  /** Size of a unary request. */
  readonly requestBytesMax: number;
  /** The time within which a unary request must be complete. */
  readonly requestMsMax: number;
  /** Size of a message of a request stream; also the most that is buffered of an incomplete message of any call. */
  readonly streamMessageBytesMax: number;
  /** Response bytes that one client has not read. */
  readonly unreadBytesPerClient: number;
  /** Concurrent calls on one connection; the client queues further ones. Absent: all that its client may have, and some more, which are refused. */
  readonly streamsPerConnection?: number;
  /** A connection without traffic is pinged after this time, and closed when there is no response in time. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection of this age is closed, so that clients spread over new nodes; its calls may finish first. */
  readonly connectionAgeMsMax: number;
  /** How long its calls may take to finish; absent: no limit. */
  readonly connectionAgeGraceMs?: number;
}

export const CALL_LIMITS: CallLimits = {
  ...CLIENT_LIMITS,
  requestBytesMax: 2 ** 16,
  requestMsMax: 10_000,
  streamMessageBytesMax: 2 ** 20,
  unreadBytesPerClient: 64 * 2 ** 20,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  connectionAgeMsMax: 30 * 60_000,
};
