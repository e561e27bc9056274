/** State shared by all calls: the limits, admission, bytes buffered per client, and the fault log. */
import { type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { Admission, type CallFacts } from '../../facade/admission/admission.js';
import { ClientLimit } from '../../facade/admission/client-limit.js';
import { ClientTally } from '../../facade/admission/client-tally.js';
import type { TokenCheck } from '../../facade/admission/token-check.js';
import { type ApiError, tooMuchUnread, tooSlow } from '../../facade/errors/fault.js';
import { FaultLog } from '../../facade/errors/fault-log.js';
import type { CallObserver } from '../../facade/ports.js';
import type { CallLimits } from './call-limits.js';
import { Overdue } from './overdue.js';
import { TOO_LATE } from './status-details.js';

/** A timer may fire this early by the wall clock. */
const TIMER_EARLY_MS = 1;

/** The parts of a call that are read before it is admitted. */
export type Caller = Pick<ServerInterceptingCallInterface, 'getConnectionInfo' | 'getAuthContext' | 'getDeadline'>;

interface Refusable {
  refuse(fault: ApiError): void;
}

export interface ServerContextOptions {
  readonly limits: CallLimits;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly connectionOf?: CallFacts<Caller>['connectionOf'];
  readonly tokens?: TokenCheck | undefined;
  readonly observer?: CallObserver | undefined;
  readonly logger?: Logger | undefined;
}

export class ServerContext {
  readonly limits: CallLimits;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly observer: CallObserver | undefined;
  readonly admission: Admission<Caller>;
  /** Incomplete unary requests, and request streams. */
  readonly reading: ClientLimit<Caller>;
  readonly incomplete: Overdue<Refusable>;
  /** Response bytes that clients have not read. */
  readonly unread = new ClientTally();
  readonly faults: FaultLog;

  constructor({ limits, clock, connectionOf = (call) => call, tokens, observer, logger }: ServerContextOptions) {
    this.limits = limits;
    this.clock = clock;
    this.observer = observer;
    this.admission = new Admission({ limits, clock, tokens, connectionOf, peerOf });
    this.reading = new ClientLimit(limits.callsPerClient, this.admission.clientOf);
    this.incomplete = new Overdue(limits.requestMsMax, (call) => call.refuse(tooSlow(limits.requestMsMax)));
    this.faults = new FaultLog('a gRPC call', logger, clock);
  }

  /** Why an admitted call is refused nevertheless. */
  faultOf(call: Caller): ApiError | undefined {
    const deadline = call.getDeadline();
    if (deadline !== Infinity && this.clock.nowMs() >= Number(deadline)) return TOO_LATE;
    const { unreadBytesPerClient } = this.limits;
    if (this.unread.total <= unreadBytesPerClient) return undefined;
    const client = this.admission.clientOf(call);
    return this.unread.of(client) <= unreadBytesPerClient ? undefined : tooMuchUnread(unreadBytesPerClient, client);
  }

  /** The status that grpc-js or the client gave a cancelled call. */
  codeOfCancelled(call: Pick<Caller, 'getDeadline'>): status {
    return this.clock.nowMs() + TIMER_EARLY_MS >= Number(call.getDeadline())
      ? status.DEADLINE_EXCEEDED
      : status.CANCELLED;
  }
}

const peerOf = (call: Caller): ReturnType<CallFacts<Caller>['peerOf']> => ({
  address: call.getConnectionInfo().remoteAddress ?? '',
  certificate: call.getAuthContext().sslPeerCertificate,
});
