/** What one client may ask of either façade, each with its default; the façades count each for itself. */
export interface ClientLimits {
  /** Calls (requests) at once of one client that take time, over all its connections; what is above is refused. */
  readonly callsPerClient: number;
  /** Streams of answers that one client may have open; they do not count as calls. */
  readonly streamsPerClient: number;
  /** Calls that one client may begin per second, in the long run; 0: as many as it wants. */
  readonly callsPerSecond: number;
  /** Calls that a client may begin at once after a pause. */
  readonly callBurst: number;
  /** Events of one call that wait for their acknowledgement; while there are so many, no more are taken in. */
  readonly publishesInFlight: number;
  /** Connections that are open at once, of all clients; one above is closed. */
  readonly connectionsMax: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  callsPerClient: 512,
  streamsPerClient: 4096,
  callsPerSecond: 0,
  callBurst: 100,
  publishesInFlight: 256,
  connectionsMax: 10_000,
};
