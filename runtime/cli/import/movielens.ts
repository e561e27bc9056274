/**
 * `rivulet import movielens`: a set of ratings into a deployment that runs.
 *
 *   1. Its files are copied as they are, with a manifest (connectors/movielens/manifest.ts).
 *   2. Its films become items of the catalogue, with titles, all genres and the most frequent tags.
 *   3. Its ratings are imported in order of time, as events of the past (import.ts), or played as live events (`--speed`).
 *
 * Run again, it goes on: files that are there are not copied, items replace themselves, and the import continues where it was.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { datasetFiles, datasetName } from '../../../connectors/movielens/dataset.js';
import { differences, type Manifest, readManifest, writeManifest } from '../../../connectors/movielens/manifest.js';
import { inOrder } from '../../../connectors/movielens/in-order.js';
import { readMovies } from '../../../connectors/movielens/movies.js';
import { newestDate, readRatings } from '../../../connectors/movielens/ratings.js';
import { isUrl, receive } from '../../../connectors/movielens/receive.js';
import { readTags } from '../../../connectors/movielens/tags.js';
import { interruptible } from '../exit.js';
import { bytesBar } from '../progress.js';
import { publish } from '../publish/publish.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';
import { importEvents } from './import.js';
import type { RatingScale } from './past-events.js';

export interface ImportMovieLensOptions extends SettingOptions {
  /** Where copies go; default: `bronze` in the data directory. */
  readonly bronze?: string;
  readonly copyOnly?: true;
  readonly ratingScale?: RatingScale;
  readonly speed?: number;
}

const STARS_MAX = 5;
const TEN: RatingScale = { from: 0, to: 10 };

/** Returns the folder of the copies. */
export async function importMovieLens(source: string, options: ImportMovieLensOptions): Promise<string> {
  const { bronze, copyOnly, ratingScale, speed, ...settings } = options;
  const { config } = settingsOf(settings);
  const folder = await copied(source, resolve(bronze ?? join(config.dataDir, 'bronze')));
  const { files } = await readManifest(folder);
  process.stdout.write(`${files.map(({ name, rows }) => `${name} ${grouped(rows)}`).join(', ')} in ${folder}\n`);
  if (copyOnly === true) return folder;
  const { ratings, movies, tags } = datasetFiles(
    files.map(({ name }) => name),
    folder,
  );
  if (movies !== undefined) {
    const items = join(folder, '_items.jsonl');
    const tagsOf = tags === undefined ? undefined : await readTags(join(folder, tags));
    const lines = (await readMovies(join(folder, movies))).map(({ item, title, genres }) =>
      JSON.stringify({ item_id: item, title, category: genres.join('|'), tags: tagsOf?.get(item) }),
    );
    await writeFile(items, `${lines.join('\n')}\n`);
    await publish({ ...settings, items });
  }
  const { file, scale } = await asCsv(folder, ratings);
  const range = ratingScale ?? scale;
  if (speed !== undefined) await publish({ ...settings, file, speed });
  else await importEvents([file], { ...settings, ...(range === undefined ? {} : { ratingScale: range }) });
  return folder;
}

/** The folder with the files as they were received, and their manifest. */
async function copied(source: string, bronze: string): Promise<string> {
  await mkdir(bronze, { recursive: true });
  const scratch = await mkdtemp(join(bronze, '.receiving-'));
  const { signal, end } = interruptible();
  const bar = bytesBar(0, !isUrl(source));
  try {
    const files = join(scratch, 'files');
    await mkdir(files);
    const names = await receive(source, files, scratch, (bytes) => bar.update(bytes, 'downloaded'), signal);
    const { ratings } = datasetFiles(names, source);
    const source_url = isUrl(source) ? source : `file://${resolve(source)}`;
    const { name, version = (await newestDate(join(files, ratings))) ?? 'unknown' } = datasetName(
      isUrl(source) ? new URL(source).pathname : resolve(source),
      ratings,
    );
    const manifest = await writeManifest(
      files,
      { dataset_name: name, dataset_version: version, source_url },
      Date.now(),
    );
    const folder = join(bronze, name, version, `ingestion_date=${manifest.ingestion_date}`);
    if (await isThere(folder, manifest)) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(bronze, name, version), { recursive: true });
    await rename(files, folder);
    return folder;
  } finally {
    bar.end();
    end();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Whether the same files are there, undamaged. */
async function isThere(folder: string, received: Manifest): Promise<boolean> {
  const known = await readManifest(folder).catch(() => undefined);
  return known !== undefined && (await differences(folder, received)).length === 0;
}

/** As a file that `import events` reads, in order of time; and the scale of its ratings, if they are more than stars. */
async function asCsv(
  folder: string,
  name: string,
): Promise<{ readonly file: string; readonly scale: RatingScale | undefined }> {
  let most = 0;
  async function* rows(): AsyncGenerator<string> {
    yield 'userId,movieId,rating,timestamp\n';
    for await (const { user, item, rating, seconds } of inOrder(readRatings(join(folder, name)))) {
      most = Math.max(most, rating);
      yield `${user},${item},${rating},${seconds}\n`;
    }
  }
  const file = join(folder, '_ratings.csv');
  await pipeline(Readable.from(rows()), createWriteStream(file));
  return { file, scale: most > STARS_MAX ? TEN : undefined };
}
