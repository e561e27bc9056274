/** Storage of the record of a deployment (config/deployment.ts): its entry in NATS, and the copies in data directories and streams. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unlessFenced } from '../cluster/membership.js';
import { type Deployment, decodeDeployment, encodeDeployment, mustBeSame } from '../config/deployment.js';
import { fatal, transient } from '../contract/errors.js';
import { streamOf, type Topology } from '../contract/graph.js';
import type { KeyValue, KeyValueEntry, Log } from '../contract/ports.js';
import { hasFields, isCount, isFlag, isText, optional, storedJson } from '../contract/stored-json.js';
import { streamInfo } from '../contract/streams.js';
import { utf8 } from '../frames/bytes.js';
import { BUCKETS } from './buckets.js';

const FILE = 'deployment.json';
const KEY = 'pipeline';
/** The popularity table that was loaded (popularity-past.ts). */
export const TABLE_KEY = 'popularity-table';

/** Fatal STATE_DAMAGED when the file is not a valid record. */
export function deploymentIn(dataDir: string): Deployment | undefined {
  const file = join(dataDir, FILE);
  if (!existsSync(file)) return undefined;
  const found = decodeDeployment(readFileSync(file));
  if (found !== undefined) return found;
  throw fatal('STATE_DAMAGED', `${file} is damaged: it does not say what the deployment is`, {
    hint: 'restore it from a backup; or delete it, and start with the partitions and the pipeline settings that it was made with',
  });
}

