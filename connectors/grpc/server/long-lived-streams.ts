/**
 * Services whose streams end only when the client ends them (health watches, reflection, subscriptions): registers them with the server and tracks their
 * open streams, so that a stop does not wait for them.
 */
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { STOPPING } from '../../facade/errors/fault.js';
import { type Refusal, refusal } from './status-details.js';

/** All that is done with a stream here; grpc-js turns the error into the status of the call. */
interface OpenStream {
  once(event: 'cancelled', listener: () => void): unknown;
  emit(event: 'error', error: Refusal): boolean;
}

/** The part of a server that registers services. */
export interface ServiceTaker {
  addService(service: ServiceDefinition, handlers: UntypedServiceImplementation): void;
}

type Handler = (...args: unknown[]) => void;

export class LongLivedStreams {
  private readonly open = new Set<OpenStream>();
  private isOver = false;

  constructor(private readonly server: ServiceTaker) {}

  /** Like `Server.addService`; an arrow function, because the libraries take an object with only this method. */
  readonly addService = (service: ServiceDefinition, handlers: UntypedServiceImplementation): void => {
    const streaming = Object.entries(service)
      .filter(([, method]) => method.responseStream)
      .flatMap(([name, { originalName }]) => (originalName === undefined ? [name] : [name, originalName]));
    const remembered = Object.entries(handlers).map(([name, handler]) => [
      name,
      streaming.includes(name) ? this.remembering(handler as Handler) : handler,
    ]);
    this.server.addService(service, Object.fromEntries(remembered) as UntypedServiceImplementation);
  };

  /** Ends every stream with the status of a stopping node and a retry delay. */
  end(): void {
    this.isOver = true;
    for (const stream of this.open) stream.emit('error', refusal(STOPPING));
  }

  /** `cancelled` is emitted at the end of every stream, however it ended. */
  private remembering(handler: Handler): Handler {
    return (...args) => {
      const stream = args[0] as OpenStream;
      this.open.add(stream);
      stream.once('cancelled', () => this.open.delete(stream));
      if (this.isOver) stream.emit('error', refusal(STOPPING));
      else handler(...args);
    };
  }
}
