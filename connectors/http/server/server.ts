/**
 * The HTTP façade: REST, the page, documents, metrics and health, on one port.
 *
 *   HTTP-SERVER-1  a port that is taken, or TLS files that do not work, stop the start with an error that says what to change
 *   HTTP-SERVER-2  files of certificates, keys and key sets may be replaced while it runs
 *   HTTP-SERVER-3  listening for other machines without authentication is logged as a warning at the start
 *   HTTP-SERVER-4  a stop ends streams, lets requests end, and cuts what is left at the deadline
 *
 * Rules for every request: app.ts. Access control: gate.ts.
 */
import type { EventReader } from '../../../actors/formats/event-reader.js';
import { type SecureContextOptions, Server as SecureServer } from 'node:tls';
import { asError } from '../../../runtime/contract/errors.js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { boundConnections } from '../../facade/admission/bound-connections.js';
import { isLoopback } from '../../facade/admission/exposure.js';
import { bindError, listening, openTokens, warnOfExposure, type Watches } from '../../facade/listening.js';
import type {
  EventPublisher,
  ItemCatalogue,
  Ranking,
  RecommendationAnswers,
  SimilarItems,
  TrendingLists,
} from '../../facade/ports.js';
import { type ServerTls, watchTls } from '../../facade/tls/server-tls.js';
import type { AuthOptions } from '../../facade/admission/token-check.js';
import type { TrendingCounts } from '../../facade/trending/hub.js';
import { RELOAD_EVERY_MS } from '../../facade/tls/watched-files.js';
import { aboutRoutes } from '../routes/about.js';
import { createApp } from './app.js';
import { deadLetterRoutes } from '../routes/dead-letters.js';
import { documentRoutes } from '../openapi/route.js';
import { eventContractRoutes } from '../routes/event-contracts.js';
import { eventRoutes } from '../routes/events.js';
import { FaultLog } from '../../facade/errors/fault-log.js';
import { Gate } from './gate.js';
import { HTTP_LIMITS, type HttpLimits } from './limits.js';
import { itemRoutes } from '../routes/items.js';
import { lateEventRoutes } from '../routes/late-events.js';
import type { Operations } from '../operations-ports.js';
import type { NodeReports, RandomUsers, RequestObserver } from '../ports.js';
import { fileRoutes } from '../routes/page.js';
import { rankingRoutes } from '../routes/ranking.js';
import { recommendationRoutes } from '../routes/recommendations.js';
import { RequestTally } from './request-tally.js';
import type { StaticFiles } from './static-files.js';
import { statusRoutes } from '../routes/status.js';
import { type TrendingStreams, trendingRoutes } from '../routes/trending.js';
import { UnusedConnections } from './unused-connections.js';
import type { App } from './zod-provider.js';

export interface HttpServerOptions {
  readonly answers: RecommendationAnswers;
  readonly randomUsers: RandomUsers;
  readonly publisher: EventPublisher;
  /** Reads events by the same rules as the node's parse stage. */
  readonly reader: EventReader;
  readonly similar: SimilarItems;
  readonly ranking: Ranking;
  readonly trending: TrendingLists;
  readonly catalogue: ItemCatalogue;
  readonly reports: NodeReports;
  /** Absent: no routes for operations. */
  readonly operations?: Operations;
  /** Files of the page, and of the API's page; absent: there is none. */
  readonly page?: StaticFiles;
  readonly docs?: StaticFiles;
  /** Default: loopback. */
  readonly host?: string;
  /** 0: a free one. */
  readonly port?: number;
  readonly tls?: ServerTls;
  /** Absent: every client that reaches the port may send requests. */
  readonly auth?: AuthOptions;
  /** Origins whose pages may send requests (CORS): `https://shop.example.com`. */
  readonly origins?: readonly string[];
  /** How often files of certificates, keys and key sets are checked for changes. */
  readonly reloadEveryMs?: number;
  readonly limits?: Partial<HttpLimits>;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly observer?: RequestObserver;
}

