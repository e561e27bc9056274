/**
 * A call between the transport and its handler. grpc-js calls the handler of a unary request when all of the request has arrived; checks that must
 * not wait for that are made here, when the headers arrive. Only the public interface of interceptors is used.
 *
 *   INTERCEPTED-CALL-1  a call that is not admitted (identity, token, rate, number) is refused before any of its request is read
 *   INTERCEPTED-CALL-2  a unary request is bounded in bytes and in time. The number of incomplete requests and request streams of a client is bounded too,
 *                   and so is each message: together they bound the buffered requests. Health checks count as well
 *   INTERCEPTED-CALL-3  response bytes that a client does not read are bounded per client
 *   INTERCEPTED-CALL-4  the observer sees one begin and one end of a call, with its status, however the call ends
 *   INTERCEPTED-CALL-5  every call has an id: the client's `x-request-id` if it is short and plain, else a generated one. Responses have it in their initial
 *                   metadata, refusals in their trailers and details, and the log has it. The exceptions are refusals that grpc-js makes without its
 *                   interceptors: broken frames or frames above the transport's limit, deadlines, unknown methods
 */
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import type { CalledMethod } from '../../facade/ports.js';
import { type ApiError, type FaultCode, faultOf, tooLarge, tooManyCalls } from '../../facade/errors/fault.js';
import { requestIdOf } from '../../facade/errors/request-id.js';
import type { ClientLimit } from '../../facade/admission/client-limit.js';
import type { ServerContext, Caller } from './server-context.js';
import { CallSpan } from './call-span.js';
import { type Refusal, refusal, REQUEST_ID_KEY, withRequestId } from './status-details.js';

export interface GuardedMethod extends CalledMethod {
  /** Exempt from token, rate, and number of calls. */
  readonly isOpen: boolean;
}

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

const INTERCEPTED = Symbol('intercepted call');
interface InterceptedMetadata {
  [INTERCEPTED]?: InterceptedCall;
}

/** The call of a handler's argument: its metadata are those that came in here. */
export const interceptedOf = (call: object): InterceptedCall | undefined =>
  (call as { readonly metadata?: InterceptedMetadata }).metadata?.[INTERCEPTED];

export const clientOf = (call: object): string => interceptedOf(call)!.client;

export const spanOf = (call: object): CallSpan | undefined => interceptedOf(call)?.span;

/** Forwards directly to the call below: going through the methods of grpc-js's class would cost more than everything else here. */
export class InterceptedCall extends ServerInterceptingCall implements Listener {
  span!: CallSpan;
  isOver = false;
  private readonly beganMs = performance.now();
  private handler!: Listener;
  private headers!: Metadata;
  private id: string | undefined;
  private isCancelled = false;
  private isComplete = false;
  private leave: (() => void) | undefined;
  /** Response bytes that are not read, and the client that they count for. */
  private unread = 0;
  private unreadBy = '';

  constructor(
    private readonly context: ServerContext,
    private readonly method: GuardedMethod,
    private readonly below: ServerInterceptingCallInterface,
    private readonly isStream: boolean,
  ) {
    super(below);
  }

  override start(listener: Listener): void {
    this.handler = listener;
    this.below.start(this);
  }

  override sendMetadata(metadata: Metadata): void {
    this.below.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (!this.isStream && message instanceof Uint8Array) this.countUnread(message.length);
    this.below.sendMessage(message, callback);
  }

  override sendStatus(given: Status): void {
    this.below.sendStatus(this.isOver || given.code === status.OK ? given : this.refused(given));
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.headers = metadata;
    (metadata as InterceptedMetadata)[INTERCEPTED] = this;
    this.context.observer?.began(this.method);
    this.span = new CallSpan(this.method, this, metadata, () => this.requestId());
    const fault = this.check();
    if (!(fault instanceof Promise)) this.goOn(fault);
    else
      fault.then(
        (found) => this.goOn(found),
        (error: unknown) => this.goOn(faultOf(error)),
      );
  }

