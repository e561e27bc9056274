/**
 * How good the lists are, prequentially: predict, then learn (Dawid 1984). Nine tenths of MovieLens (../shared/data), by time, are imported into a node
 * that runs; the rest is played as live events, one by one. Before each rating from 3.5 its user's lists are asked for, by each strategy: is the film among the ten?
 *
 *   HR@10 = hits / ratings from 3.5      beside it the ten films with the most such ratings so far, without those that the user has rated
 *
 * The node leaves out what the user has seen, too. Each event is awaited before the next question: as_of says that the lists know of it.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { pause } from './fleet.js';
import { CLI, ROOT, round, run, say } from './machine.js';

const DATA = resolve(ROOT, '../shared/data/ml-latest-small');
const GOOD = 3.5;
const LIST = 10;
const STRATEGIES = ['category-popularity', 'hybrid'] as const;
const AWAIT_MS = 2_000;

interface Rated {
  readonly user: string;
  readonly item: string;
  readonly rating: number;
  readonly seconds: number;
}

/** `share`: how many of the ratings, the last ones, are played. */
export async function benchPrequential(share: number): Promise<void> {
  if (!existsSync(DATA)) {
    say(`skipped: ${DATA} is not there`);
    return;
  }
  const ratings = ratingsByTime();
  const first = Math.floor(ratings.length * (1 - share));
  const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-prequential-'));
  const [grpcPort, natsPort] = [55_054, 55_224];
  const ports = ['--grpc-port', String(grpcPort), '--nats-port', String(natsPort), '--http-port', '0'];
  const node = spawn(
    process.execPath,
    [CLI, 'start', '--data-dir', dataDir, ...ports, '--partitions', '1', '--log-level', 'warn'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const client = await connectRivulet(`127.0.0.1:${grpcPort}`);
  try {
    while ((await client.health().catch(() => 'UNKNOWN')) !== 'SERVING') await pause(100);
    const rivulet = (...args: string[]) => run(process.execPath, [CLI, ...args, '--data-dir', dataDir]);
    await rivulet('publish', '--items', join(DATA, 'movies.csv'));
    const past = join(dataDir, 'past.csv');
    const rows = ratings
      .slice(0, first)
      .map(({ user, item, rating, seconds }) => `${user},${item},${rating},${seconds}\n`);
    writeFileSync(past, `userId,movieId,rating,timestamp\n${rows.join('')}`);
    const { stdout } = await rivulet('import', 'events', past, '--json');
    const { events, seconds } = JSON.parse(stdout) as { readonly events: number; readonly seconds: number };
    say(
      `\nprequential, MovieLens: ${events} ratings imported in ${round(seconds)} s, the other ${ratings.length - first} played`,
    );

    const popular = new Popularity(ratings.slice(0, first));
    const connection = await connect({ servers: `nats://127.0.0.1:${natsPort}` });
    let [asked, ofPopular, personal, unseen] = [0, 0, 0, 0];
    const hits: Record<(typeof STRATEGIES)[number], number> = { 'category-popularity': 0, hybrid: 0 };
    for (const one of ratings.slice(first)) {
      if (one.rating >= GOOD) {
        asked++;
        for (const strategy of STRATEGIES) {
          const question = { userId: one.user, limit: LIST, excludeSeen: true, strategy };
          const { items } = await client.getRecommendations(question);
          if (items.some(({ itemId }) => itemId === one.item)) hits[strategy]++;
          if (items.some(({ type }) => type === 'streaming_category_popularity')) personal++;
        }
        if (popular.listOf(one.user).includes(one.item)) ofPopular++;
      }
      popular.learn(one);
      const event = {
        event_type: 'rating',
        event_time: one.seconds,
        user_id: one.user,
        movie_id: one.item,
        rating: one.rating,
      };
      connection.publish(`rivulet.events.rating.${one.user}`, JSON.stringify(event));
      const untilMs = performance.now() + AWAIT_MS;
      for (;;) {
        const { asOfMs = -Infinity } = await client.getRecommendations({ userId: one.user, limit: 1 });
        if (asOfMs >= one.seconds * 1000) break;
        if (performance.now() > untilMs) {
          unseen++;
          break;
        }
        await pause(1);
      }
    }
    await connection.close();
    const rate = (count: number): string => `${((100 * count) / asked).toFixed(2)} % (${count} of ${asked})`;
    for (const strategy of STRATEGIES) say(`  HR@${LIST}   ${strategy} ${rate(hits[strategy])}`);
    say(`  HR@${LIST}   plain popularity ${rate(ofPopular)}`);
    say(`  personal lists: ${rate(personal)}; not awaited: ${unseen}`);
  } finally {
    client.close();
    node.kill('SIGTERM');
    await new Promise((done) => node.on('exit', done));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function ratingsByTime(): Rated[] {
  const [, ...lines] = readFileSync(join(DATA, 'ratings.csv'), 'utf8').trimEnd().split(/\r?\n/);
  const ratings = lines.map((line): Rated => {
    const [user, item, rating, seconds] = line.split(',');
    return { user: user!, item: item!, rating: Number(rating), seconds: Number(seconds) };
  });
  return ratings.sort((a, b) => a.seconds - b.seconds);
}

/** Films by their number of good ratings so far. */
class Popularity {
  private readonly counts = new Map<string, number>();
  private readonly rated = new Map<string, Set<string>>();
  private ranked: string[] | undefined;

  constructor(ratings: readonly Rated[]) {
    for (const one of ratings) this.learn(one);
  }

  learn({ user, item, rating }: Rated): void {
    let own = this.rated.get(user);
    if (own === undefined) this.rated.set(user, (own = new Set()));
    own.add(item);
    if (rating < GOOD) return;
    this.counts.set(item, (this.counts.get(item) ?? 0) + 1);
    this.ranked = undefined;
  }

  listOf(user: string): string[] {
    this.ranked ??= [...this.counts].sort(([, a], [, b]) => b - a).map(([item]) => item);
    const own = this.rated.get(user);
    const list: string[] = [];
    for (const item of this.ranked) {
      if (own?.has(item) === true) continue;
      list.push(item);
      if (list.length === LIST) break;
    }
    return list;
  }
}
