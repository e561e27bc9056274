/** The bounds of the façade, each with its default. */
export interface CallLimits {
  /** Bytes of a single request. */
  readonly requestBytesMax: number;
  /** How long a single request may take to be complete. */
  readonly requestMsMax: number;
  /** Bytes of a message of a stream of requests. */
  readonly streamMessageBytesMax: number;
  /** How long such a message may take to be complete. */
  readonly streamMessageMsMax: number;
  /** What one client may have us keep: messages that are not complete, and answers that it has not taken. */
  readonly heldBytesPerClient: number;
  /** Calls at once on one connection; a client queues what is above. Absent: all that its client may have, and some more, which are refused. */
  readonly streamsPerConnection?: number;
  /**
   * Calls at once of one client (see Callers) that take time, over all its connections; what is above is refused. As many again may be on
   * their way to the node.
   */
  readonly callsPerClient: number;
  /** Streams of answers that one client may have open; they do not count as calls. */
  readonly streamsPerClient: number;
  /** Calls that one client may begin per second, in the long run; 0: as many as it wants. */
  readonly callsPerSecond: number;
  /** Calls that a client may begin at once after a pause. */
  readonly callBurst: number;
  /** Events of one PublishEvents call that wait for their acknowledgement; while there are so many, the stream is not read. */
  readonly publishesInFlight: number;
  /** How far in the future the time of an event may be. */
  readonly futureMsMax: number;
  /** Connections that are open at once, of all clients; one above is closed. */
  readonly connectionsMax: number;
  /** A connection without traffic is pinged after this long, and closed when there is no answer in time. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection this old is closed, so that clients spread over new nodes; its calls may end first. */
  readonly connectionAgeMsMax: number;
  /** How long its calls may take to end; absent: as long as they want. */
  readonly connectionAgeGraceMs?: number;
}

export const CALL_LIMITS: CallLimits = {
  requestBytesMax: 2 ** 16,
  requestMsMax: 10_000,
  streamMessageBytesMax: 4 * 2 ** 20,
  streamMessageMsMax: 60_000,
  heldBytesPerClient: 64 * 2 ** 20,
  callsPerClient: 512,
  streamsPerClient: 4096,
  callsPerSecond: 0,
  callBurst: 100,
  publishesInFlight: 256,
  futureMsMax: 24 * 3_600_000,
  connectionsMax: 10_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  connectionAgeMsMax: 30 * 60_000,
};
