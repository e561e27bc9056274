/**
 * Log messages of grpc-js in our log: it has one logger per process, that of the last server. A foreign client can cause messages and choose their
 * content: so they are truncated, contain no headers (which may be tokens), and are logged at most once a second.
 */
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { LogThrottle } from '../../facade/errors/log-throttle.js';

const LOG_EVERY_MS = 1_000;
const CHARACTERS_MAX = 300;
const OF_A_HEADER = /^(Failed to add metadata entry [\w.-]{1,64}).*/s;

export function libraryLog(logger: Logger, clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): Partial<Console> {
  const throttle = new LogThrottle(LOG_EVERY_MS, clock);
  const tell =
    (level: 'warn' | 'info' | 'debug') =>
    (...words: unknown[]): void => {
      const suppressed = throttle.suppressedBefore();
      if (suppressed === undefined) return;
      const line = words.map(String).join(' ').replace(OF_A_HEADER, '$1');
      logger[level]({ from: 'grpc-js', suppressed }, line.slice(0, CHARACTERS_MAX));
    };
  return { error: tell('warn'), info: tell('info'), debug: tell('debug') };
}
