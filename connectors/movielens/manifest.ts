/**
 * manifest: `_manifest.json` beside files as they were received, from which it can be told whether they still are what they were.
 *
 * Rows are lines that are not empty, of .csv without the header. Files whose names begin with _ are not listed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fatal } from '../../runtime/contract/errors.js';

export interface ManifestFile {
  readonly name: string;
  readonly bytes: number;
  readonly rows: number;
  readonly md5: string;
}

export interface Manifest {
  readonly dataset_name: string;
  readonly dataset_version: string;
  readonly source_url: string;
  /** ISO 8601, and its date. */
  readonly ingestion_ts: string;
  readonly ingestion_date: string;
  readonly files: readonly ManifestFile[];
}

const NAME = '_manifest.json';

/** Writes it from what is in the folder. */
export async function writeManifest(
  folder: string,
  facts: Pick<Manifest, 'dataset_name' | 'dataset_version' | 'source_url'>,
  nowMs: number,
): Promise<Manifest> {
  const ingestion_ts = new Date(nowMs).toISOString();
  const files = await Promise.all((await filesIn(folder)).map((name) => factsOf(folder, name)));
  const manifest = { ...facts, ingestion_ts, ingestion_date: ingestion_ts.slice(0, 10), files };
  await writeFile(join(folder, NAME), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}

/** Fatal SOURCE_MANIFEST when there is none that can be read. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, NAME);
  let found: unknown;
  try {
    found = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw fatal('SOURCE_MANIFEST', `${path} cannot be read`, { cause: error, hint: GIVE });
  }
  if (!isManifest(found))
    throw fatal('SOURCE_MANIFEST', `${path} is not a manifest with a list of files`, { hint: GIVE });
  return found;
}

const GIVE = 'give a folder that rivulet import movielens wrote';

/** What differs from the manifest, a sentence each; none: all files are as they were received. */
export async function differences(folder: string, { files }: Manifest): Promise<string[]> {
  const present = await filesIn(folder);
  const found: string[] = [];
  for (const { name, ...then } of files) {
    if (!present.includes(name)) {
      found.push(`${name} is missing`);
      continue;
    }
    const now = await factsOf(folder, name);
    for (const fact of ['bytes', 'rows', 'md5'] as const) {
      if (now[fact] !== then[fact]) found.push(`${name}: ${fact} ${now[fact]}, in the manifest ${then[fact]}`);
    }
  }
  const listed = new Set(files.map(({ name }) => name));
  return [...found, ...present.filter((name) => !listed.has(name)).map((name) => `${name} is not in the manifest`)];
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => !name.startsWith('_')).sort();

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

async function factsOf(folder: string, name: string): Promise<ManifestFile> {
  const md5 = createHash('md5');
  let [bytes, rows, isEmpty] = [0, 0, true];
  for await (const chunk of createReadStream(join(folder, name)) as AsyncIterable<Buffer>) {
    md5.update(chunk);
    bytes += chunk.length;
    for (const byte of chunk) {
      if (byte === LINE_FEED) {
        if (!isEmpty) rows++;
        isEmpty = true;
      } else if (byte !== CARRIAGE_RETURN) isEmpty = false;
    }
  }
  if (!isEmpty) rows++;
  return { name, bytes, rows: name.endsWith('.csv') ? Math.max(0, rows - 1) : rows, md5: md5.digest('hex') };
}

function isManifest(found: unknown): found is Manifest {
  const { files } = (found ?? {}) as { readonly files?: unknown };
  return Array.isArray(files) && files.every((file) => typeof (file as ManifestFile | null)?.name === 'string');
}
