/**
 * The popularity table of a live deployment (composition): what was popular before, loaded once.
 *
 * The first node that is given a table records its digest in the bucket of the deployment, and when it was loaded, which is the time of its rows. Every
 * node that is given the same table writes what the log lacks of it (jobs/source-writer.ts: numbered and fenced), so a load goes on after a kill, and
 * nodes that write at once write the same. Streams that are new (after a repartition, or a repair that starts anew) get it again, which changes nothing
 * in a state that has it.
 *
 * Another table is not loaded, which is no reason to refuse the start: a file that a job writes anew each night would end the node at its next restart.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { popularityTable } from '../../connectors/csv/popularity-table.js';
import { unlessFenced } from '../cluster/membership.js';
import { explain, fatal, transient } from '../contract/errors.js';
import type { Topology } from '../contract/graph.js';
import type { Clock, KeyValue, KeyValueEntry, Log, Logger } from '../contract/ports.js';
import { utf8 } from '../frames/bytes.js';
import { isTableWritten, writeTable } from '../jobs/source-writer.js';
import { retry } from '../supervision/retry.js';
import { TABLE_KEY, type TableRecord, tableRecordIn } from './deployment.js';

export interface PastTable {
  readonly path: string;
  readonly digest: string;
}

export interface LoadOptions {
  /** The bucket of the deployment. */
  readonly records: KeyValue;
  readonly log: Log;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Reads the whole table where none was loaded yet: fatal POPULARITY_TABLE, SOURCE_UNREADABLE before anything is written. */
export async function openTable(path: string, entries: readonly KeyValueEntry[]): Promise<PastTable> {
  const digest = await digestOf(path);
  if (!entries.some(({ key }) => key === TABLE_KEY)) for await (const rows of popularityTable(path)) void rows;
  return { path, digest };
}

/** Resolves when the table is in the log, or is not to be loaded. */
export async function loadTable({ path, digest }: PastTable, options: LoadOptions): Promise<void> {
  const { log, topology, logger, clock, signal } = options;
  const onRetry = (err: unknown): void => logger.debug({ err }, 'the popularity table waits for the log');
  const retried = <T>(work: () => Promise<T>): Promise<T> =>
    retry(work, { clock, signal, onRetry, isWanted: () => !signal.aborted });
  const record = await retried(() => recordOf(digest, options));
  const where = { table: path, loadedAt: new Date(record.loadedMs).toISOString() };
  if (record.digest !== digest) {
    logger.warn(where, 'another popularity table was loaded before: this one is not, since the past counts once');
    return;
  }
  const target = { to: 'popularity', from: 'popularity-table', by: 'item', partitions: topology.count('popularity') };
  if (await retried(() => isTableWritten(log, target))) {
    logger.info(where, 'the popularity table was loaded before');
    return;
  }
  await retried(() => writeTable(options, popularityTable(path, record.loadedMs), target));
  logger.info(where, 'the popularity table is loaded');
}

/** The first table that was recorded: this one, if none was. */
async function recordOf(digest: string, { records, clock }: LoadOptions): Promise<TableRecord> {
  const ours: TableRecord = { digest, loadedMs: clock.nowMs() };
  await unlessFenced(() => records.put(TABLE_KEY, utf8(JSON.stringify(ours)), 0));
  const entry = await records.get(TABLE_KEY);
  if (entry === undefined) throw transient('LOG_UNREACHABLE', 'the record of the popularity table cannot be read now');
  const found = tableRecordIn(entry);
  if (found !== undefined) return found;
  throw fatal('DEPLOYMENT_UNREADABLE', `the entry ${TABLE_KEY} of the deployment was not written by rivulet`, {
    hint: 'remove it with `rivulet repair --yes`, and start again: the table is then loaded',
  });
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw fatal('SOURCE_UNREADABLE', `cannot read ${path}: ${explain(error)}`, {
      cause: error,
      hint: 'check the path and the permissions of the popularity table',
    });
  }
  return hash.digest('hex');
}
