/** Logs calls and requests that failed by the server's fault, at most once a second: a broken answer must not fill the disk. */
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { LogThrottle } from './log-throttle.js';

const LOG_EVERY_MS = 1_000;

export class FaultLog {
  private readonly logged: LogThrottle;

  /** `what` begins the log line: `an HTTP request`. */
  constructor(
    private readonly what: string,
    private readonly logger: Logger | undefined,
    clock: Pick<Clock, 'monotonicMs'>,
  ) {
    this.logged = new LogThrottle(LOG_EVERY_MS, clock);
  }

  /** `request`: the HTTP method and route, or the gRPC method. */
  log(request: string, requestId: string, error: unknown): void {
    const unlogged = this.logged.suppressedBefore();
    if (unlogged !== undefined) this.logger?.error({ err: error, request, requestId, unlogged }, `${this.what} failed`);
  }
}
