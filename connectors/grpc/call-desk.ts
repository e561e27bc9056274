/** What all calls share: the limits, the counts of calls per client, and where their ends and their faults are told. */
import { status } from '@grpc/grpc-js';
import type { Clock, Logger } from '../../runtime/ports.js';
import { type Caller, Callers } from './callers.js';
import type { CallLimits } from './call-limits.js';
import { ClientLimit } from './client-limit.js';
import { HeldBytes } from './held-bytes.js';
import { RateLimit } from './rate-limit.js';
import { type Fault, TOO_LATE, tooFast, tooManyCalls, tooManyStreams, tooMuchHeld } from './status-details.js';

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
  readonly clients: ClientLimit;
  /** Streams of answers. */
  readonly streams: ClientLimit;
  /** Single requests that are not complete. */
  readonly incomplete: ClientLimit;
  readonly held: HeldBytes;
  /** Absent: no limit. */
  readonly rate: RateLimit | undefined;
  private loggedAtMs = -Infinity;
  private unlogged = 0;

  constructor(
    readonly limits: CallLimits,
    readonly clock: Pick<Clock, 'nowMs'>,
    private readonly logger: Logger | undefined,
  ) {
    const { callsPerClient, streamsPerClient, callsPerSecond, callBurst } = limits;
    this.clients = new ClientLimit(callsPerClient, this.callers.of);
    this.streams = new ClientLimit(streamsPerClient, this.callers.of);
    this.incomplete = new ClientLimit(callsPerClient, this.callers.of);
    this.held = new HeldBytes(limits.heldBytesPerClient);
    this.rate = callsPerSecond === 0 ? undefined : new RateLimit(callsPerSecond, callBurst, () => clock.nowMs());
  }

  /** Why a call is not taken up at all; `among` whom it counts. */
  faultOfCaller(call: TimedCaller, among = this.clients): Fault | undefined {
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
  faultOfHeld(call: Caller): Fault | undefined {
    if (this.held.admits(() => this.callers.of(call))) return undefined;
    return tooMuchHeld(this.held.bytesMax, this.callers.of(call));
  }

  /** Whether the client has too many under way. */
  faultOfNumber(call: Caller, among: ClientLimit): Fault | undefined {
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
    const now = this.clock.nowMs();
    if (now - this.loggedAtMs < LOG_EVERY_MS) {
      this.unlogged++;
      return;
    }
    this.logger?.error({ err: error, method, requestId, unlogged: this.unlogged }, 'a gRPC call failed');
    this.loggedAtMs = now;
    this.unlogged = 0;
  }
}
