/** Factors trained from the history of a node, as people run it: by a command, by the node itself, and over kill -9. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { until } from '../support/eventually.js';
import { smallBed, type SmallNode } from './small-node.js';

const bed = smallBed();
const DATA = 'films';
const TASTES = ['war', 'love'];
const FANS = 8;

const rated = (user: string, item: string): string =>
  `${JSON.stringify({ event_type: 'rating', event_time: '2026-11-01T10:00:00Z', user_id: user, item_id: item, rating: 5 })}\n`;

async function publish(...events: string[]): Promise<void> {
  const file = join(bed.cwd, 'events.jsonl');
  writeFileSync(file, events.join(''));
  await bed.nodes.rivulet(DATA, 'publish', '--file', file);
}

async function opened(node: SmallNode) {
  const client = await connectRivulet(node.address);
  onTestFinished(() => client.close());
  const [, http] = await node.running.printed(/HTTP at (http:\/\/127\.0\.0\.1:\d+)/);
  return {
    byTaste: async () => {
      const { items } = await client.getRecommendations({ userId: 'ann', limit: 10, strategy: 'als', explain: true });
      return items.filter(({ type }) => type === 'streaming_als').map(({ itemId }) => itemId);
    },
    factors: async () => {
      const ranking = (await (await fetch(`${http}/ranking`)).json()) as {
        factors: { rank: number; trained_at: string };
      };
      return ranking.factors;
    },
  };
}

it('lists are of the taste that a user has just shown, also after kill -9, and anew when the node has trained by itself', async () => {
  const off = ['--http-port', '0', '--set', 'training.everyMinutes=0'];
  const node = await bed.nodes.start(DATA, ...off);
  const empty = await bed.nodes.rivulet(DATA, 'train');
  expect([empty.code, empty.stderr]).toEqual([3, expect.stringMatching(/\[HISTORY_EMPTY\]\nhint: publish or import/)]);

  // Six of seven films of a taste each, so that each has some that go with it.
  const seen = Array.from({ length: FANS }, (_, fan) =>
    TASTES.flatMap((taste) =>
      Array.from({ length: 6 }, (_, i) => rated(`${taste}-fan-${fan}`, `${taste}-${(fan + i) % 7}`)),
    ),
  ).flat();
  await publish(...seen);
  const trained = await until(
    async () => {
      const { code, stdout } = await bed.nodes.rivulet(DATA, 'train', '--rank', '4', '--json');
      return code === 0 ? (JSON.parse(stdout) as { interactions: number; users: number; items: number }) : undefined;
    },
    (found) => found?.interactions === seen.length,
  );
  expect(trained).toMatchObject({ users: 2 * FANS, items: 14, rank: 4 });

  const first = await opened(node);
  await publish(rated('ann', 'war-0'));
  const list = await until(first.byTaste, (items) => items.length > 0);
  expect(list.slice(0, 6).sort()).toEqual(Array.from({ length: 6 }, (_, i) => `war-${i + 1}`));

  node.running.child.kill('SIGKILL');
  await node.running.ended;
  const again = await bed.nodes.start(DATA, '--http-port', '0', '--set', 'training.everyMinutes=0.01');
  const second = await opened(again);
  expect((await until(second.byTaste, (items) => items.length > 0)).slice(0, 6).sort()).toEqual(
    [...list].slice(0, 6).sort(),
  );
  // Of the rank that a node trains with.
  const own = await until(second.factors, (factors) => factors?.rank === 32);
  await until(second.factors, (factors) => factors.trained_at > own.trained_at);
});
