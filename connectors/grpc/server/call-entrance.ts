/**
 * The way of a call to its handler. grpc-js calls the handler of a single request when all of the request is there; what must not wait for
 * that is done here, by the headers:
 *
 *   CALL-ENTRANCE-1  a call that may not be (its token, its rate, the number of calls) is refused before anything of its request is read
 *   CALL-ENTRANCE-2  a single request is bounded: in bytes, when its length is announced; in time; and in how many of one client are not complete. Those of
 *                    health too, which is open to all
 *   CALL-ENTRANCE-3  what grpc-js refuses by itself (a frame that is broken or too long, a deadline) is told and has a request id, as what we refuse. Not
 *                    so what it has no handler for: methods that there are not, and what is no gRPC
 *   CALL-ENTRANCE-4  messages of a stream of requests are bounded in time too; what is kept for a client, of messages that are not complete and of answers
 *                    that it does not take, in bytes
 *   CALL-ENTRANCE-5  of a call that is refused nothing more is taken in
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import type { CallDesk } from './call-desk.js';
import type { ClientLimit } from '../../facade/admission/client-limit.js';
import { Overdue } from './overdue.js';
import { type Caller, connectionOf } from './callers.js';
import type { CalledMethod } from '../../facade/ports.js';
import { type ApiError, type FaultCode, faultOf, tooManyCalls, tooSlow } from '../../facade/errors/fault.js';
import { type Refusal, refusal, REQUEST_ID_KEY } from './status-details.js';
import type { Subject, TokenCheck } from '../../facade/admission/token-check.js';

export interface EnteredMethod extends CalledMethod {
  /** Without token, rate, and number of calls. */
  readonly isOpen: boolean;
}

/** A call of grpc-js, with what of it is not in its types: tests of the limits fail where that has changed. */
export interface EnteringCall extends ServerInterceptingCallInterface {
  readonly stream: ServerHttp2Stream;
  readonly decoder: {
    maxReadMessageLength: number;
    readonly readState: number;
    readonly readMessageSize: number;
    readonly readMessageRemaining: number;
    write(data: Buffer): Buffer[];
  };
  maxReceiveMessageSize: number;
  [ARRIVAL]?: Arrival<Teller>;
}

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** Who tells of a call. */
export interface Teller {
  readonly isOver: boolean;
  refused(error: Partial<Refusal>): Refusal;
  end(code: status): void;
}

interface Refusable {
  refuse(fault: ApiError): void;
}

export type Begin<T> = (method: EnteredMethod, call: EnteringCall, metadata: Metadata) => T;

const ARRIVAL = Symbol('arrival');
/** Of the decoder: in the midst of a message. */
const READING_MESSAGE = 2;

export class CallEntrance<T extends Teller> {
  /** By path. */
  private readonly methods = new Map<string, EnteredMethod>();
  /** Requests, and messages of streams of them, that are not complete. */
  readonly incomplete: Overdue<Refusable>;
  readonly unfinished: Overdue<Refusable>;

  constructor(
    readonly desk: CallDesk,
    private readonly tokens: TokenCheck | undefined,
    readonly begin: Begin<T>,
  ) {
    const { requestMsMax, streamMessageMsMax } = desk.limits;
    const within = (msMax: number) => new Overdue<Refusable>(msMax, (call) => call.refuse(tooSlow(msMax)));
    this.incomplete = within(requestMsMax);
    this.unfinished = within(streamMessageMsMax);
  }

  add(path: string, method: EnteredMethod): void {
    this.methods.set(path, method);
  }

  /** Who tells of the call that a handler was given. */
  tellerOf(call: object): T {
    const { call: entered } = call as { readonly call: EnteringCall };
    return entered[ARRIVAL]!.teller as T;
  }

  readonly interceptor: ServerInterceptor = ({ path, requestStream }, call) => {
    const entering = call as EnteringCall;
    entering[ARRIVAL] = new Arrival(this, this.methods.get(path)!, entering, requestStream);
    // Not a call around the call: grpc-js sends statuses of its own past the interceptors.
    entering.start = start;
    entering.sendStatus = sendStatus;
    if (requestStream) watchMessages(entering);
    else {
      const { requestBytesMax } = this.desk.limits;
      entering.decoder.maxReadMessageLength = requestBytesMax;
      entering.maxReceiveMessageSize = requestBytesMax;
    }
    return entering as unknown as ServerInterceptingCall;
  };

  /** Why a call may not be; without a promise unless the token has to be checked. */
  faultOf(
    call: EnteringCall,
    { isOpen, kind }: EnteredMethod,
    metadata: Metadata,
  ): ApiError | undefined | Promise<ApiError | undefined> {
    if (isOpen) return undefined;
    const { clients, streams } = this.desk;
    const among = kind === 'unary' || kind === 'client_stream' ? clients : streams;
    if (this.tokens === undefined) return this.desk.faultOfCaller(call, among);
    const [header] = metadata.get('authorization');
    const known = this.tokens.known(header);
    return known === undefined
      ? this.tokens.check(header, connectionOf(call)).then((found) => this.faultOfSubject(call, among, found))
      : this.faultOfSubject(call, among, known);
  }

  private faultOfSubject(
    call: EnteringCall,
    among: ClientLimit<Caller>,
    found: Subject | ApiError,
  ): ApiError | undefined {
    if (!('subject' in found)) return found;
    this.desk.callers.recognise(call, found.subject);
    return this.desk.faultOfCaller(call, among);
  }

  /** An answer is on its way. */
  answered(call: object, bytes: number): void {
    const { call: entered } = call as { readonly call: EnteringCall };
    entered[ARRIVAL]!.hold(bytes);
  }
}

