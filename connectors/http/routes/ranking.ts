/** GET /ranking: how good the lists are, by what users did next, and by which weights candidates are ranked. */
import { z } from 'zod';
import type { Ranking } from '../../facade/ports.js';
import { problemSchema } from '../server/problem.js';
import type { App } from '../server/zod-provider.js';

const rankingSchema = z
  .object({
    judged: z.int().describe('Events so far whose item was looked for in the lists of just before'),
    models: z.array(
      z.object({
        model: z.string().describe('A source of candidates, or hybrid: all of them, ranked'),
        hit_rate: z.number().describe('How often the item was among the first ten, lately'),
      }),
    ),
    weights: z.array(z.object({ feature: z.string(), weight: z.number() })),
    factors: z
      .object({ trained_at: z.iso.datetime(), items: z.int(), rank: z.int() })
      .nullable()
      .describe('What als is ranked by; null: nothing was trained yet (training.everyMinutes, or `rivulet train`)'),
  })
  .meta({ id: 'Ranking' });

const factorsOf = ({ trainedMs, ...sizes }: NonNullable<ReturnType<Ranking['report']>['factors']>) => ({
  trained_at: new Date(trainedMs).toISOString(),
  ...sizes,
});

export function rankingRoutes(app: App, ranking: Ranking): void {
  app.get(
    '/ranking',
    {
      schema: {
        tags: ['Recommendations'],
        summary: 'How good the lists are, and the learnt weights',
        description: 'Of a sample of users: each event is looked for in the lists of just before, then learnt from.',
        response: { 200: rankingSchema, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    (_, reply) => {
      const { judged, hitRates, weights, factors } = ranking.report();
      const models = hitRates.map(({ model, hitRate }) => ({ model, hit_rate: hitRate }));
      void reply.header('cache-control', 'no-store').send({
        ...{ judged, models, weights: [...weights] },
        factors: factors === undefined ? null : factorsOf(factors),
      });
    },
  );
}
