/**
 * What stands around the handler of every call.
 *
 *   G1  a call is told as begun once and as ended once, with its status, whatever becomes of it
 *   G2  the handler sees only calls that keep the limits and, where tokens are asked for, have a good one. Health is open to all: who asks for it
 *       has no token, and must be answered under load. A call whose token is known is handled in the same turn
 *   G3  every call has an id: the client's `x-request-id` if it is a short plain word, else one of ours. Answers have it in their initial
 *       metadata, refusals in their trailers and details, and so has the log
 *   G4  failed tokens count against the rate of the connection, not of the subject that they name
 *   G5  every call has a span (call-span.ts). What a stream is announced with tells of its first list, so it goes with that
 */
import { randomUUID } from 'node:crypto';
import {
  type sendUnaryData,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { CallDesk, TimedCaller } from './call-desk.js';
import { CallSpan, type SpannedCall } from './call-span.js';
import type { ClientLimit } from './client-limit.js';
import type { CalledMethod, CallKind, CallObserver } from './ports.js';
import {
  type Fault,
  faultOf,
  type Refusal,
  refusal,
  REQUEST_ID_KEY,
  tooFast,
  withRequestId,
} from './status-details.js';
import type { Subject, TokenCheck } from './token-check.js';

const REQUEST_ID = /^[\w.:/+=~-]{1,128}$/;

/** What the four kinds of calls have in common. */
type Call = ServerDuplexStream<unknown, unknown>;
type Reply = sendUnaryData<unknown>;
type Handler = (call: Call, reply: Reply) => void;

export class CallGuard {
  constructor(
    private readonly desk: CallDesk,
    private readonly tokens: TokenCheck | undefined,
    private readonly observer: CallObserver | undefined,
  ) {}

  /** The handlers of a service, guarded; `isOpen`: without token and limits of calls. */
  around(
    service: ServiceDefinition,
    handlers: UntypedServiceImplementation,
    isOpen = false,
  ): UntypedServiceImplementation {
    const guarded = Object.entries(handlers).map(([name, handler]) => {
      const definition = service[name] ?? Object.values(service).find(({ originalName }) => originalName === name);
      if (definition === undefined) throw new TypeError(`the service has no method ${name}`);
      const { path, requestStream, responseStream } = definition;
      const method: CalledMethod = { method: path.slice(1), kind: kindOf(requestStream, responseStream) };
      const inner = handler as Handler;
      return [name, responseStream ? this.streaming(method, inner, isOpen) : this.replying(method, inner, isOpen)];
    });
    return Object.fromEntries(guarded) as UntypedServiceImplementation;
  }

  private replying(method: CalledMethod, handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const visit = new Visit(method, call, this.desk, this.observer);
      const answer: Reply = (error, value, trailer, flags) => {
        if (visit.isOver) return;
        if (error === null) {
          visit.span.announce();
          reply(null, value, trailer, flags);
          visit.end(status.OK);
        } else {
          const refused = visit.refused(error);
          reply(refused);
          visit.end(refused.code);
        }
      };
      const handle = (): void => {
        try {
          handler(call, answer);
        } catch (error) {
          answer(refusal(faultOf(error)));
        }
        if (!visit.isOver) call.once('cancelled', () => visit.end(this.desk.codeOfCancelled(call)));
      };
      const { clients } = this.desk;
      this.admitted(call, isOpen ? undefined : clients, (fault) => {
        if (call.cancelled) visit.end(this.desk.codeOfCancelled(call));
        else if (fault === undefined) handle();
        else answer(refusal(fault));
      });
    };
  }

  private streaming(method: CalledMethod, handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const visit = new Visit(method, call, this.desk, this.observer);
      let code: status | undefined;
      // Before grpc-js makes the status of it.
      call.prependListener('error', (error: Error) => {
        const refused = visit.refused(error);
        code = refused.code;
        Object.assign(error, refused);
      });
      const refuse = (fault: Fault): void =>
        void call.emit('error', Object.assign(new Error(fault.message), refusal(fault)));
      // Comes at the end of every stream, however it ended.
      call.once('cancelled', () =>
        visit.end(code ?? (call.writableEnded ? status.OK : this.desk.codeOfCancelled(call))),
      );
      const { streams } = this.desk;
      this.admitted(call, isOpen ? undefined : streams, (fault) => {
        if (call.cancelled) return;
        const refused = fault ?? this.desk.faultOfNumber(call, streams);
        if (refused !== undefined) {
          refuse(refused);
          return;
        }
        call.once('cancelled', streams.enter(call));
        // Handlers of libraries write as they like; ours announce a stream with what they write first.
        if (isOpen) visit.span.announce();
        try {
          handler(call, reply);
        } catch (error) {
          refuse(faultOf(error));
        }
        if (code === undefined) visit.span.announce();
      });
    };
  }

  /** Calls back in the same turn unless the token has to be checked; without `among`, all are admitted. */
  private admitted(call: Call, among: ClientLimit | undefined, then: (fault: Fault | undefined) => void): void {
    if (among === undefined) then(undefined);
    else if (this.tokens === undefined) then(this.desk.faultOfCaller(call, among));
    else this.withToken(call, this.tokens, among, then);
  }

  private withToken(
    call: Call,
    tokens: TokenCheck,
    among: ClientLimit,
    then: (fault: Fault | undefined) => void,
  ): void {
    const { rate, callers } = this.desk;
    const decide = (found: Subject | Fault): void => {
      if ('subject' in found) {
        callers.recognise(call, found.subject);
        then(this.desk.faultOfCaller(call, among));
      } else {
        if (found.code === status.UNAUTHENTICATED) rate?.take(callers.of(call));
        then(found);
      }
    };
    const known = tokens.known(call.metadata);
    if (known !== undefined) {
      decide(known);
      return;
    }
    const waitMs = rate?.wait(callers.of(call)) ?? 0;
    if (waitMs > 0) then(tooFast(rate!.perSecond, callers.of(call), waitMs));
    else tokens.check(call.metadata).then(decide, (error: unknown) => then(faultOf(error)));
  }
}

/** One call, from its beginning to its end. */
class Visit {
  readonly span: CallSpan;
  private readonly startedMs = performance.now();
  private id: string | undefined;
  isOver = false;

  constructor(
    private readonly method: CalledMethod,
    private readonly call: TimedCaller & SpannedCall,
    private readonly desk: CallDesk,
    private readonly observer: CallObserver | undefined,
  ) {
    observer?.began(method);
    this.span = new CallSpan(method, call, () => this.requestId());
  }

  refused(error: Partial<Refusal> & { readonly message?: string }): Refusal {
    const requestId = this.requestId();
    if ('error' in error) this.desk.log(this.method.method, requestId, error.error);
    return withRequestId(error, requestId);
  }

  end(code: status): void {
    if (this.isOver) return;
    this.isOver = true;
    const { method, kind } = this.method;
    this.span.end(status[code]);
    this.observer?.ended({ method, kind, code: status[code], ms: performance.now() - this.startedMs });
  }

  private requestId(): string {
    if (this.id === undefined) {
      const given = this.call.metadata.get(REQUEST_ID_KEY)[0];
      this.id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    }
    return this.id;
  }
}

function kindOf(requestStream: boolean, responseStream: boolean): CallKind {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}
