/** The response of GET /health: 200 while the node serves, also without accepting events (`degraded`), else 503. Without authentication only the status. */
import { z } from 'zod';

const HEALTH = {
  ...{ status: 'serving', version: '0.1.0', node: 'a', uptime_seconds: 12.5, reasons: [] },
  dependencies: { nats: { status: 'up', url: 'nats://127.0.0.1:4222', version: '2.15.0' } },
  stages: [{ stage: 'parse', running: 4, partitions: 4, failed: 0 }],
};

const all = z.object({
  status: z.enum(['serving', 'degraded', 'starting', 'unavailable', 'stopping']),
  version: z.string(),
  node: z.string(),
  uptime_seconds: z.number(),
  reasons: z.array(z.string()).describe('Why it does not serve or does not accept events'),
  dependencies: z.object({
    nats: z.object({
      status: z.enum(['up', 'down']),
      url: z.string(),
      version: z.string(),
      unreachable_seconds: z.number().optional(),
    }),
  }),
  stages: z.array(z.object({ stage: z.string(), running: z.int(), partitions: z.int(), failed: z.int() })),
});

export const healthAnswer = all
  .partial()
  .required({ status: true })
  .meta({ id: 'Health', examples: [HEALTH] });

/** The node's report; the façade adds the version. */
export type HealthReport = Omit<z.output<typeof all>, 'version'>;