export interface HttpServer {
  readonly port: number;
  /** Counts of /trending/stream. */
  trendingCounts(): TrendingCounts;
  /** Resolves when everything is closed, at the latest after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

export const HTTP_PORT = 8080;
const LOOPBACK = '127.0.0.1';

export const startHttpServer = (options: HttpServerOptions): Promise<HttpServer> =>
  listening((watches) => listen(options, watches));

async function listen(options: HttpServerOptions, watches: Watches): Promise<HttpServer> {
  const { host = LOOPBACK, port = HTTP_PORT, clock, logger, auth, tls, observer } = options;
  const { reloadEveryMs = RELOAD_EVERY_MS } = options;
  const limits: HttpLimits = { ...HTTP_LIMITS, ...options.limits };
  const origins = new Set(options.origins);
  const tokens = await openTokens(auth, { reloadEveryMs, clock, logger }, watches);
  warnOfExposure({ host, port, auth, tls }, logger);

  const gate = new Gate({
    ...{ limits, clock, tokens, asksForCertificates: tls?.clientCaPath !== undefined, origins },
    isLoopback: isLoopback(host),
  });
  const tally = new RequestTally(observer);
  let isStopping = false;
  const frame = {
    limits,
    gate,
    log: new FaultLog('an HTTP request', logger, clock),
    tally,
    origins,
    isStopping: () => isStopping,
  };
  const app = await secured(tls, { everyMs: reloadEveryMs, logger }, watches, (https) =>
    createApp(https === undefined ? frame : { ...frame, https }),
  );
  const unused = new UnusedConnections(app.server, tls !== undefined);
  const streams = routes(app, options, gate, limits, tally);
  boundConnections([app.server], limits.connectionsMax, 'HTTP connections', clock, logger);
  const boundPort = await bind(app, host, port).catch((error: unknown) => {
    streams.stop();
    throw error;
  });
  let stopped: Promise<void> | undefined;
  return {
    port: boundPort,
    trendingCounts: () => streams.hub.counts(),
    stop: (deadlineMs) => {
      isStopping = true;
      stopped ??= stop(app, streams, unused, watches, deadlineMs);
      return stopped;
    },
  };
}

function routes(
  app: App,
  options: HttpServerOptions,
  gate: Gate,
  limits: HttpLimits,
  tally: RequestTally,
): TrendingStreams {
  documentRoutes(app, {
    version: options.reports.version,
    asksForTokens: options.auth !== undefined,
    asksForCertificates: options.tls?.clientCaPath !== undefined,
    isLoopback: isLoopback(options.host ?? LOOPBACK),
  });
  const { reports, trending, publisher, reader, operations, clock } = options;
  aboutRoutes(app, reports, gate);
  recommendationRoutes(app, options, gate);
  itemRoutes(app, options.catalogue, options.similar);
  rankingRoutes(app, options.ranking);
  eventRoutes(app, { publisher, reader, clock, limits });
  eventContractRoutes(app, reader);
  if (operations !== undefined) {
    deadLetterRoutes(app, operations.deadLetters, gate);
    lateEventRoutes(app, operations.lateEvents, gate);
    statusRoutes(app, operations.status);
  }
  if (options.page !== undefined) fileRoutes(app, '/ui', options.page, { isRelative: true });
  if (options.docs !== undefined) fileRoutes(app, '/docs', options.docs, { isRelative: false });
  return trendingRoutes(app, trending, gate, clock, tally);
}

/** The app, with TLS from files that may be replaced. Health is open to callers without a certificate: the gate requires it, not the handshake. */
async function secured(
  tls: ServerTls | undefined,
  watch: { readonly everyMs: number; readonly logger: Logger | undefined },
  watches: Watches,
  create: (https?: object) => Promise<App>,
): Promise<App> {
  if (tls === undefined) return create();
  let first: SecureContextOptions = {};
  let use = (context: SecureContextOptions): void => {
    first = context;
  };
  watches.add(
    await watchTls(tls, watch, (context) => {
      use(context);
    }),
  );
  const app = await create({ ...first, requestCert: tls.clientCaPath !== undefined, rejectUnauthorized: false });
  use = (context) => {
    if (app.server instanceof SecureServer) app.server.setSecureContext(context);
  };
  return app;
}

async function bind(app: App, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    throw bindError('http', asError(thrown), { host, port });
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function stop(
  app: App,
  streams: TrendingStreams,
  unused: UnusedConnections,
  watches: Watches,
  deadlineMs: number,
): Promise<void> {
  streams.stop();
  watches.end();
  const cut = setTimeout(() => app.server.closeAllConnections(), deadlineMs);
  try {
    const closed = app.close();
    unused.close();
    await closed;
  } finally {
    clearTimeout(cut);
  }
}
