/** Films: the ratings of years are imported beside live events. No event is late, and lists are those of the past and the present. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { countersIn } from '../support/live-nodes.js';
import { eventually } from '../support/eventually.js';
import { ROOT } from '../guards/source-files.js';
import { type Missing, skipped } from '../support/requirements.js';
import { runCli } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();
const MOVIELENS = join(ROOT, '..', 'shared', 'data', 'ml-latest-small');
const noMovieLens: Missing = existsSync(MOVIELENS) ? undefined : '../shared/data is not there';

const GENRES = ['Drama', 'Comedy', 'Western', 'Horror'];
const FILMS = 80;
const USERS = 40;
const genreOf = (film: number): string => GENRES[film % GENRES.length]!;

/** User u rates films of genre u mod 4 with 5, and others with 2. */
function generated(folder: string): { readonly movies: string; readonly ratings: string; readonly rows: number } {
  const [movies, ratings] = [join(folder, 'movies.csv'), join(folder, 'ratings.csv')];
  const films = Array.from({ length: FILMS }, (_, n) => `${n + 1},Film ${n + 1},${genreOf(n + 1)}\n`);
  writeFileSync(movies, `movieId,title,genres\n${films.join('')}`);
  const rows = Array.from({ length: USERS }, (_, u) =>
    Array.from({ length: 15 }, (__, k) => {
      // Three of four are of the user's genre.
      const film = k % 4 === 3 ? ((u + 7 * k) % FILMS) + 1 : ((u + 4 * k) % FILMS) + 1;
      return `${u + 1},${film},${(film - u - 1) % GENRES.length === 0 ? 5 : 2},${1_100_000_000 + u * 86_400 + k * 60}\n`;
    }),
  ).flat();
  writeFileSync(ratings, `userId,movieId,rating,timestamp\n${rows.join('')}`);
  return { movies, ratings, rows: rows.length };
}

async function importBeside({ movies, ratings }: { readonly movies: string; readonly ratings: string }, user: string) {
  const node = await bed.nodes.start('node');
  const client = await connectRivulet(node.address);
  const rivulet = (...args: string[]) => runCli(bed.cwd, [...args, '--nats-url', bed.server.url]);
  const listOf = async (userId: string) =>
    (await client.getRecommendations({ userId, limit: 10, strategy: 'category-popularity' })).items;
  try {
    expect((await rivulet('publish', '--items', movies)).code).toBe(0);
    const js = jetstream(bed.connection);
    let published = 0;
    const view = async (viewer = 'live'): Promise<void> => {
      const event = {
        ...{ event_id: `live-${published}`, event_type: 'view', event_time: new Date().toISOString() },
        ...{ user_id: viewer, movie_id: String((published % 20) + 1) },
      };
      await js.publish('rivulet.events.view.live', JSON.stringify(event));
      published++;
    };
    for (let n = 0; n < 50; n++) await view();
    await eventually(async () => expect((await listOf('live')).length).toBeGreaterThan(0));
    const before = await listOf(user);
    let isOver = false;
    const flow = (async () => {
      while (!isOver) await view();
    })();
    const { code, stdout, stderr } = await rivulet('import', 'events', ratings, '--json');
    isOver = true;
    await flow;
    expect(code, stderr).toBe(0);
    // At once: the command ends when its events are processed.
    const after = await listOf(user);
    for (let n = 0; n < 50; n++) await view();
    // All before it are processed when the last one has changed a list.
    const types = async () => (await listOf('last')).map(({ type }) => type);
    expect(await types()).not.toContain('streaming_category_popularity');
    await view('last');
    await eventually(async () => expect(await types()).toContain('streaming_category_popularity'));
    const { events } = JSON.parse(stdout) as { events: number };
    await node.stop();
    return { before, after, events, published, counters: await countersIn([join(bed.cwd, 'node')]) };
  } finally {
    client.close();
  }
}

it('generated films: nothing is late, each event counts once, and lists change at once', async () => {
  const files = generated(bed.cwd);
  const { before, after, events, published, counters } = await importBeside(files, '3');
  expect(events).toBe(files.rows);
  expect(counters).toMatchObject({ events: files.rows + published, late: 0, dead_letter: 0, duplicates: 0 });
  expect(new Set(before.map(({ type }) => type))).toEqual(new Set(['streaming_popular_fallback']));
  expect(new Set(after.map(({ type }) => type))).toEqual(new Set(['streaming_category_popularity']));
  // User 3 likes what film 3 is.
  expect(after[0]!.category).toBe(genreOf(3));
}, 120_000);

it.skipIf(noMovieLens)(
  `MovieLens (../shared/data): the same with 100,836 ratings${skipped(noMovieLens)}`,
  async () => {
    const files = { movies: join(MOVIELENS, 'movies.csv'), ratings: join(MOVIELENS, 'ratings.csv') };
    const { before, after, events, published, counters } = await importBeside(files, '1');
    expect(events).toBe(100_836);
    expect(counters).toMatchObject({ events: events + published, late: 0, dead_letter: 0, duplicates: 0 });
    expect(after).toHaveLength(10);
    expect(after.map(({ type }) => type)).toContain('streaming_category_popularity');
    expect(after).not.toEqual(before);
  },
  240_000,
);
