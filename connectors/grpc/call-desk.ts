/** What all calls share: the limits, the count of calls per client, and where their ends and their faults are told. */
import { status } from '@grpc/grpc-js';
import { reactionOf } from '../../runtime/errors.js';
import type { Clock, Logger } from '../../runtime/ports.js';
import type { CallLimits } from './call-limits.js';
import { ClientLimit } from './client-limit.js';
import type { CallObserver } from './ports.js';
import { type Fault, faultOf, TOO_LATE, tooManyCalls } from './status-details.js';

/** Errors of ours are logged at most this often: a broken answer must not fill the disk. */
const LOG_EVERY_MS = 1000;
/** Timers are up to this early by the wall clock. */
const TIMER_EARLY_MS = 1;

interface Caller {
  getPeer(): string;
  getDeadline(): Date | number;
}

export class CallDesk {
  readonly clients: ClientLimit;
  /** Streams that stand for as long as the caller wants: they cost memory, and no work while nothing changes. */
  readonly subscribers: ClientLimit;
  private loggedAtMs = -Infinity;
  private unlogged = 0;

  constructor(
    readonly limits: CallLimits,
    readonly clock: Pick<Clock, 'nowMs'>,
    private readonly onCall: CallObserver | undefined,
    private readonly logger: Logger | undefined,
  ) {
    this.clients = new ClientLimit(limits.callsPerClient);
    this.subscribers = new ClientLimit(limits.subscriptionsPerClient);
  }

  /** Why a call is not taken up at all. */
  faultOfCaller(call: Caller, among = this.clients): Fault | undefined {
    if (!among.admits(call)) return tooManyCalls(among.callsMax);
    const deadline = call.getDeadline();
    return deadline !== Infinity && this.clock.nowMs() >= Number(deadline) ? TOO_LATE : undefined;
  }

  ended(method: string, code: status, startedMs: number): void {
    this.onCall?.({ method, code: status[code], ms: performance.now() - startedMs });
  }

  /** The status that grpc-js or the client itself gave a call that it cancelled. */
  codeOfCancelled(call: Caller): status {
    return this.clock.nowMs() + TIMER_EARLY_MS >= Number(call.getDeadline())
      ? status.DEADLINE_EXCEEDED
      : status.CANCELLED;
  }

  /** What to tell the client of an error; those that are ours to mend are logged. */
  faultOf(method: string, error: unknown): Fault {
    const reaction = reactionOf(error);
    if (reaction === 'bug' || reaction === 'fatal') this.log(method, error);
    return faultOf(error);
  }

  private log(method: string, error: unknown): void {
    const now = this.clock.nowMs();
    if (now - this.loggedAtMs < LOG_EVERY_MS) {
      this.unlogged++;
      return;
    }
    this.logger?.error({ err: error, method, unlogged: this.unlogged }, 'a gRPC call failed');
    this.loggedAtMs = now;
    this.unlogged = 0;
  }
}
