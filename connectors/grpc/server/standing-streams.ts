/**
 * Services whose streams only the client would end (health watches, reflection, subscriptions): takes them to the server and remembers their open streams,
 * so that a stop does not wait for them.
 */
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { STOPPING } from '../../facade/errors/fault.js';
import { type Refusal, refusal } from './status-details.js';

/** All that is done with a stream here; grpc-js turns the error into the status of the call. */
interface OpenStream {
  once(event: 'cancelled', listener: () => void): unknown;
  emit(event: 'error', error: Refusal): boolean;
}

/** What of a server takes services. */
export interface ServiceTaker {
  addService(service: ServiceDefinition, handlers: UntypedServiceImplementation): void;
}

type Handler = (...args: unknown[]) => void;

export class StandingStreams {
  private readonly open = new Set<OpenStream>();
  private isOver = false;

  constructor(private readonly server: ServiceTaker) {}

  /** As `Server.addService`; an arrow, because the libraries take a bare object with this method. */
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

  /** Tells every stream that the node stops, and when to come back. */
  end(): void {
    this.isOver = true;
    for (const stream of this.open) stream.emit('error', refusal(STOPPING));
  }

  /** `cancelled` comes at the end of every stream, however it ended. */
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
