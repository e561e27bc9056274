/** Nodes that share the live toys, with a view on each: whatever happens to them, what comes out is what one node without faults says. */
import assert from 'node:assert/strict';
import { publishAll } from './breaking-writers.js';
import { sharedToys, viewOf } from './cluster-toys.js';
import { ClusterWorld } from './cluster-world.js';
import type { Job } from './job.js';
import { checkToys, PUBLISHERS, toyLive } from './toy-jobs.js';

/** A publisher says something so often, at most. */
const PACE_MS = 700;

export const cluster: Job<ClusterWorld> = {
  ...{ name: 'cluster', topology: sharedToys(), steps: 2_500, everySeeds: 2, tickEveryMs: 400, sinkTopics: [] },
  feed: async (feed) => {
    const { schedule } = feed.world;
    const sending = PUBLISHERS.map(async (publications) => {
      for (const one of publications) {
        if (!feed.world.calm) await schedule.clock.sleep(schedule.random() * PACE_MS);
        await publishAll(feed, [[one]]);
      }
    });
    await Promise.all(sending);
  },
  reference: toyLive.reference,
  check: (world, expected) => {
    const folds = checkToys(world, expected);
    for (const [who, { partition, rows }] of world.views)
      assert.deepEqual(rows, viewOf(folds.get(`recommendations/${partition}`)!), `the view on ${who}`);
  },
  run: (options) => ClusterWorld.run(cluster, options),
};
