/** HTTP-APP-1 (app.ts): reports one begin and one end of each request, however it ends. */
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestObserver } from '../ports.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** By performance.now(); NaN after its end was reported. */
    beganMs: number;
    /** The configuration of its route: Fastify makes a new object at each access. */
    route: FastifyContextConfig;
  }
}

/** The client left before a response; the status that nginx uses. */
const CLIENT_LEFT = 499;

/** Methods that are distinguished without a route: clients may invent more. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const OTHER = '* *';

const routeOf = ({ route, method }: FastifyRequest): string =>
  route.routeName ?? (METHODS.has(method) ? `${method} *` : OTHER);

export class RequestTally {
  constructor(private readonly observer: RequestObserver | undefined) {}

  began(request: FastifyRequest): void {
    request.beganMs = performance.now();
    // A request that is refused before routing has none.
    request.route = (request.routeOptions.config as FastifyContextConfig | undefined) ?? {};
    this.observer?.began(routeOf(request));
  }

  ended(request: FastifyRequest, status: number): void {
    const ms = performance.now() - request.beganMs;
    // Already reported.
    if (Number.isNaN(ms)) return;
    request.beganMs = NaN;
    this.observer?.ended(routeOf(request), status, ms);
  }

  /** For requests that take a while before anything is sent: the client may leave meanwhile, and then no response is sent. */
  endsWithConnection(request: FastifyRequest, { raw }: FastifyReply): void {
    raw.once('close', () => this.ended(request, raw.headersSent ? raw.statusCode : CLIENT_LEFT));
  }
}
