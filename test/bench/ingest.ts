/**
 * The ceiling of ingest: an event of each of many users, published as fast as they are stored, in messages of 500; events per second from the first
 * one until the lists of users behind all others are there. First of users that nobody knows, then of the same ones again. When all stages have nothing to
 * do any more, a node reports within a second or two; until then CPU is counted. That of the load is of the whole process, its start included.
 */
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { eventOf, pause, userName } from './fleet.js';
import { DIST, round, run, say } from './machine.js';
import { costBetween, costText, MeasuredNode, type Plan, planText } from './measured-node.js';
import { until } from './nodes-watch.js';

/** Users who nobody knows, behind all others: enough for each partition. */
const PROBES = 16;
/** Ticks go on when all else is quiet. */
const TICKS_WAITING = 50;
const REPORT_EVERY_MS = 100;

/** `json`: a line of JSON for each part instead of text. */
export async function benchIngest(users: number, plan: Plan, json: boolean): Promise<void> {
  const node = await MeasuredNode.start(plan);
  const connection = await connect({ servers: node.natsUrl });
  try {
    for (const [part, kind] of (['new', 'returning'] as const).entries()) {
      const before = await node.totals();
      const loading = run(process.execPath, [
        join(DIST, 'test/bench/ingest-load.js'),
        node.natsUrl,
        String(users),
        kind,
      ]);
      const { cpuSeconds } = JSON.parse((await loading).stdout) as { cpuSeconds: number };
      const published = (performance.now() - before.atMs) / 1000;
      const probes = Array.from({ length: PROBES }, (_, i) => users + part * PROBES + i);
      for (const user of probes) {
        connection.publish('rivulet.events.view', eventOf(`probe-${user}`, user, user, Date.now()));
      }
      await until('the probes', async () => {
        const lists = await Promise.all(
          probes.map((user) =>
            node.client.getRecommendations({ userId: userName(user), strategy: 'category-popularity' }),
          ),
        );
        return lists.every(({ items }) => items[0]?.type === 'streaming_category_popularity');
      });
      const seconds = (performance.now() - before.atMs) / 1000;
      await until('all stages', async () => {
        await pause(REPORT_EVERY_MS);
        const { events, waiting } = await node.progress();
        return events >= before.events + users + PROBES && waiting < TICKS_WAITING;
      });
      const after = await node.totals();
      const idleAfter = (after.atMs - before.atMs) / 1000;
      const cost = { ...costBetween(before, after, cpuSeconds), eventsPerSecond: users / seconds };
      if (json) {
        say(
          JSON.stringify({
            bench: 'ingest',
            users: kind,
            events: users,
            ...plan,
            ...cost,
            publishedSeconds: published,
            idleAfterSeconds: idleAfter,
          }),
        );
        continue;
      }
      say(
        `\ningest, ${users} events of as many ${kind} users, ${planText(plan)}; published within ${round(published)} s, lists there after ${round(seconds)} s, stages idle after ${round(idleAfter)} s`,
      );
      say(`  ${costText(cost)}`);
    }
  } finally {
    await connection.close();
    await node.stop();
  }
}