  onReceiveMessage(message: unknown): void {
    const { requestBytesMax } = this.context.limits;
    if (!this.isStream && message instanceof Uint8Array && message.length > requestBytesMax)
      this.refuse(tooLarge(message.length, requestBytesMax));
    else this.handler.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.complete();
    this.handler.onReceiveHalfClose();
  }

  /** Called at the end of every call, however it ended. */
  onCancel(): void {
    this.isCancelled = true;
    this.complete();
    this.leave?.();
    if (this.unread > 0) this.context.unread.add(this.unreadBy, -this.unread);
    this.handler.onCancel();
    // The handler has not ended it, or was not called.
    if (!this.isOver && this.headers !== undefined) this.end(this.context.codeOfCancelled(this));
  }

  get client(): string {
    return this.context.admission.clientOf(this);
  }

  /** Counts it among its client's calls, until the returned function is called. */
  enterCalls(): () => void {
    return this.context.admission.calls.enter(this);
  }

  /** Other calls may have been counted since this one was admitted. */
  checkNumber(among: ClientLimit<Caller>): ApiError | undefined {
    return this.context.admission.checkNumber(this, among);
  }

  refuse(fault: ApiError): void {
    this.sendStatus(refusal(fault));
  }

  /** The refusal that is sent for an error; called once. */
  withId(error: Partial<Refusal> & { readonly message?: string }): Refusal {
    const requestId = this.requestId();
    if ('error' in error) this.context.faults.log(this.method.method, requestId, error.error);
    return withRequestId(error, requestId);
  }

  end(code: status): void {
    if (this.isOver) return;
    this.isOver = true;
    const { method, kind } = this.method;
    this.span.end(status[code]);
    this.context.observer?.ended({ method, kind, code: status[code], ms: performance.now() - this.beganMs });
  }

  /** Returns a promise only if the token must be verified. */
  private check(): ApiError | undefined | Promise<ApiError | undefined> {
    const { isOpen, kind } = this.method;
    if (isOpen) return undefined;
    const { calls, streams } = this.context.admission;
    const among = kind === 'unary' || kind === 'client_stream' ? calls : streams;
    return this.context.admission.check(this, this.headers.get('authorization')[0], among);
  }

  private goOn(refusedBy: ApiError | undefined): void {
    if (this.isCancelled) return;
    const fault = refusedBy ?? (this.method.isOpen ? undefined : this.context.faultOf(this));
    if (fault === undefined) this.read(false);
    else this.refuse(fault);
  }

  private read(isRetry: boolean): void {
    const { reading, incomplete, admission } = this.context;
    if (!reading.admits(this)) {
      // Requests that arrived in one piece with this one are complete by the next turn of the event loop.
      if (isRetry) this.refuse(tooManyCalls(reading.callsMax, admission.clientOf(this)));
      else setImmediate(() => this.isCancelled || this.read(true));
      return;
    }
    this.leave = reading.enter(this);
    if (!this.isStream) incomplete.begin(this);
    this.handler.onReceiveMetadata(this.headers);
  }

  private complete(): void {
    this.isComplete = true;
    if (this.isStream) return;
    this.leave?.();
    this.context.incomplete.end(this);
  }

  private countUnread(bytes: number): void {
    if (this.isCancelled) return;
    this.unreadBy = this.context.admission.clientOf(this);
    this.unread = bytes;
    this.context.unread.add(this.unreadBy, bytes);
  }

  /** Ends the call for the observer; returns the status to send instead of one that is not OK. */
  private refused(given: Status): Status {
    // From the handler, which ends the call itself.
    if ((given.metadata?.get(REQUEST_ID_KEY).length ?? 0) > 0) return given;
    const sent = this.withId(given.metadata ? (given as Refusal) : refusal(this.faultOfLibrary(given)));
    this.complete();
    this.end(sent.code);
    return sent;
  }

  /** The fault for a status that grpc-js made. */
  private faultOfLibrary({ code = status.UNKNOWN, details = '' }: Status): ApiError {
    const name = status[code] as FaultCode;
    return { code: name, message: details, reason: this.isComplete ? name : 'MALFORMED_REQUEST' };
  }

  private requestId(): string {
    return (this.id ??= requestIdOf(this.headers.get(REQUEST_ID_KEY)[0]));
  }
}
