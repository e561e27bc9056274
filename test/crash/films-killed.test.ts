/**
 * Films over NATS, and their catalogue beside them, while the node is killed with -9 again and again: in the end every film is in the lists of each of its
 * genres, with every event counted once.
 */
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, expect, it } from 'vitest';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { seededRandom } from '../../actors/maths/random.js';
import { runCli, type Running, startCli, workingDirectory } from '../cli/run-cli.js';
import { pause } from '../support/blows.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 7);
const KILLS = 3;
const USERS = 10;
const ROUNDS = 40;
/** Longer than a look at the lists takes, after what the last probe has changed. */
const LOOK_MS = 60_000;

/** As MovieLens writes them; of the last one nobody publishes a title. */
const FILMS: Readonly<Record<string, readonly string[]>> = {
  'Toy Story (1995)': ['Adventure', 'Animation', 'Children', 'Comedy', 'Fantasy'],
  'Heat (1995)': ['Action', 'Crime', 'Thriller'],
  'Twelve Monkeys (a.k.a. 12 Monkeys) (1995)': ['Mystery', 'Sci-Fi', 'Thriller'],
  'Notorious (1946)': ['Film-Noir', 'Romance', 'Thriller'],
  'La cravate (1957)': [],
};
const TITLES = Object.keys(FILMS);
const UNKNOWN_FILM = '999';
const films = TITLES.map((title, i) => ({ id: String(i + 1), title, genres: FILMS[title]! }));
const GENRES = [...new Set(films.flatMap(({ genres }) => genres))];

const { cwd, remove } = workingDirectory();
const ending: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ending.reverse()) await end();
  remove();
});

const random = seededRandom(SEED);
/** Views and clicks of each film so far. */
const engaged = new Map<string, { views: number; clicks: number }>();
let sent = 0;

async function watch(publisher: NatsConnection, user: string, film: string): Promise<void> {
  const type = (['view', 'click', 'rating'] as const)[sent % 3]!;
  const [event_id, event_ts] = [`e${sent}`, new Date(Date.UTC(2026, 10, 1, 10) + sent * 100).toISOString()];
  const event = { event_id, event_type: type, event_ts, user_id: user, movie_id: Number(film) };
  const more = type === 'rating' ? { rating: 4 } : {};
  await publisher.request(`rivulet.events.${type}.${user}`, JSON.stringify({ ...event, ...more }), { timeout: 10_000 });
  sent++;
  const { views, clicks } = engaged.get(film) ?? { views: 0, clicks: 0 };
  engaged.set(film, { views: views + Number(type === 'view'), clicks: clicks + Number(type === 'click') });
}

/** Each film renamed now and then. */
async function publishFilms(publisher: NatsConnection): Promise<void> {
  for (const suffix of ['?', '']) {
    for (const { id, title, genres } of films) {
      const item = { movieId: Number(id), title: title + suffix, genres: genres.join('|') || '(no genres listed)' };
      await publisher.request(`rivulet.items.${id}`, JSON.stringify(item), { timeout: 10_000 });
      await pause(random() * 200);
    }
  }
}

async function publishEvents(publisher: NatsConnection): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (let user = 0; user < USERS; user++) {
      const film = films[(round + 3 * user) % films.length]!;
      await watch(publisher, `u${user}`, random() < 0.05 ? UNKNOWN_FILM : film.id);
    }
    await pause(random() * 100);
  }
}

interface Node {
  readonly running: Running;
  readonly client: RivuletClient;
}

async function startNode(url: string, dataDir: string): Promise<Node> {
  const args = ['--nats-url', url, '--data-dir', dataDir, '--grpc-port', '0', '--partitions', '2'];
  const running = startCli(cwd, ['start', ...args, '--snapshot-every-seconds', '0.2']);
  ending.push(() => {
    running.child.kill('SIGKILL');
    return running.ended;
  });
  const [, address] = await running.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  const client = await connectRivulet(address!, { deadlineMs: 30_000 });
  ending.push(() => client.close());
  return { running, client };
}

/** As `item views clicks`. */
async function trendingIn(client: RivuletClient, category: string): Promise<string[]> {
  for await (const { items } of client.streamTrending({ category, limit: 100 }, { deadlineMs: 30_000 }))
    return items.map(({ itemId, views, clicks }) => `${itemId} ${views} ${clicks}`).sort();
  throw new Error('the stream has ended');
}

it('every film is listed under each of its genres, with every event once, however often the node is killed', async () => {
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  const publisher = await connectNats({ url: nats.url }, 'publisher');
  ending.push(() => publisher.close());
  const dataDir = join(cwd, 'films');
  let node = await startNode(nats.url, dataDir);
  const publishing = Promise.all([publishFilms(publisher), publishEvents(publisher)]);
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(300 + random() * 900);
    node.running.child.kill('SIGKILL');
    await node.running.ended;
    node = await startNode(nats.url, dataDir);
  }
  await publishing;
  const { client } = node;

  // A film has its genres with its first event after the catalogue came to where events pass.
  const inGenre = (genre: string) => films.filter(({ genres }) => genres.includes(genre));
  const countsOf = (genre: string) =>
    inGenre(genre).map(({ id }) => `${id} ${engaged.get(id)!.views} ${engaged.get(id)!.clicks}`);
  await eventually(
    async () => {
      for (const { id } of films) for (const _ of ['view', 'click', 'rating']) await watch(publisher, 'probe', id);
      await watch(publisher, 'probe', UNKNOWN_FILM);
      await eventually(
        async () => {
          const found = await Promise.all(GENRES.map((genre) => trendingIn(client, genre)));
          expect(found).toEqual(GENRES.map((genre) => countsOf(genre).sort()));
        },
        { timeout: LOOK_MS / 6 },
      );
    },
    { timeout: LOOK_MS },
  );

  for (const user of ['u0', 'u3', 'u9', 'nobody']) {
    const all = (await client.getRecommendations({ userId: user, limit: 100 })).items;
    expect(all.length, user).toBeGreaterThan(0);
    expect(new Set(all.map(({ itemId }) => itemId)).size, user).toBe(all.length);
    for (const { itemId, title, category } of all.filter(({ itemId }) => itemId !== UNKNOWN_FILM)) {
      const film = films.find(({ id }) => id === itemId)!;
      expect(title).toBe(film.title);
      if (film.genres.length > 0) expect(film.genres).toContain(category);
    }
    for (const genre of GENRES) {
      const { items } = await client.getRecommendations({ userId: user, limit: 100, category: genre });
      const expected = inGenre(genre).map(({ id }) => id);
      expect(items.map(({ itemId }) => itemId).sort(), `${genre} for ${user}`).toEqual(expected);
    }
  }
  const { stdout, stderr } = await runCli(cwd, ['items', 'unknown', '--json', '--data-dir', dataDir]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([
    { item_id: UNKNOWN_FILM, events: expect.any(Number) as number, last_event_time: expect.any(String) as string },
  ]);
}, 240_000);
