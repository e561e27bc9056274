/**
 * The gRPC façade: RecommendationService, EventService and, where there are trending lists, TrendingService, with health, reflection, TLS and
 * limits.
 *
 *   GRPC-SERVER-1  a port that is taken, or TLS files that do not work, stop the start with an error that says what to change
 *   GRPC-SERVER-2  health reports NOT_SERVING until `setServing(true)`, after `setServing(false)`, and from the first moment of a stop
 *   GRPC-SERVER-3  files of certificates, keys and key sets may be replaced while it runs
 *   GRPC-SERVER-4  listening for other machines without authentication is logged as a warning at the start
 *   GRPC-SERVER-5  a stop lets calls finish, ends subscriptions and watches with a retry delay, reports their progress to open publish streams
 *                  half-way, and cuts what is left at the deadline
 */
import type { EventReader } from '../../../actors/formats/event-reader.js';
import type { DescFile, DescService } from '@bufbuild/protobuf';
import { HealthImplementation } from 'grpc-health-check';
import { type ConnectionInjector, Server, type ServerOptions, setLogger } from '@grpc/grpc-js';
import { file_google_rpc_error_details } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { file_google_rpc_status } from '../../../proto/gen/google/rpc/status_pb.js';
import { Health } from '../../../proto/gen/grpc/health/v1/health_pb.js';
import { EventService } from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import { RecommendationService } from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { TrendingService } from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { asError } from '../../../runtime/contract/errors.js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { CALL_LIMITS, type CallLimits } from './call-limits.js';
import { ServerContext } from './server-context.js';
import { serverCredentials } from '../credentials.js';
import { boundConnections } from '../../facade/admission/bound-connections.js';
import { bindError, listening, openTokens, warnOfExposure, type Watches } from '../../facade/listening.js';
import type { ServerTls } from '../../facade/tls/server-tls.js';
import { EventHandlers } from '../services/event-service.js';
import { CallGuard } from './call-guard.js';
import { libraryLog } from './library-log.js';
import { Listener } from './listener.js';
import type {
  CallObserver,
  EventPublisher,
  RecommendationAnswers,
  RecommendationChanges,
  SimilarItems,
  TrendingLists,
} from '../../facade/ports.js';
import { recommendationHandlers } from '../services/recommendation-service.js';
import { RecommendationHub } from '../services/recommendation-stream.js';
import { addReflection } from './reflection.js';
import { byteServiceDefinition } from './service-definition.js';
import { type ServiceTaker, LongLivedStreams } from './long-lived-streams.js';
import type { AuthOptions } from '../../facade/admission/token-check.js';
import { RELOAD_EVERY_MS } from '../../facade/tls/watched-files.js';
import type { TrendingCounts } from '../../facade/trending/hub.js';
import { TrendingHandlers } from '../services/trending-service.js';

export interface GrpcServerOptions {
  readonly answers: RecommendationAnswers;
  readonly publisher: EventPublisher;
  /** Reads events by the same rules as the node's parse stage. */
  readonly reader: EventReader;
  /** Without it, StreamRecommendations is not implemented. */
  readonly changes?: RecommendationChanges;
  /** Without them, SimilarItems is not implemented. */
  readonly similar?: SimilarItems;
  /** Without them, there is no TrendingService. */
  readonly trending?: TrendingLists;
  /** Default: loopback. */
  readonly host?: string;
  /** 0: a free one. */
  readonly port?: number;
  readonly tls?: ServerTls;
  /** Absent: every client that reaches the port may call. */
  readonly auth?: AuthOptions;
  /** How often files of certificates, keys and key sets are checked for changes. */
  readonly reloadEveryMs?: number;
  readonly limits?: Partial<CallLimits>;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly observer?: CallObserver;
}

