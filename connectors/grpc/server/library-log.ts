/**
 * What grpc-js has to say, in our log: it keeps one logger per process, the last server's. A stranger can make it speak, and chooses what about: so
 * lines are cut short, hold nothing of headers, which may be tokens, and come at most once a second.
 */
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { LogThrottle } from '../../facade/errors/log-throttle.js';

const TELL_EVERY_MS = 1_000;
const CHARACTERS_MAX = 300;
const OF_A_HEADER = /^(Failed to add metadata entry [\w.-]{1,64}).*/s;

export function libraryLog(logger: Logger, clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): Partial<Console> {
  const told = new LogThrottle(TELL_EVERY_MS, clock);
  const tell =
    (level: 'warn' | 'info' | 'debug') =>
    (...words: unknown[]): void => {
      const untold = told.suppressedBefore();
      if (untold === undefined) return;
      const line = words.map(String).join(' ').replace(OF_A_HEADER, '$1');
      logger[level]({ from: 'grpc-js', untold }, line.slice(0, CHARACTERS_MAX));
    };
  return { error: tell('warn'), info: tell('info'), debug: tell('debug') };
}
