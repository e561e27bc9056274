/** What all calls share: the limits, the counts of calls per client, and where their ends and their faults are told. */
import { status } from '@grpc/grpc-js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { type Caller, Callers } from './callers.js';
import type { CallLimits } from './call-limits.js';
import { ClientLimit } from '../../facade/admission/client-limit.js';
import { ClientTally } from '../../facade/admission/client-tally.js';
import { RateLimit } from '../../facade/admission/rate-limit.js';
import { LogThrottle } from '../../facade/errors/log-throttle.js';
import { type ApiError, tooFast, tooManyCalls, tooManyStreams, tooMuchHeld } from '../../facade/errors/fault.js';
import { TOO_LATE } from './status-details.js';

/** Errors of ours are logged at most this often: a broken answer must not fill the disk. */
const LOG_EVERY_MS = 1000;
/** Timers are up to this early by the wall clock. */
const TIMER_EARLY_MS = 1;

export interface TimedCaller extends Caller {
  getDeadline(): Date | number;
}

export class CallDesk {
  readonly callers = new Callers();
  /** Calls that take time. */
  readonly clients: ClientLimit<Caller>;
  /** Streams of answers. */
  readonly streams: ClientLimit<Caller>;
  /** Single requests that are not complete. */
  readonly incomplete: ClientLimit<Caller>;
  /** Bytes that are kept: of messages that are begun and not ended, of answers that are not taken. */
  readonly held = new ClientTally();
  /** Absent: no limit. */
  readonly rate: RateLimit | undefined;
  private readonly logged: LogThrottle;

  constructor(
    readonly limits: CallLimits,
    readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    private readonly logger: Logger | undefined,
  ) {
    const { callsPerClient, streamsPerClient, callsPerSecond, callBurst } = limits;
    this.clients = new ClientLimit(callsPerClient, this.callers.of);
    this.streams = new ClientLimit(streamsPerClient, this.callers.of);
    this.incomplete = new ClientLimit(callsPerClient, this.callers.of);
    this.logged = new LogThrottle(LOG_EVERY_MS, clock);
    this.rate = callsPerSecond === 0 ? undefined : new RateLimit(callsPerSecond, callBurst, clock);
  }

  /** Why a call is not taken up at all; `among` whom it counts. */
  faultOfCaller(call: TimedCaller, among = this.clients): ApiError | undefined {
    if (this.rate !== undefined) {
      const client = this.callers.of(call);
      const waitMs = this.rate.take(client);
      if (waitMs > 0) return tooFast(this.rate.perSecond, client, waitMs);
    }
    const deadline = call.getDeadline();
    if (deadline !== Infinity && this.clock.nowMs() >= Number(deadline)) return TOO_LATE;
    return this.faultOfHeld(call) ?? this.faultOfNumber(call, among);
  }

  /** Whether we keep too much for the client. */
  faultOfHeld(call: Caller): ApiError | undefined {
    const { heldBytesPerClient } = this.limits;
    if (this.held.total <= heldBytesPerClient) return undefined;
    const client = this.callers.of(call);
    return this.held.of(client) <= heldBytesPerClient ? undefined : tooMuchHeld(heldBytesPerClient, client);
  }

  /** Whether the client has too many under way. */
  faultOfNumber(call: Caller, among: ClientLimit<Caller>): ApiError | undefined {
    if (among.admits(call)) return undefined;
    const tooMany = among === this.streams ? tooManyStreams : tooManyCalls;
    return tooMany(among.callsMax, this.callers.of(call));
  }

  /** The status that grpc-js or the client itself gave a call that it cancelled. */
  codeOfCancelled(call: TimedCaller): status {
    return this.clock.nowMs() + TIMER_EARLY_MS >= Number(call.getDeadline())
      ? status.DEADLINE_EXCEEDED
      : status.CANCELLED;
  }

  /** Of what is ours to mend. */
  log(method: string, requestId: string, error: unknown): void {
    const unlogged = this.logged.suppressedBefore();
    if (unlogged !== undefined) this.logger?.error({ err: error, method, requestId, unlogged }, 'a gRPC call failed');
  }
}
