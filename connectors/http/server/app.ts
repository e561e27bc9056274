/**
 * The HTTP application: rules that hold for every request, whatever its route.
 *
 *   HTTP-APP-1  the observer sees one begin and one end of a request, with its status, however it ends (request-tally.ts)
 *   HTTP-APP-2  every response has an id, `x-request-id`: the client's if it is short and plain, else a generated one; the log and problems have it too
 *   HTTP-APP-3  every refusal, by a route, by the gate (gate.ts), by Fastify or by Node's parser, is sent as problem details (problem.ts)
 *   HTTP-APP-4  limits apply before a handler runs: bytes and time of a request, its headers, connections
 *   HTTP-APP-5  unknown paths and methods are refused before the body is read; CORS runs before the gate, so that a page can read why it is refused
 *   HTTP-APP-6  while the node stops, requests under way are answered, new ones get 503, and each response closes its connection
 */
import cors from '@fastify/cors';
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify';
import { STOPPING } from '../../facade/errors/fault.js';
import { requestIdOf } from '../../facade/errors/request-id.js';
import { answerUnusual, BrokenRequests } from './broken-requests.js';
import type { FaultLog } from '../../facade/errors/fault-log.js';
import type { Gate } from './gate.js';
import type { HttpLimits } from './limits.js';
import { KnownPaths } from './known-paths.js';
import { LateBodies } from './late-bodies.js';
import { headersOf, notFound, PROBLEM_TYPE, problemOf, Refused } from './problem.js';
import { malformed, refusedBy } from './thrown.js';
import type { RequestTally } from './request-tally.js';
import { type App, validatorCompiler, type ZodProvider } from './zod-provider.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Exempt from token, certificate and rate. */
    readonly isOpen?: boolean;
    /** Exempt from the token: a browser sends none when it opens a page, and the page contains nothing confidential. */
    readonly isPage?: boolean;
    /** The route's name for the observer. */
    routeName?: string;
  }
}

export interface AppOptions {
  readonly limits: HttpLimits;
  readonly gate: Gate;
  readonly log: FaultLog;
  readonly tally: RequestTally;
  readonly origins: ReadonlySet<string>;
  /** Options of node:https; absent: without TLS. */
  readonly https?: object;
  readonly isStopping: () => boolean;
}

/** 256 bytes of an id, each written as %XX. */
const PARAM_CHARS_MAX = 3 * 256;
const QUERY_FIELDS_MAX = 64;
/** How often connections are checked for incomplete requests. */
const CHECK_EVERY_MS = 5_000;

/** Shared by the parts below. */
interface Frame extends AppOptions {
  readonly late: LateBodies;
  readonly broken: BrokenRequests;
  readonly paths: KnownPaths;
}

export async function createApp(options: AppOptions): Promise<App> {
  const late = new LateBodies();
  const broken = new BrokenRequests((reply, refused) => refuse(reply.request, reply, refused, options.log), late);
  const frame: Frame = { ...options, late, broken, paths: new KnownPaths() };
  const app: App = fastify(serverOptions(frame)).withTypeProvider<ZodProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.removeContentTypeParser('text/plain');
  answerUnusual(app.server);
  nameRoutes(app, frame);
  // Hooks run in this order.
  beginRequests(app, frame);
  await allowOrigins(app, options.origins);
  admitRequests(app, frame);
  sendAnswers(app, frame);
  refuseErrors(app, frame);
  return app;
}

function serverOptions({ limits, https, log, tally, broken }: Frame): FastifyServerOptions {
  const parser = {
    maxHeaderSize: limits.headerBytesMax,
    // Node would refuse without problem details.
    requireHostHeader: false,
    // Node limits a body by the larger of this and requestTimeout.
    headersTimeout: limits.requestMsMax,
    requestTimeout: limits.requestMsMax,
    connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, limits.requestMsMax),
  };
  const secure: object = https === undefined ? { http: parser } : { https: { ...https, ...parser } };
  return {
    ...secure,
    logger: false,
    genReqId: ({ headers }) => requestIdOf(headers['x-request-id']),
    requestIdHeader: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: 'idle',
    // The gate answers it, with problem details.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: true, querystringParser: parsedQuery },
    clientErrorHandler: broken.onError,
    frameworkErrors: (error, request, reply) => {
      // There is no route yet, and no hook runs.
      if (!broken.admits(reply)) return;
      tally.began(request);
      reply.header('x-request-id', request.id);
      refuse(request, reply, refusedBy(error, limits), log);
      tally.ended(request, reply.statusCode);
    },
  };
}

function nameRoutes(app: App, { paths }: Frame): void {
  app.addHook('onRoute', (route) => {
    paths.add(route.method, route.url);
    const name = `${[route.method].flat().join(',')} ${route.url.replaceAll(/:(\w+)/g, '{$1}')}`;
    route.config = Object.assign({}, route.config, { routeName: name });
  });
}

function beginRequests(app: App, { broken, tally }: Frame): void {
  app.decorateRequest('beganMs', 0);
  app.decorateRequest('route');
  app.addHook('onRequest', (request, reply, done) => {
    if (!broken.admits(reply)) {
      reply.hijack();
      return;
    }
    tally.began(request);
    reply.header('x-request-id', request.id);
    done();
  });
}

