/**
 * What stands around the handler of every call.
 *
 *   CALL-GUARD-1  a call is told as begun once and as ended once, with its status, whatever becomes of it
 *   CALL-GUARD-2  the handler sees only calls that keep the limits and, where tokens are asked for, have a good one (CallEntrance). Health is open to
 *                 all: who asks for it has no token, and must be answered under load
 *   CALL-GUARD-3  every call has an id: the client's `x-request-id` if it is a short plain word, else one of ours. Answers have it in their initial
 *                 metadata, refusals in their trailers and details, and so has the log
 *   CALL-GUARD-4  every call has a span (call-span.ts). What a stream is announced with tells of its first list, so it goes with that
 */
import {
  type Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { CallDesk } from './call-desk.js';
import { CallEntrance } from './call-entrance.js';
import { CallSpan, type SpannedCall } from './call-span.js';
import type { CalledMethod, CallKind, CallObserver } from '../../facade/ports.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { requestIdOf } from '../../facade/errors/request-id.js';
import { type Refusal, refusal, REQUEST_ID_KEY, withRequestId } from './status-details.js';
import type { TokenCheck } from '../../facade/admission/token-check.js';

/** What the four kinds of calls have in common. */
type Call = ServerDuplexStream<unknown, unknown>;
type Reply = sendUnaryData<unknown>;
type Handler = (call: Call, reply: Reply) => void;

export class CallGuard {
  private readonly entrance: CallEntrance<Visit>;
  /** Of the server that has the guarded handlers. */
  readonly interceptor: ServerInterceptor;

  constructor(
    private readonly desk: CallDesk,
    tokens: TokenCheck | undefined,
    observer: CallObserver | undefined,
  ) {
    this.entrance = new CallEntrance(desk, tokens, (...begun) => new Visit(...begun, desk, observer));
    this.interceptor = this.entrance.interceptor;
  }

  /** The handlers of a service, guarded; `isOpen`: without token and limits of calls. */
  around(
    service: ServiceDefinition,
    handlers: UntypedServiceImplementation,
    isOpen = false,
  ): UntypedServiceImplementation {
    // Also those without a handler: they are asked for too.
    for (const { path, requestStream, responseStream } of Object.values(service)) {
      this.entrance.add(path, { method: path.slice(1), kind: kindOf(requestStream, responseStream), isOpen });
    }
    const guarded = Object.entries(handlers).map(([name, handler]) => {
      const definition = service[name] ?? Object.values(service).find(({ originalName }) => originalName === name);
      if (definition === undefined) throw new TypeError(`the service has no method ${name}`);
      const inner = handler as Handler;
      return [name, definition.responseStream ? this.streaming(inner, isOpen) : this.replying(inner, isOpen)];
    });
    return Object.fromEntries(guarded) as UntypedServiceImplementation;
  }

  private replying(handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const visit = this.entrance.tellerOf(call);
      const answer: Reply = (error, value, trailer, flags) => {
        if (visit.isOver) return;
        if (error === null) {
          visit.span.announce();
          reply(null, value, trailer, flags);
          if (value instanceof Uint8Array) this.entrance.answered(call, value.length);
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
      // Others may have been taken up since this one was admitted.
      const fault = isOpen ? undefined : this.desk.faultOfNumber(call, this.desk.clients);
      if (fault === undefined) handle();
      else answer(refusal(fault));
    };
  }

  private streaming(handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const visit = this.entrance.tellerOf(call);
      let code: status | undefined;
      // Before grpc-js makes the status of it.
      call.prependListener('error', (error: Error) => {
        const refused = visit.refused(error);
        code = refused.code;
        Object.assign(error, refused);
      });
      const refuse = (fault: ApiError): void =>
        void call.emit('error', Object.assign(new Error(fault.message), refusal(fault)));
      // Comes at the end of every stream, however it ended.
      call.once('cancelled', () =>
        visit.end(code ?? (call.writableEnded ? status.OK : this.desk.codeOfCancelled(call))),
      );
      const { streams } = this.desk;
      const fault = this.desk.faultOfNumber(call, streams);
      if (fault !== undefined) {
        refuse(fault);
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
    };
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
    call: SpannedCall,
    private readonly received: Metadata,
    private readonly desk: CallDesk,
    private readonly observer: CallObserver | undefined,
  ) {
    observer?.began(method);
    this.span = new CallSpan(method, call, received, () => this.requestId());
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
      this.id = requestIdOf(this.received.get(REQUEST_ID_KEY)[0]);
    }
    return this.id;
  }
}

function kindOf(requestStream: boolean, responseStream: boolean): CallKind {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}
