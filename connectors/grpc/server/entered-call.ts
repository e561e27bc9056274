/**
 * A call on its way to its handler and back. grpc-js calls the handler of a single request when all of the request is there; what must not wait for that
 * is done here, by the headers. Only the public interface of interceptors is used.
 *
 *   ENTERED-CALL-1  a call that is not admitted (identity, token, rate, number) is refused before anything of its request is read
 *   ENTERED-CALL-2  a single request is bounded in bytes and in time. How many a client may have on their way, streams of requests among them, is bounded
 *                   too, and each message: so is what we keep of requests. Those of health count as well
 *   ENTERED-CALL-3  what is kept for a client of answers that it does not take is bounded in bytes
 *   ENTERED-CALL-4  a call begins once and ends once for the observer, with its status, whatever becomes of it
 *   ENTERED-CALL-5  every call has an id: the client's `x-request-id` if it is a short plain word, else one of ours. Answers have it in their initial
 *                   metadata, refusals in their trailers and details, and so has the log. Not so what grpc-js refuses past its interceptors: frames that
 *                   are broken or above the transport's limit, deadlines, methods that do not exist
 */
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import type { CalledMethod } from '../../facade/ports.js';
import { type ApiError, type FaultCode, faultOf, tooLarge, tooManyCalls } from '../../facade/errors/fault.js';
import { requestIdOf } from '../../facade/errors/request-id.js';
import type { ClientLimit } from '../../facade/admission/client-limit.js';
import type { CallDesk, Caller } from './call-desk.js';
import { CallSpan } from './call-span.js';
import { type Refusal, refusal, REQUEST_ID_KEY, withRequestId } from './status-details.js';

export interface EnteredMethod extends CalledMethod {
  /** Without token, rate, and number of calls. */
  readonly isOpen: boolean;
}

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

const ENTERED = Symbol('entered call');
interface EnteredMetadata {
  [ENTERED]?: EnteredCall;
}

/** Of what a handler is given: its metadata are those that came in here. */
export const enteredOf = (call: object): EnteredCall | undefined =>
  (call as { readonly metadata?: EnteredMetadata }).metadata?.[ENTERED];

export const clientOf = (call: object): string => enteredOf(call)!.client;

export const spanOf = (call: object): CallSpan | undefined => enteredOf(call)?.span;

/** Its methods go to the call below it at once: those of grpc-js's class between would cost a call more than all else here. */
export class EnteredCall extends ServerInterceptingCall implements Listener {
  span!: CallSpan;
  isOver = false;
  private readonly beganMs = performance.now();
  private handler!: Listener;
  private headers!: Metadata;
  private id: string | undefined;
  private isCancelled = false;
  private isComplete = false;
  private leave: (() => void) | undefined;
  /** Bytes of an answer that is not taken, and for whom. */
  private held = 0;
  private holder = '';

  constructor(
    private readonly desk: CallDesk,
    private readonly method: EnteredMethod,
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
    if (!this.isStream && message instanceof Uint8Array) this.hold(message.length);
    this.below.sendMessage(message, callback);
  }

  override sendStatus(given: Status): void {
    this.below.sendStatus(this.isOver || given.code === status.OK ? given : this.refused(given));
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.headers = metadata;
    (metadata as EnteredMetadata)[ENTERED] = this;
    this.desk.observer?.began(this.method);
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
    const { requestBytesMax } = this.desk.limits;
    if (!this.isStream && message instanceof Uint8Array && message.length > requestBytesMax)
      this.refuse(tooLarge(message.length, requestBytesMax));
    else this.handler.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.complete();
    this.handler.onReceiveHalfClose();
  }

  /** Comes at the end of every call, however it ended. */
  onCancel(): void {
    this.isCancelled = true;
    this.complete();
    this.leave?.();
    if (this.held > 0) this.desk.held.add(this.holder, -this.held);
    this.handler.onCancel();
    // What the handler has not ended, or was not called for.
    if (!this.isOver && this.headers !== undefined) this.end(this.desk.codeOfCancelled(this));
  }

  get client(): string {
    return this.desk.admission.clientOf(this);
  }

  /** Counts it among its client's calls, until what it gives is called. */
  enterCalls(): () => void {
    return this.desk.admission.calls.enter(this);
  }

  /** Others may have been taken up since this one was admitted. */
  checkNumber(among: ClientLimit<Caller>): ApiError | undefined {
    return this.desk.admission.checkNumber(this, among);
  }

  refuse(fault: ApiError): void {
    this.sendStatus(refusal(fault));
  }

  /** What is sent of an error, once. */
  withId(error: Partial<Refusal> & { readonly message?: string }): Refusal {
    const requestId = this.requestId();
    if ('error' in error) this.desk.faults.log(this.method.method, requestId, error.error);
    return withRequestId(error, requestId);
  }

  end(code: status): void {
    if (this.isOver) return;
    this.isOver = true;
    const { method, kind } = this.method;
    this.span.end(status[code]);
    this.desk.observer?.ended({ method, kind, code: status[code], ms: performance.now() - this.beganMs });
  }

  /** Without a promise unless its token has to be checked. */
  private check(): ApiError | undefined | Promise<ApiError | undefined> {
    const { isOpen, kind } = this.method;
    if (isOpen) return undefined;
    const { calls, streams } = this.desk.admission;
    const among = kind === 'unary' || kind === 'client_stream' ? calls : streams;
    return this.desk.admission.check(this, this.headers.get('authorization')[0], among);
  }

  private goOn(refusedBy: ApiError | undefined): void {
    if (this.isCancelled) return;
    const fault = refusedBy ?? (this.method.isOpen ? undefined : this.desk.faultOf(this));
    if (fault === undefined) this.read(false);
    else this.refuse(fault);
  }

  private read(isSecondLook: boolean): void {
    const { reading, incomplete, admission } = this.desk;
    if (!reading.admits(this)) {
      // Requests that came in one piece with this one are complete by the next turn.
      if (isSecondLook) this.refuse(tooManyCalls(reading.callsMax, admission.clientOf(this)));
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
    this.desk.incomplete.end(this);
  }

  private hold(bytes: number): void {
    if (this.isCancelled) return;
    this.holder = this.desk.admission.clientOf(this);
    this.held = bytes;
    this.desk.held.add(this.holder, bytes);
  }

  /** Ends the call for the observer, with what is sent of a status that is not OK. */
  private refused(given: Status): Status {
    // The handler's, who ends the call itself.
    if ((given.metadata?.get(REQUEST_ID_KEY).length ?? 0) > 0) return given;
    const sent = this.withId(given.metadata ? (given as Refusal) : refusal(this.faultOfLibrary(given)));
    this.complete();
    this.end(sent.code);
    return sent;
  }

  /** What is wrong, by the word of grpc-js. */
  private faultOfLibrary({ code = status.UNKNOWN, details = '' }: Status): ApiError {
    const name = status[code] as FaultCode;
    return { code: name, message: details, reason: this.isComplete ? name : 'MALFORMED_REQUEST' };
  }

  private requestId(): string {
    return (this.id ??= requestIdOf(this.headers.get(REQUEST_ID_KEY)[0]));
  }
}
