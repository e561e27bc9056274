/** Nodes that share the live toys, with a view on each: whatever happens to them, what comes out is what one node without faults says. */
import assert from 'node:assert/strict';
import type { Keyed } from '../../runtime/stage.js';
import type { MailboxFold } from '../../runtime/fold.js';
import { publishAll } from './breaking-writers.js';
import { sharedToys } from './cluster-toys.js';
import { ClusterWorld } from './cluster-world.js';
import type { Job } from './job.js';
import { checkToys, PUBLISHERS, toyLive } from './toy-jobs.js';

/** A publisher says something so often, at most. */
const PACE_MS = 700;

/** Item → its row, as a view holds it. */
function viewOf({ instance }: MailboxFold, items: readonly string[]): Record<string, string | undefined> {
  const { items: cell } = instance.cellsOf() as unknown as { readonly items: Keyed<string> };
  return Object.fromEntries(items.map((item) => [item, cell.get(item)]));
}

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
    const items = Object.keys(expected as object);
    for (const [who, { partition, fold }] of world.views) {
      assert.deepEqual(
        viewOf(fold, items),
        viewOf(folds.get(`recommendations/${partition}`)!, items),
        `view ${partition} of ${who}`,
      );
    }
  },
  run: (options) => ClusterWorld.run(cluster, options),
};