/** Before the gate: preflight requests have no token, and a page must be able to read why it is refused. */
async function allowOrigins(app: App, origins: ReadonlySet<string>): Promise<void> {
  if (origins.size === 0) return;
  const exposedHeaders = ['etag', 'x-request-id', 'retry-after', 'www-authenticate'];
  const methods = ['GET', 'HEAD', 'POST'];
  await app.register(cors, { origin: [...origins], methods, exposedHeaders, maxAge: 600, strictPreflight: false });
}

function admitRequests(app: App, { gate, tally, paths, isStopping }: Frame): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { isOpen = false, isPage = false } = request.route;
    const strange = strangeness(request) ?? (isStopping() && !isOpen ? new Refused(STOPPING) : undefined);
    const refused = strange ?? gate.check(request, isOpen ? 'all' : isPage ? 'page' : 'client');
    const enter = (found: Refused | undefined): void =>
      done(found ?? unrouted(request, paths) ?? gate.enterBody(request.raw, reply.raw));
    if (!(refused instanceof Promise)) {
      enter(refused);
      return;
    }
    tally.endsWithConnection(request, reply);
    refused.then(enter, done);
  });
}

function sendAnswers(app: App, { broken, late, tally, isStopping }: Frame): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    // A client that keeps its connection for another request would delay the stop.
    if (isStopping()) reply.header('connection', 'close');
    broken.answered(reply);
    tally.ended(request, reply.statusCode);
    done(null, late.answer(reply, payload));
  });
  app.addHook('preClose', (done) => {
    late.close();
    done();
  });
}

function refuseErrors(app: App, { limits, log, paths }: Frame): void {
  app.setNotFoundHandler((request) => {
    throw unrouted(request, paths) ?? notFound('NOT_FOUND', 'there is nothing');
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    refuse(request, reply, refusedBy(error, limits, request.routeOptions.schema?.consumes), log);
  });
}

/** Violations of HTTP, whatever the path. */
function strangeness({
  url,
  method,
  raw: { httpVersionMinor, headers, rawHeaders },
}: FastifyRequest): Refused | undefined {
  if (url === '*' && method !== 'OPTIONS') return NO_PATH;
  if (!isWellEscaped(url)) return BADLY_ESCAPED;
  if (headers.host === undefined && httpVersionMinor > 0) return NO_HOST;
  if (hasTwoHosts(rawHeaders)) return TWO_HOSTS;
  const { expect, 'content-encoding': encoding = 'identity' } = headers;
  if (encoding !== 'identity') return PACKED;
  return expect === undefined || /^100-continue$/i.test(expect) ? undefined : UNEXPECTED;
}

/** Names and values alternate. Node uses the first Host header; a proxy may use the other. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts > 1;
}

/** The router checks the path; a malformed escape in the query would be silently misread. */
function isWellEscaped(url: string): boolean {
  const query = url.indexOf('?');
  if (query < 0 || !url.includes('%', query)) return true;
  try {
    decodeURIComponent(url.slice(query));
    return true;
  } catch {
    return false;
  }
}

const NO_PATH = new Refused(malformed('* is no path: it must begin with /'));
const BADLY_ESCAPED = new Refused(
  malformed('the query is not well escaped: write each byte of a special character, in UTF-8, as %XX'),
);
const NO_HOST = new Refused(malformed('the header host is missing: HTTP/1.1 asks for it'));
const TWO_HOSTS = new Refused(malformed('the header host is given twice: give it once'));
const PACKED = new Refused(
  { ...malformed('bodies are not unpacked here: send it without content-encoding'), reason: 'MEDIA_TYPE_NOT_TAKEN' },
  415,
);
const UNEXPECTED = new Refused(malformed('the header expect may only be 100-continue'), 417);

/** Checked before the body is read: the body's errors do not matter then. */
function unrouted(request: FastifyRequest, paths: KnownPaths): Refused | undefined {
  if (!request.is404) return undefined;
  const path = pathOf(request);
  const allowed = paths.methodsOf(path);
  if (allowed.length === 0) return notFound('NOT_FOUND', `there is nothing at ${path}: see /docs`);
  return new Refused({
    code: 'UNIMPLEMENTED',
    message: `${request.method} is not for ${path}: use ${allowed.join(' or ')}`,
    reason: 'METHOD_NOT_ALLOWED',
    trailers: { allow: allowed.join(', ') },
  });
}

function refuse(request: FastifyRequest, reply: FastifyReply, refused: Refused, log: FaultLog): void {
  const { fault, status } = refused;
  if ('error' in fault) log.log(`${request.method} ${request.routeOptions.url ?? ''}`, request.id, fault.error);
  void reply
    .code(status)
    .headers(headersOf(fault))
    .type(PROBLEM_TYPE)
    .serializer((problem: unknown) => JSON.stringify(problem))
    .send(problemOf(refused, pathOf(request), request.id));
}

/** Also for a request with an absolute URL, as sent to a proxy. */
const pathOf = ({ url }: FastifyRequest): string =>
  url
    .split('?', 1)[0]!
    .replace(/^https?:\/\/[^/]*/i, '')
    .slice(0, 1024);

/**
 * A repeated parameter becomes a list, which its schema refuses. Parameters beyond the maximum of any route are dropped: such a request is refused
 * anyway.
 */
function parsedQuery(text: string): Record<string, string | string[]> {
  if (text === '') return {};
  let left = QUERY_FIELDS_MAX;
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of new URLSearchParams(text)) {
    if (left-- === 0) break;
    const before = query[name];
    query[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
  }
  return query;
}
