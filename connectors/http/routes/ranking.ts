/** GET /ranking: how good the lists are, by what users did next, and by which weights candidates are ranked. */
import { z } from 'zod';
import { STRATEGIES } from '../../../actors/model.js';
import type { ExperimentArm, Ranking } from '../../facade/ports.js';
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
    experiment: z
      .object({
        name: z.string(),
        arms: z.array(
          z.object({
            arm: z.string(),
            strategy: z.enum(STRATEGIES),
            percent: z.number().describe('Of users'),
            users: z.int().describe('Of the sample, to whom something was shown'),
            impressions: z.int(),
            clicks: z.int().describe('Shown items that the user did something with within half an hour'),
            click_through_rate: z.number().nullable(),
            hit_rate: z.number().nullable().describe('Of what users did, how often the item had been shown to them'),
            p_value: z
              .number()
              .nullable()
              .describe('That clicks differ from those of the first arm by chance; valid whenever one looks'),
          }),
        ),
      })
      .nullable()
      .describe('The one under way (pipeline.experiment), by the impressions that clients report'),
  })
  .meta({ id: 'Ranking' });

const factorsOf = ({ trainedMs, ...sizes }: NonNullable<ReturnType<Ranking['report']>['factors']>) => ({
  trained_at: new Date(trainedMs).toISOString(),
  ...sizes,
});

const armOf = ({ arm, strategy, percent, users, shown, followed, hitRate, p }: ExperimentArm) => ({
  ...{ arm, strategy, percent, users, impressions: shown, clicks: followed },
  click_through_rate: shown === 0 ? null : followed / shown,
  hit_rate: hitRate ?? null,
  p_value: p ?? null,
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
      const { judged, hitRates, weights, factors, experiment } = ranking.report();
      const models = hitRates.map(({ model, hitRate }) => ({ model, hit_rate: hitRate }));
      void reply.header('cache-control', 'no-store').send({
        ...{ judged, models, weights: [...weights] },
        factors: factors === undefined ? null : factorsOf(factors),
        experiment: experiment === undefined ? null : { name: experiment.name, arms: experiment.arms.map(armOf) },
      });
    },
  );
}
