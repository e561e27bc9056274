/** `rivulet demo --films`: events without purchases, items with several genres, from a publisher on NATS to lists and the page. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, startCli, workingDirectory } from '../cli/run-cli.js';
import { processesOn } from '../support/blows.js';
import { eventually } from '../support/eventually.js';
import { skipped } from '../support/requirements.js';
import { browsing, noBrowser } from './browser.js';

const USERS = 300;
const GENRES = ['Drama', 'Comedy', 'Thriller', 'Sci-Fi', 'Film-Noir'];
const TITLE = /^[A-Z].* \(\d{4}\)$/;

interface Listed {
  readonly item_id: string;
  readonly title?: string;
  readonly category?: string;
  readonly type?: string;
}

let demo: Running;
let cwd: string;
let remove: () => void;
let url: string;

const get = async <T>(path: string): Promise<T> => {
  const response = await fetch(`${url}${path}`);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
};
const itemsOf = async (path: string): Promise<readonly Listed[]> =>
  (await get<{ readonly items: readonly Listed[] }>(path)).items;
/** As published: `Drama|Romance`. */
const genresOf = async (item: string): Promise<string[]> =>
  (await get<{ readonly category: string }>(`/items/${item}`)).category.split('|');

beforeAll(async () => {
  ({ cwd, remove } = workingDirectory());
  const size = ['--rate', '100', '--users', String(USERS), '--items', '400'];
  demo = startCli(cwd, ['demo', '--films', ...size, '--grpc-port', '0', '--partitions', '2']);
  [, url = ''] = await demo.printed(/Page and REST at (http:\S+), .* data in \S*\.rivulet-films/);
  await demo.printed(/Try, in another terminal/);
  await eventually(
    async () => {
      const { counters } = await get<{ readonly counters: Record<string, number> }>('/status');
      expect(counters['on_time']).toBeGreaterThan(5_000);
      // Lists of trending films follow with the next tick.
      expect(await itemsOf('/trending')).not.toEqual([]);
    },
    { timeout: 120_000 },
  );
}, 180_000);

afterAll(async () => {
  demo.child.kill('SIGTERM');
  await demo.ended;
  expect(await processesOn(cwd)).toEqual([]);
  remove();
});

describe('films', () => {
  it('are recommended to users who are known and who are not: titles with a genre, and no list is empty', async () => {
    const known = Array.from({ length: 40 }, (_, i) => String(i + 1));
    const lists = await Promise.all([...known, 'nobody', '999999'].map((user) => itemsOf(`/reco/${user}?n=10`)));
    for (const list of lists) {
      expect(list.length).toBeGreaterThan(0);
      for (const { title } of list) expect(title).toMatch(TITLE);
      expect(list).toEqual(list.filter((item) => !('price' in item)));
    }
    const kinds = lists.map(([first]) => first!.type);
    expect(kinds.slice(-2)).toEqual(['streaming_popular_fallback', 'streaming_popular_fallback']);
    expect(kinds.filter((kind) => kind === 'streaming_hybrid').length).toBeGreaterThan(30);
    for (const { item_id: item, category } of lists[0]!) expect(await genresOf(item)).toContain(category);
    const { answers } = await get<{ readonly answers: Record<string, number> }>('/status');
    expect(answers).toMatchObject({ empty: 0 });
  });

  it.each(GENRES)('are listed by genre, recommended and trending: %s', async (genre) => {
    for (const path of [`/reco/nobody?category=${genre}`, `/reco/1?category=${genre}`, `/trending?category=${genre}`]) {
      const items = await itemsOf(`${path}&n=5`);
      expect(items.length, path).toBeGreaterThan(0);
      for (const { item_id: item } of items) expect(await genresOf(item), path).toContain(genre);
    }
  });

  it('each stands in the lists of all of its genres', async () => {
    const top = await itemsOf('/trending?n=20');
    const several = await Promise.all(top.map(async ({ item_id: item }) => ({ item, genres: await genresOf(item) })));
    const { item, genres } = several.find((one) => one.genres.length > 1)!;
    for (const genre of genres) {
      const listed = await itemsOf(`/trending?n=100&category=${genre}`);
      expect(listed.map(({ item_id: id }) => id)).toContain(item);
    }
  });
});

describe.skipIf(noBrowser)(`the page of films, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();

  it('speaks of films and genres', async () => {
    const { page, complaints } = await browser.open({ url });
    await page.getByRole('heading', { name: 'Recommended films' }).waitFor();
    await page.getByRole('heading', { name: 'Trending films' }).waitFor();
    const lists = page.locator('.recommendations, .trending');
    for (const heading of ['Film', 'Genre']) await lists.getByText(heading, { exact: true }).first().waitFor();
    await page.locator('.trending-list tbody tr').first().waitFor();
    await page.locator('.recommendations tbody td.item').first().waitFor();
    expect((await lists.allInnerTexts()).join('\n')).not.toMatch(/(?<!-)\bcategor|\bitems?\b/i);
    expect(await page.locator('.recommendations tbody .title').first().innerText()).toMatch(TITLE);
    await page.locator('.trending').getByLabel('Genre').selectOption('Drama');
    await expect.poll(() => page.locator('.trending-list tbody tr').count()).toBeGreaterThan(0);
    await page.getByText(/Lists: \d+ % fallback, 0 % empty/).waitFor();
    expect(complaints).toEqual([]);
  });
});