export function writeDeployment(dataDir: string, deployment: Deployment): void {
  const file = join(dataDir, FILE);
  try {
    mkdirSync(dataDir, { recursive: true });
    // A full disk would leave half of the file, a power loss an empty one.
    writeFileSync(`${file}.new`, `${encodeDeployment(deployment)}\n`, { flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw fatal('STATE_OPEN', `cannot write to the data directory ${dataDir}`, {
      cause: error,
      hint: 'check permissions and free space of the data directory',
    });
  }
}

/** Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED when the directory belongs to another deployment. */
export function checkDeployment(dataDir: string, configured: Deployment): void {
  const found = deploymentIn(dataDir);
  if (found !== undefined) mustBeSame(dataDir, found, { configured });
}

/** Written once the other nodes have agreed: a node that they refuse must not leave a record that would refuse its next start. */
export function recordDeployment(dataDir: string, deployment: Deployment): void {
  if (deploymentIn(dataDir) === undefined) writeDeployment(dataDir, deployment);
}

const recordIn = (entry: KeyValueEntry | undefined): Deployment | undefined =>
  entry === undefined ? undefined : decodeDeployment(entry.value);

/** Fatal DEPLOYMENT_UNREADABLE when the entry is foreign. */
export async function sharedDeployment(table: KeyValue): Promise<Deployment | undefined> {
  const entry = await table.get(KEY);
  const found = recordIn(entry);
  if (entry === undefined || found !== undefined) return found;
  const { key, revision } = entry;
  const says = `the entry ${key} of the bucket ${BUCKETS.deployment} (revision ${revision}) was not written by rivulet`;
  throw fatal('DEPLOYMENT_UNREADABLE', says, {
    hint: 'start a node on the data directory that it had: it writes the entry anew; or have `rivulet repair --yes` write it, with the settings that the deployment was made with',
  });
}

export interface TableRecord {
  /** SHA-256 of the file. */
  readonly digest: string;
  /** When it was loaded, epoch ms. */
  readonly loadedMs: number;
  /** How many other files were begun before it and not finished. */
  readonly begunBefore: number;
  /** Whether all of it was written: no other file is loaded then. */
  readonly whole: boolean;
}

/** `undefined`: it was not written by Rivulet. */
export const tableRecordIn = ({ value }: KeyValueEntry): TableRecord | undefined =>
  storedJson<TableRecord>(value, hasFields({ digest: isText, loadedMs: isCount, begunBefore: isCount, whole: isFlag }));

/** Of a file that `rivulet import` imports, or has imported. */
export interface ImportRecord {
  /** SHA-256 of the file. */
  readonly digest: string;
  /** Its path when it was imported last. */
  readonly file: string;
  /** The process that imports it. */
  readonly importer: string;
  /** All records before this place are stored, or refused: offset in the uncompressed file, and line. */
  readonly offset: number;
  readonly line: number;
  readonly events: number;
  readonly refused: number;
  /** As it was given; absent: none. */
  readonly ratingScale?: string | undefined;
  /** The options that say what its columns are; absent: it has the names of the schema. */
  readonly columns?: string | undefined;
  /** When this was written, epoch ms. */
  readonly atMs: number;
  /** Absent while it is imported. */
  readonly end?: 'done' | 'given up' | undefined;
}

/** The import that has begun: there is one at a time. */
export const IMPORT_KEY = 'import';
const ENDED_PREFIX = `${IMPORT_KEY}.`;

/** Of a file whose import has ended. */
export const endedImportKey = (digest: string): string => ENDED_PREFIX + digest;
export const isImport = ({ key }: KeyValueEntry): boolean => key === IMPORT_KEY || key.startsWith(ENDED_PREFIX);

/** `undefined`: it was not written by Rivulet. */
export const importRecordIn = ({ value }: KeyValueEntry): ImportRecord | undefined =>
  storedJson<ImportRecord>(
    value,
    hasFields({
      ...{ digest: isText, file: isText, importer: isText },
      ...{ offset: isCount, line: isCount, events: isCount, refused: isCount },
      ...{ ratingScale: optional(isText), columns: optional(isText), atMs: isCount, end: optional(isText) },
    }),
  );

/** Foreign entries, or overwritten ones. */
export const unreadableDeployment = (entries: readonly KeyValueEntry[]): KeyValueEntry[] =>
  entries.filter((entry) => {
    if (entry.key === TABLE_KEY) return tableRecordIn(entry) === undefined;
    if (isImport(entry)) return importRecordIn(entry) === undefined;
    return entry.key !== KEY || recordIn(entry) === undefined;
  });

/** The record among the entries of its bucket. */
export const deploymentAmong = (entries: readonly KeyValueEntry[]): Deployment | undefined =>
  recordIn(entries.find(({ key }) => key === KEY));

export async function writeSharedDeployment(table: KeyValue, deployment: Deployment): Promise<void> {
  await table.put(KEY, utf8(encodeDeployment(deployment)));
}

/**
 * The first node that joins creates the entry, all others compare themselves with it. If the entry was overwritten, a node whose data directory was
 * checked writes it again (`ours`).
 */
export async function checkSharedDeployment(table: KeyValue, configured: Deployment, ours?: Deployment): Promise<void> {
  const put = (revision: number) => unlessFenced(() => table.put(KEY, utf8(encodeDeployment(configured)), revision));
  if ((await put(0)) !== undefined) return;
  const entry = await table.get(KEY);
  const isStrange = entry !== undefined && recordIn(entry) === undefined;
  if (isStrange && ours !== undefined && (await put(entry.revision)) !== undefined) return;
  const found = await sharedDeployment(table);
  if (found === undefined) throw transient('LOG_UNREACHABLE', 'the deployment record cannot be read now');
  mustBeSame('the deployment', found, { configured });
}

/** The same, before anything is written to NATS. If the bucket's entry is lost, the copies in the streams are used. */
export async function checkDeployed(
  entries: readonly KeyValueEntry[],
  { log, topology }: { readonly log: Log; readonly topology: Topology },
  configured: Deployment,
): Promise<void> {
  const shared = deploymentAmong(entries);
  if (shared !== undefined) {
    mustBeSame('the deployment', shared, { configured });
    return;
  }
  for (const stream of topology.stages.map(({ id }) => streamOf(id))) {
    const found = decodeDeployment((await streamInfo(log, stream))?.deployment ?? '');
    if (found !== undefined) mustBeSame(stream, found, { configured });
  }
}
