/** Limits the number of open connections. */
import type { Server } from 'node:net';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { LogThrottle } from '../errors/log-throttle.js';

const LOG_EVERY_MS = 60_000;

/**
 * For listening servers: a connection beyond `max` is closed before anything is read from it, and logged at most once a minute. `what` begins the log
 * line: `HTTP connections`.
 */
export function boundConnections(
  servers: Iterable<Server>,
  max: number,
  what: string,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
  logger?: Logger,
): void {
  const throttle = new LogThrottle(LOG_EVERY_MS, clock);
  let turnedAway = 0;
  for (const listening of servers) {
    listening.maxConnections = max;
    listening.on('drop', () => {
      turnedAway++;
      if (throttle.suppressedBefore() === undefined) return;
      logger?.warn(
        { turnedAway, max },
        `${what} are turned away: raise connections.atOnce, or let clients share theirs`,
      );
    });
  }
}
