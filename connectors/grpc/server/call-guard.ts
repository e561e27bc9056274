/**
 * Wraps the handlers of all calls.
 *
 *   CALL-GUARD-1  a handler sees only calls that are admitted and, where tokens are required, have a valid one (intercepted-call.ts). Health is open to
 *                 all: probes have no token, and must be answered under load
 *   CALL-GUARD-2  every call has a span (call-span.ts). The initial metadata of a stream describes its first list, so it is sent with that list
 */
import {
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { ServerContext } from './server-context.js';
import { InterceptedCall, type GuardedMethod, interceptedOf } from './intercepted-call.js';
import type { CallKind } from '../../facade/ports.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { refusal } from './status-details.js';

/** The common part of the four kinds of calls. */
type Call = ServerDuplexStream<unknown, unknown>;
type Reply = sendUnaryData<unknown>;
type Handler = (call: Call, reply: Reply) => void;

export class CallGuard {
  /** By path. */
  private readonly methods = new Map<string, GuardedMethod>();

  constructor(private readonly context: ServerContext) {}

  /** For the server that has the guarded handlers. */
  readonly interceptor: ServerInterceptor = ({ path, requestStream }, call) =>
    new InterceptedCall(this.context, this.methods.get(path)!, call, requestStream);

  /** The handlers of a service, guarded; `isOpen`: without token and limits of calls. */
  around(
    service: ServiceDefinition,
    handlers: UntypedServiceImplementation,
    isOpen = false,
  ): UntypedServiceImplementation {
    // Methods without a handler too: clients can call them.
    for (const { path, requestStream, responseStream } of Object.values(service)) {
      this.methods.set(path, { method: path.slice(1), kind: kindOf(requestStream, responseStream), isOpen });
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
      const intercepted = interceptedOf(call)!;
      const answer: Reply = (error, value, trailer, flags) => {
        if (intercepted.isOver) return;
        if (error === null) {
          intercepted.span.announce();
          reply(null, value, trailer, flags);
          intercepted.end(status.OK);
        } else {
          const refused = intercepted.withId(error);
          reply(refused);
          intercepted.end(refused.code);
        }
      };
      const handle = (): void => {
        try {
          handler(call, answer);
        } catch (error) {
          answer(refusal(faultOf(error)));
        }
        if (!intercepted.isOver)
          call.once('cancelled', () => intercepted.end(this.context.codeOfCancelled(intercepted)));
      };
      // Other calls may have been counted since this one was admitted.
      const fault = isOpen ? undefined : intercepted.checkNumber(this.context.admission.calls);
      if (fault === undefined) handle();
      else answer(refusal(fault));
    };
  }

  private streaming(handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const intercepted = interceptedOf(call)!;
      let code: status | undefined;
      // Before grpc-js turns it into a status.
      call.prependListener('error', (error: Error) => {
        const refused = intercepted.withId(error);
        code = refused.code;
        Object.assign(error, refused);
      });
      const refuse = (fault: ApiError): void =>
        void call.emit('error', Object.assign(new Error(fault.message), refusal(fault)));
      // Emitted at the end of every stream, however it ended.
      call.once('cancelled', () =>
        intercepted.end(code ?? (call.writableEnded ? status.OK : this.context.codeOfCancelled(intercepted))),
      );
      const { streams } = this.context.admission;
      const fault = intercepted.checkNumber(streams);
      if (fault !== undefined) {
        refuse(fault);
        return;
      }
      call.once('cancelled', streams.enter(intercepted));
      // Handlers of libraries may write at any time; ours announce a stream with their first message.
      if (isOpen) intercepted.span.announce();
      try {
        handler(call, reply);
      } catch (error) {
        refuse(faultOf(error));
      }
      if (code === undefined) intercepted.span.announce();
    };
  }
}

function kindOf(requestStream: boolean, responseStream: boolean): CallKind {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}
