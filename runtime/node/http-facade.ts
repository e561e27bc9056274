/** The data sources of a node's HTTP façade (composition). */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EventReader } from '../../actors/formats/event-reader.js';
import type { PipelineOptions } from '../../actors/topology.js';
import type { EventPublisher, RecommendationAnswers } from '../../connectors/facade/ports.js';
import type { Operations } from '../../connectors/http/operations-ports.js';
import { DOCS_POLICY } from '../../connectors/http/routes/page.js';
import type { StatusReport } from '../../connectors/http/routes/status-report.js';
import type { HealthReport } from '../../connectors/http/routes/health-report.js';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../connectors/http/server/server.js';
import { laterFiles, staticFiles } from '../../connectors/http/server/static-files.js';
import { systemClock } from '../contract/clock.js';
import type { Topology } from '../contract/graph.js';
import type { Health } from '../supervision/health.js';
import { deadLettersOf, lateEventsOf, oneAtATime, retryRules } from './dead-letters.js';
import { type NodeChild, statusReport } from './status.js';
import type { Views } from './views.js';
import type { Log, Logger } from '../contract/ports.js';
import { type ActorStatus, perStage } from '../telemetry/status.js';
import type { Telemetry } from '../telemetry/registry.js';
import { version } from '../contract/version.js';

export type HttpOptions = Pick<HttpServerOptions, 'tls' | 'auth' | 'limits' | 'reloadEveryMs' | 'origins'> & {
  readonly host: string;
  readonly port: number;
};

export interface NodeFacts {
  readonly node: string;
  readonly subject: StatusReport['subject'];
  readonly natsUrl: string;
  readonly natsVersion: string;
  /** For dead letters and late events: on a separate connection, so that large reads do not delay events. */
  readonly browsableLogs: Log;
  readonly topology: Topology;
  readonly pipeline: PipelineOptions;
  readonly views: Views;
  readonly answers: RecommendationAnswers;
  readonly publisher: EventPublisher;
  readonly reader: EventReader;
  readonly telemetry: Telemetry;
  readonly statuses: () => readonly ActorStatus[];
  readonly children: () => readonly NodeChild[];
  readonly natsUnreachableSinceMs: () => number | undefined;
  /** Absent: not yet known. */
  readonly health: () => Health | undefined;
  readonly isStopping: () => boolean;
  readonly logger: Logger;
}

export function startHttp(options: HttpOptions, facts: NodeFacts): Promise<HttpServer> {
  const { views, answers, publisher, reader, telemetry, logger } = facts;
  const startedMs = systemClock.nowMs();
  const { registry } = telemetry;
  const [page, docs] = [builtFolder('page'), builtFolder('docs')];
  if (page === undefined) logger.warn({}, 'there is no page at /ui/: it was not built (npm run build)');
  return startHttpServer({
    ...options,
    answers,
    randomUsers: views.randomUsers,
    trending: views.trending,
    similar: views.similar,
    ranking: views.ranking,
    catalogue: views.catalogue,
    publisher,
    reader,
    reports: {
      version: version(),
      health: () => healthReport(facts, startedMs),
      metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    },
    operations: operationsOf(facts, startedMs),
    clock: systemClock,
    logger,
    observer: telemetry.requests,
    ...(page === undefined ? {} : { page: staticFiles(page) }),
    ...(docs === undefined ? {} : { docs: laterFiles(() => staticFiles(docs, { policy: DOCS_POLICY })) }),
  });
}

/** Data for the routes of operators. */
function operationsOf(facts: NodeFacts, startedAtMs: number): Operations {
  const { browsableLogs, node, subject, topology, pipeline, telemetry, statuses, children, health, logger } = facts;
  const reading = oneAtATime();
  return {
    deadLetters: deadLettersOf(browsableLogs, systemClock, retryRules(pipeline.parse), reading, logger),
    lateEvents: lateEventsOf(browsableLogs, systemClock, pipeline.window.kind, reading),
    status: {
      report: () =>
        statusReport({
          ...{ version: version(), subject, node, startedAtMs, topology, statuses, children, health },
          latencies: () => telemetry.latencies(),
          answers: () => telemetry.answers.recent(),
          requests: () => ({ http: telemetry.requests.total, grpc: telemetry.calls.total }),
          nowMs: () => systemClock.nowMs(),
        }),
    },
  };
}

function healthReport(facts: NodeFacts, startedMs: number): HealthReport {
  const nowMs = systemClock.nowMs();
  const health = facts.health();
  const unreachableSinceMs = facts.natsUnreachableSinceMs();
  const away = unreachableSinceMs === undefined ? {} : { unreachable_seconds: (nowMs - unreachableSinceMs) / 1000 };
  return {
    status: statusOf(health, facts.isStopping()),
    node: facts.node,
    uptime_seconds: (nowMs - startedMs) / 1000,
    reasons: [...(health?.reasons ?? ['the node starts'])],
    dependencies: {
      nats: {
        status: unreachableSinceMs === undefined ? 'up' : 'down',
        ...{ url: facts.natsUrl, version: facts.natsVersion, ...away },
      },
    },
    stages: stagesOf(perStage(facts.statuses())),
  };
}

function statusOf(health: Health | undefined, isStopping: boolean): HealthReport['status'] {
  if (isStopping) return 'stopping';
  if (health?.serving !== true) return health === undefined ? 'starting' : 'unavailable';
  return health.takesEvents ? 'serving' : 'degraded';
}

function stagesOf(statuses: readonly ActorStatus[]): HealthReport['stages'] {
  const stages = new Map<string, { running: number; partitions: number; failed: number }>();
  for (const { stage, state } of statuses) {
    const sum = stages.get(stage) ?? { running: 0, partitions: 0, failed: 0 };
    stages.set(stage, sum);
    sum.partitions++;
    if (state === 'running') sum.running++;
    if (state === 'failed') sum.failed++;
  }
  return [...stages].map(([stage, sum]) => ({ stage, ...sum }));
}

/** From dist/, bundled or not, and from the sources. */
const PLACES = ['../', '../../', '../../dist/'];

/** The folder `name` of dist/; `undefined` if it was not built. */
function builtFolder(name: 'page' | 'docs'): string | undefined {
  const folders = PLACES.map((place) => new URL(`${place}${name}/`, import.meta.url));
  const folder = folders.find((one) => existsSync(new URL('index.html', one)));
  return folder === undefined ? undefined : fileURLToPath(folder);
}
