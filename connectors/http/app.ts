/**
 * The frame of the HTTP façade: what holds for every request, whatever its route.
 *
 *   H1  a request is told as begun once and as ended once, with its status
 *   H2  every answer has an id, `x-request-id`: the client's if it is a short plain word, else one of ours; the log and problems have it too
 *   H3  whatever is refused, by a route, by the gate (gate.ts), by Fastify or by the parser of Node, is told as problem details (problem.ts)
 *   H4  limits hold before a handler sees anything: bytes and time of a request, its headers, connections
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify';
import { RivuletError } from '../../runtime/errors.js';
import { type Fault, faultOf } from '../facade/fault.js';
import { answerBroken } from './broken-requests.js';
import type { FaultLog } from './fault-log.js';
import type { Gate } from './gate.js';
import type { HttpLimits } from './http-limits.js';
import { KnownPaths } from './known-paths.js';
import type { RequestObserver } from './ports.js';
import { headersOf, notFound, PROBLEM_TYPE, problemOf, Refused } from './problem.js';
import { type App, validatorCompiler } from './zod-provider.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Without token, certificate and rate. */
    readonly isOpen?: boolean;
  }
  interface FastifyRequest {
    beganMs: number;
  }
}

export interface AppOptions {
  readonly limits: HttpLimits;
  readonly gate: Gate;
  readonly log: FaultLog;
  readonly observer: RequestObserver | undefined;
  readonly origins: ReadonlySet<string>;
  /** Of node:https; absent: without TLS. */
  readonly https?: object;
}

const REQUEST_ID = /^[\w.:/+=~-]{1,128}$/;
/** 256 bytes of an id, each written as %XX. */
const PARAM_CHARS_MAX = 3 * 256;

const idOf = (request: IncomingMessage): string => {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
};

export async function createApp(options: AppOptions): Promise<App> {
  const { limits, gate, log, observer, origins, https } = options;
  const server: FastifyServerOptions = {
    logger: false,
    genReqId: (request) => idOf(request as IncomingMessage),
    requestIdHeader: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: true, querystringParser: parsedQuery },
    clientErrorHandler: answerBroken,
    frameworkErrors: (error, request, reply) => {
      refuse(request, reply, refusedBy(error), log, observer);
    },
  };
  const parser = { maxHeaderSize: limits.headerBytesMax };
  const secure: object = https === undefined ? { http: parser } : { https: { ...https, ...parser } };
  const app = fastify({ ...server, ...secure }) as unknown as App;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.decorateRequest('beganMs', 0);
  const paths = new KnownPaths();
  app.addHook('onRoute', ({ method, url }) => paths.add(method, url));
  app.addHook('onRequest', (request, reply, done) => {
    request.beganMs = performance.now();
    observer?.began();
    reply.header('x-request-id', request.id);
    const refused = gate.check(request, request.routeOptions.config.isOpen === true);
    if (!(refused instanceof Promise)) done(refused);
    else refused.then(done, done);
  });
  if (observer !== undefined) {
    app.addHook('onSend', (request, reply, payload, done) => {
      ended(request, reply, observer);
      done(null, payload);
    });
  }
  if (origins.size > 0) {
    const exposedHeaders = ['etag', 'x-request-id', 'retry-after', 'www-authenticate'];
    await app.register(cors, { origin: [...origins], methods: ['GET', 'HEAD', 'POST'], exposedHeaders, maxAge: 600 });
  }
  app.setNotFoundHandler((request) => {
    const path = pathOf(request);
    const allowed = paths.methodsOf(path);
    if (allowed.length === 0) throw notFound('NOT_FOUND', `there is nothing at ${path}: see /docs`);
    throw new Refused({
      code: 'UNIMPLEMENTED',
      message: `${request.method} is not for ${path}: use ${allowed.join(' or ')}`,
      reason: 'METHOD_NOT_ALLOWED',
      trailers: { allow: allowed.join(', ') },
    });
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    refuse(request, reply, refusedBy(error), log, undefined);
  });
  return app;
}

function ended(request: FastifyRequest, { statusCode }: FastifyReply, observer: RequestObserver): void {
  observer.ended(request.method, request.routeOptions.url ?? '(none)', statusCode, performance.now() - request.beganMs);
}

function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  refused: Refused,
  log: FaultLog,
  observer: RequestObserver | undefined,
): void {
  const { fault, status } = refused;
  if ('error' in fault) log.told(`${request.method} ${request.routeOptions.url ?? ''}`, request.id, fault.error);
  // What Fastify refuses before there is a route has passed no hook.
  if (observer !== undefined) {
    observer.began();
    reply.header('x-request-id', request.id);
    observer.ended(request.method, '(none)', status, 0);
  }
  void reply
    .code(status)
    .headers(headersOf(fault))
    .type(PROBLEM_TYPE)
    .serializer((problem: unknown) => JSON.stringify(problem))
    .send(problemOf(refused, pathOf(request), request.id));
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?', 1)[0]!.slice(0, 1024);

/** What was thrown, as a refusal; of what Fastify refuses by itself too. */
export function refusedBy(error: unknown): Refused {
  if (error instanceof Refused) return error;
  if (error instanceof RivuletError) return new Refused(faultOf(error));
  const { code = '', statusCode = 500, message } = error as Partial<FastifyError>;
  const own = FRAMEWORK[code];
  if (own !== undefined) return new Refused({ ...own, message: own.message || (message ?? '') }, statusCode);
  if (code.startsWith('FST_') && statusCode < 500) {
    return new Refused({ code: 'INVALID_ARGUMENT', message: message ?? '', reason: 'MALFORMED_REQUEST' }, statusCode);
  }
  return new Refused(faultOf(error));
}

const malformed = (message: string): Fault => ({ code: 'INVALID_ARGUMENT', message, reason: 'MALFORMED_REQUEST' });

const FRAMEWORK: Readonly<Record<string, Fault>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: malformed('the body is not JSON: check its quotes and commas, and that it is UTF-8'),
  FST_ERR_CTP_EMPTY_JSON_BODY: malformed('the body is empty: send JSON, or leave the content-type out'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: malformed('the body is not as long as content-length says'),
  FST_ERR_BAD_URL: malformed('the path is not well escaped: write each byte of a special character as %XX'),
  FST_ERR_CTP_BODY_TOO_LARGE: {
    ...malformed('the body is too long: send less at a time'),
    reason: 'REQUEST_TOO_LARGE',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    ...malformed('this content-type is not taken here: see /docs'),
    reason: 'MEDIA_TYPE_NOT_TAKEN',
  },
  FST_ERR_MAX_PARAM_LENGTH: malformed('the id in the path is too long'),
};

/** A parameter that is given twice is refused by its schema: it is a list then. */
function parsedQuery(text: string): Record<string, string | string[]> {
  if (text === '') return {};
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query[name];
    query[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
  }
  return query;
}
