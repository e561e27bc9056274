/** What is ours to mend goes to the log, at most once a second: a broken answer must not fill the disk. */
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { LogThrottle } from '../../facade/errors/log-throttle.js';

const LOG_EVERY_MS = 1_000;

export class FaultLog {
  private readonly logged: LogThrottle;

  constructor(
    private readonly logger: Logger | undefined,
    clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
  ) {
    this.logged = new LogThrottle(LOG_EVERY_MS, clock);
  }

  told(request: string, requestId: string, error: unknown): void {
    const unlogged = this.logged.suppressedBefore();
    if (unlogged !== undefined)
      this.logger?.error({ err: error, request, requestId, unlogged }, 'an HTTP request failed');
  }
}
