/**
 * Wraps the handlers of all calls.
 *
 *   CALL-GUARD-1  a handler sees only calls that are admitted and, where tokens are required, have a valid one (entered-call.ts). Health is open to
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
import type { CallDesk } from './call-desk.js';
import { EnteredCall, type EnteredMethod, enteredOf } from './entered-call.js';
import type { CallKind } from '../../facade/ports.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { refusal } from './status-details.js';

/** The common part of the four kinds of calls. */
type Call = ServerDuplexStream<unknown, unknown>;
type Reply = sendUnaryData<unknown>;
type Handler = (call: Call, reply: Reply) => void;

export class CallGuard {
  /** By path. */
  private readonly methods = new Map<string, EnteredMethod>();

  constructor(private readonly desk: CallDesk) {}

  /** For the server that has the guarded handlers. */
  readonly interceptor: ServerInterceptor = ({ path, requestStream }, call) =>
    new EnteredCall(this.desk, this.methods.get(path)!, call, requestStream);

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
      const entered = enteredOf(call)!;
      const answer: Reply = (error, value, trailer, flags) => {
        if (entered.isOver) return;
        if (error === null) {
          entered.span.announce();
          reply(null, value, trailer, flags);
          entered.end(status.OK);
        } else {
          const refused = entered.withId(error);
          reply(refused);
          entered.end(refused.code);
        }
      };
      const handle = (): void => {
        try {
          handler(call, answer);
        } catch (error) {
          answer(refusal(faultOf(error)));
        }
        if (!entered.isOver) call.once('cancelled', () => entered.end(this.desk.codeOfCancelled(entered)));
      };
      // Other calls may have been counted since this one was admitted.
      const fault = isOpen ? undefined : entered.checkNumber(this.desk.admission.calls);
      if (fault === undefined) handle();
      else answer(refusal(fault));
    };
  }

  private streaming(handler: Handler, isOpen: boolean): Handler {
    return (call, reply) => {
      const entered = enteredOf(call)!;
      let code: status | undefined;
      // Before grpc-js turns it into a status.
      call.prependListener('error', (error: Error) => {
        const refused = entered.withId(error);
        code = refused.code;
        Object.assign(error, refused);
      });
      const refuse = (fault: ApiError): void =>
        void call.emit('error', Object.assign(new Error(fault.message), refusal(fault)));
      // Emitted at the end of every stream, however it ended.
      call.once('cancelled', () =>
        entered.end(code ?? (call.writableEnded ? status.OK : this.desk.codeOfCancelled(entered))),
      );
      const { streams } = this.desk.admission;
      const fault = entered.checkNumber(streams);
      if (fault !== undefined) {
        refuse(fault);
        return;
      }
      call.once('cancelled', streams.enter(entered));
      // Handlers of libraries may write at any time; ours announce a stream with their first message.
      if (isOpen) entered.span.announce();
      try {
        handler(call, reply);
      } catch (error) {
        refuse(faultOf(error));
      }
      if (code === undefined) entered.span.announce();
    };
  }
}

function kindOf(requestStream: boolean, responseStream: boolean): CallKind {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}
