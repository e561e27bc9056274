/** GET /status: the node and its stages as they are now, for the page. */
import type { NodeStatus } from '../operations-ports.js';
import { problemSchema } from '../server/problem.js';
import { statusReport } from './status-report.js';
import type { App } from '../server/zod-provider.js';

export function statusRoutes(app: App, status: NodeStatus): void {
  app.get(
    '/status',
    {
      schema: {
        tags: ['Operations'],
        summary: 'Status of the node and its stages',
        response: { 200: statusReport, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    (_, reply) => {
      void reply.header('cache-control', 'no-store').send(status.report());
    },
  );
}
