/** The bounds of the HTTP façade, each with its default. */
export interface HttpLimits {
  /** Bytes of a request's body. */
  readonly bodyBytesMax: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytesMax: number;
  /** How long a request may take to be complete. */
  readonly requestMsMax: number;
  /** Requests at once of one client that take time; what is above is refused. */
  readonly callsPerClient: number;
  /** Streams of answers that one client may have open; they do not count as requests. */
  readonly streamsPerClient: number;
  /** Requests that one client may begin per second, in the long run; 0: as many as it wants. */
  readonly callsPerSecond: number;
  /** Requests that a client may begin at once after a pause. */
  readonly callBurst: number;
  /** Events of one request that wait for their acknowledgement. */
  readonly publishesInFlight: number;
  /** How far in the future the time of an event may be. */
  readonly futureMsMax: number;
  /** Connections that are open at once, of all clients; one above is closed. */
  readonly connectionsMax: number;
  /** A connection without a request is closed after this long. */
  readonly keepAliveMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  bodyBytesMax: 4 * 2 ** 20,
  headerBytesMax: 16 * 2 ** 10,
  requestMsMax: 30_000,
  callsPerClient: 512,
  streamsPerClient: 4096,
  callsPerSecond: 0,
  callBurst: 100,
  publishesInFlight: 256,
  futureMsMax: 24 * 3_600_000,
  connectionsMax: 10_000,
  keepAliveMs: 72_000,
};
