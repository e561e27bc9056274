/** GET /, /health and /metrics. */
import { z } from 'zod';
import { noBody } from './fields.js';
import type { Gate } from '../server/gate.js';
import { healthAnswer } from './health-report.js';
import type { NodeReports } from '../ports.js';
import { problemSchema } from '../server/problem.js';
import { varyBy } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const DESCRIPTION = 'A real-time recommendation engine: events in, recommendations and trending lists out.';

/** Browsers are redirected here; everything else is for programs. */
export const PAGE = '/ui/';

const LINKS = {
  page: PAGE,
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/health',
  metrics: '/metrics',
  recommendations: '/reco/{user_id}',
  trending: '/trending',
  trending_stream: '/trending/stream',
  items: '/items/{item_id}',
  unknown_items: '/items/unknown',
  events: '/events',
  event_schemas: '/schemas/events',
  dead_letters: '/dead-letters',
  late_events: '/late-events',
  status: '/status',
} as const;

const tags = ['About'];

const METRICS_EXAMPLE = '# HELP rivulet_restarts_total …\n# TYPE rivulet_restarts_total counter\n';

const rootSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    description: z.string(),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Root' });

export function aboutRoutes(app: App, reports: NodeReports, gate: Pick<Gate, 'isKnown'>): void {
  app.get(
    '/',
    {
      config: { isPage: true },
      schema: {
        tags,
        summary: 'Name, version and links of this node',
        response: { 200: rootSchema, 303: noBody('A browser is sent to the page'), '4xx': problemSchema },
      },
    },
    (request, reply) => {
      varyBy(reply, 'accept');
      if (prefersHtml(request.headers.accept)) void reply.redirect(PAGE, 303);
      else
        void reply.send({ name: 'rivulet', version: reports.version, description: DESCRIPTION, links: { ...LINKS } });
    },
  );
  app.get(
    '/health',
    {
      config: { isOpen: true },
      schema: {
        tags,
        summary: 'Whether the node serves, and why not',
        description:
          'Open to all: who probes has no token. 503 while it does not serve. Who might ask for /status (a good token or certificate, where they are asked for; on loopback a host that is known) is told why, and all else; others the status alone.',
        security: [],
        response: { 200: healthAnswer, 503: healthAnswer },
      },
    },
    async (request, reply) => {
      const health = reports.health();
      const serves = health.status === 'serving' || health.status === 'degraded';
      const isKnown = await gate.isKnown(request.raw);
      return reply
        .code(serves ? 200 : 503)
        .header('cache-control', 'no-store')
        .send(isKnown ? { version: reports.version, ...health } : { status: health.status });
    },
  );
  app.get(
    '/metrics',
    {
      schema: {
        tags,
        summary: 'Metrics for Prometheus',
        produces: ['text/plain'],
        example: METRICS_EXAMPLE,
        response: { '4xx': problemSchema },
      },
    },
    async (_, reply) => {
      const { contentType, text } = await reports.metrics();
      return reply
        .header('content-type', contentType)
        .header('cache-control', 'no-store')
        .serializer(String)
        .send(text);
    },
  );
}

/** Browsers prefer HTML; curl and programs accept anything, or JSON. */
const prefersHtml = (accept = ''): boolean => {
  const [html, json] = [accept.indexOf('text/html'), accept.indexOf('application/json')];
  return html >= 0 && (json < 0 || html < json);
};
