/** HTTP-APP-1 (app.ts): a request is told as begun once and as ended once, whichever way it ends. */
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestObserver } from '../ports.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** By performance.now(); NaN when it was told as ended. */
    beganMs: number;
    /** What its route is configured with: Fastify makes an object anew each time that it is asked for it. */
    route: FastifyContextConfig;
  }
}

/** What the client got is not known: it had left. As nginx calls it. */
const CLIENT_LEFT = 499;

/** Methods that are told apart where there is no route: clients may invent more. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const OTHER = '* *';

const routeOf = ({ route, method }: FastifyRequest): string =>
  route.routeName ?? (METHODS.has(method) ? `${method} *` : OTHER);

export class RequestTally {
  constructor(private readonly observer: RequestObserver | undefined) {}

  began(request: FastifyRequest): void {
    request.beganMs = performance.now();
    // Of what is refused before there is a route it has none.
    request.route = (request.routeOptions.config as FastifyContextConfig | undefined) ?? {};
    this.observer?.began(routeOf(request));
  }

  ended(request: FastifyRequest, status: number): void {
    const ms = performance.now() - request.beganMs;
    // Told already.
    if (Number.isNaN(ms)) return;
    request.beganMs = NaN;
    this.observer?.ended(routeOf(request), status, ms);
  }

  /** For what takes a while before anything is sent: its client may leave meanwhile, and nothing is sent then. */
  endsWithConnection(request: FastifyRequest, { raw }: FastifyReply): void {
    raw.once('close', () => this.ended(request, raw.headersSent ? raw.statusCode : CLIENT_LEFT));
  }
}
