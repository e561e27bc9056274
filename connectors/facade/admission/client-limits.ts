/** Limits per client in either façade, with their defaults; each façade counts separately. */
export interface ClientLimits {
  /** Concurrent calls (requests) of one client, over all its connections; further ones are refused. */
  readonly callsPerClient: number;
  /** Open response streams of one client; they do not count as calls. */
  readonly streamsPerClient: number;
  /** Calls that one client may start per second, in the long run; 0: no limit. */
  readonly callsPerSecond: number;
  /** Calls that a client may start at once after a pause. */
  readonly callBurst: number;
  /** Events of one call that wait for their acknowledgement; at this number, no more are read. */
  readonly publishesInFlight: number;
  /** Open connections of all clients; further ones are closed. */
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