/** In the place of the methods of a call: functions of their own for each call would cost it more than all else here. */
function start(this: EnteringCall, listener: Listener): void {
  const arrival = this[ARRIVAL]!;
  arrival.handler = listener;
  methodsOf(this).start.call(this, arrival);
}

function sendStatus(this: EnteringCall, given: Status): void {
  methodsOf(this).sendStatus.call(this, this[ARRIVAL]!.statusOf(given));
}

/** Of streams of requests: how much of a message is here that is not complete. */
function watchMessages(call: EnteringCall): void {
  const { decoder } = call;
  const write = decoder.write.bind(decoder);
  decoder.write = (data) => {
    const messages = write(data);
    const isWithin = decoder.readState === READING_MESSAGE;
    const bytes = isWithin ? decoder.readMessageSize - decoder.readMessageRemaining : 0;
    call[ARRIVAL]!.hasOfMessage(bytes, messages.length > 0);
    return messages;
  };
}

const methodsOf = (call: EnteringCall): EnteringCall => Object.getPrototypeOf(call) as EnteringCall;

/** One call on its way. */
class Arrival<T extends Teller> implements Listener {
  teller: T | undefined;
  handler!: Listener;
  /** All of its request is there, or what it is about is over. */
  private isComplete = false;
  private isOver = false;
  private leave: (() => void) | undefined;
  /** Bytes that are kept for it, for whom, and how many of them are of a message that is not complete. */
  private held = 0;
  private holder: string | undefined;
  private ofMessage = 0;

  constructor(
    private readonly entrance: CallEntrance<T>,
    private readonly method: EnteredMethod,
    private readonly call: EnteringCall,
    private readonly isStream: boolean,
  ) {}

  onReceiveMetadata(metadata: Metadata): void {
    this.teller = this.entrance.begin(this.method, this.call, metadata);
    const fault = this.entrance.faultOf(this.call, this.method, metadata);
    if (!(fault instanceof Promise)) this.goOn(metadata, fault);
    else
      fault.then(
        (found) => this.goOn(metadata, found),
        (error: unknown) => this.goOn(metadata, faultOf(error)),
      );
  }

  private goOn(metadata: Metadata, fault: ApiError | undefined): void {
    if (this.isOver) return;
    if (fault !== undefined) this.refuse(fault);
    else if (this.isStream) this.handler.onReceiveMetadata(metadata);
    else this.read(metadata, false);
  }

  onReceiveMessage(message: unknown): void {
    this.handler.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.complete();
    this.handler.onReceiveHalfClose();
  }

  /** Comes at the end of every call, however it ended. */
  onCancel(): void {
    this.isOver = true;
    this.complete();
    this.entrance.unfinished.end(this);
    if (this.held > 0) this.entrance.desk.held.add(this.holder!, -this.held);
    this.handler.onCancel();
    // What the handler has not told, or was not called for.
    if (this.teller?.isOver === false) this.teller.end(this.entrance.desk.codeOfCancelled(this.call));
  }

  hold(bytes: number): void {
    if (this.isOver || bytes === 0) return;
    const { held, callers } = this.entrance.desk;
    this.holder ??= callers.of(this.call);
    this.held += bytes;
    held.add(this.holder, bytes);
  }

  /** `bytes` of the message that has begun are here; `isAnother`: than the last time. */
  hasOfMessage(bytes: number, isAnother: boolean): void {
    const { desk, unfinished } = this.entrance;
    if (isAnother || bytes === 0) unfinished.end(this);
    if (bytes > 0) unfinished.begin(this);
    this.hold(bytes - this.ofMessage);
    this.ofMessage = bytes;
    const fault = bytes === 0 || this.isOver ? undefined : desk.faultOfHeld(this.call);
    if (fault !== undefined) this.refuse(fault);
  }

  refuse(fault: ApiError): void {
    this.call.sendStatus(refusal(fault));
  }

  /** What is sent of a status. */
  statusOf(given: Status): Status {
    const { teller } = this;
    if (given.code === status.OK || teller === undefined || teller.isOver) return given;
    if (!this.call.stream.headersSent) setImmediate(() => this.drop());
    if ((given.metadata?.get(REQUEST_ID_KEY).length ?? 0) > 0) return given;
    const refused = teller.refused(given.metadata ? (given as Refusal) : refusal(this.faultOf(given)));
    this.complete();
    teller.end(refused.code);
    return refused;
  }

  /** What is wrong, by the word of grpc-js. */
  private faultOf({ code = status.UNKNOWN, details = '' }: Status): ApiError {
    const name = status[code] as FaultCode;
    const reason = REASONS[code] ?? (this.isComplete ? name : 'MALFORMED_REQUEST');
    return { code: name, message: details, reason };
  }

  private read(metadata: Metadata, isSecondLook: boolean): void {
    const { call, entrance } = this;
    const { incomplete } = entrance.desk;
    if (!incomplete.admits(call)) {
      // Requests that came in one piece with this one are complete by the next turn.
      if (isSecondLook) this.refuse(tooManyCalls(incomplete.callsMax, entrance.desk.callers.of(call)));
      else setImmediate(() => this.isOver || this.read(metadata, true));
      return;
    }
    this.leave = incomplete.enter(call);
    entrance.incomplete.begin(this);
    this.handler.onReceiveMetadata(metadata);
  }

  private complete(): void {
    this.isComplete = true;
    if (this.leave === undefined) return;
    this.leave();
    this.leave = undefined;
    this.entrance.incomplete.end(this);
  }

  private drop(): void {
    const { stream } = this.call;
    if (!stream.destroyed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

const REASONS: { readonly [code in status]?: string } = {
  [status.RESOURCE_EXHAUSTED]: 'REQUEST_TOO_LARGE',
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_PASSED',
};