export interface GrpcServer {
  readonly port: number;
  /** Counts of StreamTrending; absent without trending lists. */
  trendingCounts(): TrendingCounts | undefined;
  /** For all services; `takesEvents` for the event service, which has fewer preconditions. */
  setServing(serving: boolean, takesEvents?: boolean): void;
  /** Resolves when everything is closed, at the latest after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

export const GRPC_PORT = 50051;
const LOOPBACK = '127.0.0.1';
/** Calls above a client's limits are refused with a status, instead of being queued by the transport. */
const REFUSALS_AT_ONCE = 256;
/** The part of a stop's time in which open publish streams may end by themselves. */
const PATIENCE = 0.5;

export const startGrpcServer = (options: GrpcServerOptions): Promise<GrpcServer> =>
  listening((watches) => listen(options, watches));

async function listen(options: GrpcServerOptions, watches: Watches): Promise<GrpcServer> {
  const { host = LOOPBACK, port = GRPC_PORT, clock, logger, auth, tls } = options;
  const { reloadEveryMs = RELOAD_EVERY_MS } = options;
  const limits: CallLimits = { ...CALL_LIMITS, ...options.limits };
  const { credentials, close } = await serverCredentials(tls, { everyMs: reloadEveryMs, logger });
  watches.add(close);
  const tokens = await openTokens(auth, { reloadEveryMs, clock, logger }, watches);
  // `listen` reports why it cannot listen.
  setLogger({});
  warnOfExposure({ host, port, auth, tls }, logger);

  const listener = new Listener();
  const context = new ServerContext({
    ...{ limits, clock, tokens, logger, observer: options.observer },
    connectionOf: (call) => listener.connectionOf(call.getConnectionInfo()) ?? call,
  });
  const guard = new CallGuard(context);
  const server = new Server({ ...serverOptions(limits), interceptors: [guard.interceptor] });
  const injector = server.createConnectionInjector(credentials);
  const services = addServices(options, server, guard, context);
  const boundPort = await listener.listen(host, port, injector).catch((error: unknown) => {
    services.stopHubs();
    server.forceShutdown();
    throw bindError('grpc', asError(error), { host, port });
  });
  if (logger !== undefined) setLogger(libraryLog(logger, clock));
  boundConnections(listener.servers, limits.connectionsMax, 'connections', clock, logger);
  let stopped: Promise<void> | undefined;
  return {
    port: boundPort,
    trendingCounts: () => services.trends?.counts(),
    setServing: (serving, takesEvents) => {
      if (stopped === undefined) services.setHealth(serving, takesEvents);
    },
    stop: (deadlineMs) => {
      if (stopped === undefined) {
        services.setHealth(false);
        services.stopHubs();
        for (const streams of services.longLived) streams.end();
        watches.end();
        stopped = drain(listener, injector, services.events, deadlineMs).finally(() => server.forceShutdown());
      }
      return stopped;
    },
  };
}

/** Adds the services, with health and reflection for them. */
function addServices(options: GrpcServerOptions, server: Server, guard: CallGuard, context: ServerContext) {
  const { answers, changes, trending, clock } = options;
  const guarded = (isOpen: boolean): ServiceTaker => ({
    addService: (service, handlers) => {
      server.addService(service, guard.around(service, handlers, isOpen));
    },
  });
  const [longLived, watchers] = [new LongLivedStreams(guarded(false)), new LongLivedStreams(guarded(true))];
  const events = new EventHandlers(options.publisher, options.reader, context);
  const recommendations = changes && new RecommendationHub(changes, context, clock);
  const trends = trending && new TrendingHandlers(trending, context, clock);
  longLived.addService(byteServiceDefinition(RecommendationService), {
    ...recommendationHandlers(answers, options.similar),
    ...(recommendations && { streamRecommendations: recommendations.streamRecommendations }),
  });
  if (trends) longLived.addService(byteServiceDefinition(TrendingService), { streamTrending: trends.streamTrending });
  longLived.addService(byteServiceDefinition(EventService), {
    publishEvents: (
      call: Parameters<EventHandlers['publishEvents']>[0],
      reply: Parameters<EventHandlers['publishEvents']>[1],
    ) => events.publishEvents(call, reply),
  });
  const services = [RecommendationService, EventService, ...(trends ? [TrendingService] : [])];
  addReflection(longLived, reflected(services));
  return {
    ...{ longLived: [longLived, watchers], events, trends, setHealth: addHealth(watchers, services) },
    stopHubs: () => {
      recommendations?.stop();
      trends?.stop();
    },
  };
}

/** Returns the function that sets the health: of all services, and `takesEvents` of the event service. */
function addHealth(watchers: LongLivedStreams, services: readonly DescService[]) {
  const health = new HealthImplementation();
  const known = new Map<string, boolean>();
  const setHealth = (serving: boolean, takesEvents = serving): void => {
    for (const name of ['', ...services.map(({ typeName }) => typeName)]) {
      const now = name === EventService.typeName ? takesEvents : serving;
      // `setStatus` notifies every watcher, even of an unchanged status.
      if (known.get(name) !== now) health.setStatus(name, now ? 'SERVING' : 'NOT_SERVING');
      known.set(name, now);
    }
  };
  setHealth(false);
  health.addToServer(watchers);
  return setHealth;
}

/** With the messages of error details, so that clients can show them. */
const reflected = (services: readonly DescService[]): readonly DescFile[] =>
  [...services, Health].map(({ file }) => file).concat(file_google_rpc_status, file_google_rpc_error_details);

function serverOptions(limits: CallLimits): ServerOptions {
  const { connectionAgeGraceMs, streamsPerClient, callsPerClient } = limits;
  const { streamsPerConnection = streamsPerClient + 2 * callsPerClient + REFUSALS_AT_ONCE } = limits;
  return {
    // The transport's limit is that of streams; unary requests have a smaller one, checked on arrival.
    'grpc.max_receive_message_length': limits.streamMessageBytesMax,
    'grpc.max_concurrent_streams': streamsPerConnection,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_connection_age_ms': limits.connectionAgeMsMax,
    ...(connectionAgeGraceMs === undefined ? {} : { 'grpc.max_connection_age_grace_ms': connectionAgeGraceMs }),
    // Statistics that nothing reads, at a cost to every call.
    'grpc.enable_channelz': 0,
  };
}

async function drain(
  listener: Listener,
  injector: ConnectionInjector,
  events: EventHandlers,
  deadlineMs: number,
): Promise<void> {
  const interrupt = setTimeout(() => events.interrupt(), deadlineMs * PATIENCE);
  const cut = setTimeout(() => listener.cut(), deadlineMs);
  // Sends GOAWAY on every connection.
  injector.drain(deadlineMs);
  await listener.close();
  clearTimeout(interrupt);
  clearTimeout(cut);
}
