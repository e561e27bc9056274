/**
 * The live path at steady rates: what an event costs, and how long it takes until it shows.
 *
 * Each run has a node of its own, and load from another process, a plain NATS client. After the warm-up come two stretches of the same load:
 *
 *   cost       nobody asks: CPU time of node, nats-server and load apart, messages and rows that stages publish, per event taken in
 *   latency    this process publishes events, each of a new user, and asks GetRecommendations over gRPC until the list is the user's own. A call's
 *              duration and the pause between two, about two milliseconds, are part of the figure; what asking costs is not in the cost.
 *
 * To compare with another build: RIVULET_BENCH_CLI=/other/checkout/dist/bin/rivulet.js
 */
import { randomUUID } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import type { RivuletClient } from '../../connectors/grpc/client/client.js';
import { pause } from './fleet.js';
import { cpuSeconds, percentile, round, say } from './machine.js';
import { costBetween, costText, MeasuredNode, type Plan, planText } from './measured-node.js';

const PROBE_EVERY_MS = 25;
/** Asking without a pause would take a core for itself. */
const ASK_EVERY_MS = 1;
const GIVE_UP_MS = 5_000;

export interface LiveRun extends Plan {
  /** Events per second. */
  readonly rate: number;
  readonly warmUpSeconds: number;
  /** Of each stretch. */
  readonly seconds: number;
}

/** `json`: a line of JSON instead of text. */
export async function benchLive(run: LiveRun, json: boolean): Promise<void> {
  const { rate, warmUpSeconds, seconds } = run;
  const node = await MeasuredNode.start(run);
  try {
    // Longer than is needed; it is ended when all is measured.
    await node.loaded({ rate, seconds: warmUpSeconds + 10 * seconds + 60 }, async (load) => {
      await pause(warmUpSeconds * 1000);
      const loadBefore = cpuSeconds(load.pid!);
      const before = await node.totals();
      await pause(seconds * 1000);
      const cost = costBetween(before, await node.totals(), cpuSeconds(load.pid!) - loadBefore);
      // Thousands: the node does not follow.
      const { waiting } = await node.progress();
      const endMs = performance.now() + seconds * 1000;
      const latencies = await probeLatencies(node.client, node.natsUrl, () => performance.now() >= endMs);
      if (json) {
        const latencyMs = latencyOf(latencies);
        say(JSON.stringify({ bench: 'live', ...run, ...cost, waiting, latencyMs, probes: latencies.length }));
        return;
      }
      say(`\nlive, ${rate} events/s, ${planText(run)}`);
      say(`  ${costText(cost)}; ${waiting} messages wait`);
      say(`  published → in the answer: ${percentiles(latencies)}   (${latencies.length} probes)`);
    });
  } finally {
    await node.stop();
  }
}

/** Publishes events of new users, one after the other, until `isOver`: ms until the list of each is its own, ascending. */
export async function probeLatencies(client: RivuletClient, url: string, isOver: () => boolean): Promise<number[]> {
  const latencies: number[] = [];
  const connection = await connect({ servers: url });
  while (!isOver()) {
    const userId = `probe-${randomUUID()}`;
    const startedMs = performance.now();
    const event = {
      event_type: 'view',
      event_time: new Date().toISOString(),
      user_id: userId,
      item_id: 'item-1',
      category_code: 'electronics.audio',
    };
    connection.publish(`rivulet.events.view.${userId}`, JSON.stringify(event));
    while (performance.now() - startedMs < GIVE_UP_MS) {
      const { items } = await client.getRecommendations({ userId, strategy: 'category-popularity' });
      if (items[0]?.type === 'streaming_category_popularity') break;
      await pause(ASK_EVERY_MS);
    }
    latencies.push(performance.now() - startedMs);
    await pause(PROBE_EVERY_MS);
  }
  await connection.close();
  return latencies.sort((a, b) => a - b);
}

/** Of latencies in ms, ascending. */
export function percentiles(latencies: readonly number[]): string {
  const { p50, p90, p99, max } = latencyOf(latencies);
  return `p50 ${round(p50)} ms   p90 ${round(p90)} ms   p99 ${round(p99)} ms   max ${round(max)} ms`;
}

function latencyOf(ascending: readonly number[]) {
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => percentile(ascending, share)) as [number, number, number];
  return { p50, p90, p99, max: ascending.at(-1) ?? NaN };
}
