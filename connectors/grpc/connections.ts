/** How many connections the façade keeps. grpc-js has no such limit; the servers of Node that it makes do. */
import type { Server as NetServer } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import type { Clock, Logger } from '../../runtime/ports.js';

/** Of grpc-js, what is not in its types: the test of the limit fails where that has changed. */
interface ServerInside {
  readonly http2Servers: ReadonlyMap<NetServer, unknown>;
}

const TELL_EVERY_MS = 60_000;

/** Of a server that listens: what comes above `max` is closed before anything of it is read, and said in the log at most once a minute. */
export function boundConnections(server: Server, max: number, clock: Clock, logger?: Logger): void {
  let [turnedAway, toldAtMs] = [0, -Infinity];
  for (const listening of (server as unknown as ServerInside).http2Servers.keys()) {
    listening.maxConnections = max;
    listening.on('drop', () => {
      turnedAway++;
      const nowMs = clock.nowMs();
      // A wall clock may go back by hours.
      if (Math.abs(nowMs - toldAtMs) < TELL_EVERY_MS) return;
      logger?.warn(
        { turnedAway, max },
        'connections are turned away: raise grpcConnections.atOnce, or let clients share theirs',
      );
      toldAtMs = nowMs;
    });
  }
}
