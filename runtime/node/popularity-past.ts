/**
 * The popularity table of a live deployment (composition): what was popular before, loaded once.
 *
 * The first node that is given a table records its digest in the bucket of the deployment, and when it was loaded, which is the time of its rows. Every
 * node that is given the same table writes what the log lacks of it (jobs/source-writer.ts: numbered and fenced), so a load goes on after a kill, and
 * nodes that write at once write the same. Streams that are new (after a repartition, or a repair that starts anew) get it again, which changes nothing
 * in a state that has it.
 *
 * Another table is not loaded, which is no reason to refuse the start: a file that a job writes anew each night would end the node at its next restart.
 * But a load that ended half-way is only finished by the same file: another one then takes its place, behind what was written, and replaces the rows of its
 * items.
 */
import { digestOf } from '../../connectors/csv/file-bytes.js';
import { popularityTable } from '../../connectors/csv/popularity-table.js';
import { unlessFenced } from '../cluster/membership.js';
import { fatal, transient } from '../contract/errors.js';
import type { Topology } from '../contract/graph.js';
import type { Clock, KeyValue, KeyValueEntry, Log, Logger } from '../contract/ports.js';
import { utf8 } from '../frames/bytes.js';
import { isTableWritten, type TableTarget, writeTable } from '../jobs/source-writer.js';
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
  readonly topology: Pick<Topology, 'count'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Reads the whole table where none was loaded yet: fatal POPULARITY_TABLE, SOURCE_UNREADABLE before anything is written. */
export async function openTable(path: string, entries: readonly KeyValueEntry[]): Promise<PastTable> {
  const digest = await digestOf(path);
  const entry = entries.find(({ key }) => key === TABLE_KEY);
  const isLoaded = entry !== undefined && tableRecordIn(entry)?.whole === true;
  if (!isLoaded) for await (const rows of popularityTable(path)) void rows;
  return { path, digest };
}

/** Resolves when the table is in the log, or is not to be loaded. */
export async function loadTable({ path, digest: opened }: PastTable, options: LoadOptions): Promise<void> {
  const { log, logger, clock, signal } = options;
  let digest = opened;
  // At the start any, later only what this node has begun: nodes with different files would otherwise replace each other's in turn.
  let mayReplace = (_: TableRecord): boolean => true;
  /** The rows, of one file: where another one was put in its place, the end is not written. */
  async function* rows(loadedMs: number) {
    yield* popularityTable(path, loadedMs);
    const now = await digestOf(path);
    if (now === digest) return;
    digest = now;
    throw transient('POPULARITY_TABLE', `${path} was changed while it was loaded`);
  }
  const load = async (): Promise<void> => {
    const { record, revision } = await recordOf(digest, options, mayReplace);
    const begun = digest;
    mayReplace = (other) => other.digest === begun;
    const where = { table: path, loadedAt: new Date(record.loadedMs).toISOString() };
    if (record.digest !== digest) {
      logger.warn(where, 'another popularity table was loaded before: this one is not, since the past counts once');
      return;
    }
    const target = targetOf(record, options);
    const isWritten = await isTableWritten(log, target);
    if (!isWritten) await writeTable(options, rows(record.loadedMs), target);
    if (!record.whole) await putRecord(options, { ...record, whole: true }, revision);
    logger.info(where, isWritten ? 'the popularity table was loaded before' : 'the popularity table is loaded');
  };
  const onRetry = (err: unknown): void => logger.debug({ err }, 'the popularity table waits for the log');
  await retry(load, { clock, signal, onRetry, isWanted: () => !signal.aborted });
}

const targetOf = ({ begunBefore }: TableRecord, { topology }: LoadOptions): TableTarget => ({
  ...{ to: 'popularity', from: 'popularity-table', by: 'item', partitions: topology.count('popularity'), begunBefore },
});

const putRecord = ({ records }: LoadOptions, record: TableRecord, revision: number) =>
  unlessFenced(() => records.put(TABLE_KEY, utf8(JSON.stringify(record)), revision));

/** Of the first table that was loaded to its end, until then of the one that is being loaded: this one, if none was, or if the other may be replaced. */
async function recordOf(
  digest: string,
  options: LoadOptions,
  mayReplace: (record: TableRecord) => boolean,
): Promise<{ readonly record: TableRecord; readonly revision: number }> {
  const ours = { digest, loadedMs: options.clock.nowMs(), whole: false };
  await putRecord(options, { ...ours, begunBefore: 0 }, 0);
  const found = await readRecord(options);
  const { record, revision } = found;
  if (record.digest === digest || record.whole || !mayReplace(record)) return found;
  if (await isTableWritten(options.log, targetOf(record, options))) return found;
  await putRecord(options, { ...ours, begunBefore: record.begunBefore + 1 }, revision);
  return readRecord(options);
}

async function readRecord({ records }: LoadOptions) {
  const entry = await records.get(TABLE_KEY);
  if (entry === undefined) throw transient('LOG_UNREACHABLE', 'the record of the popularity table cannot be read now');
  const record = tableRecordIn(entry);
  if (record !== undefined) return { record, revision: entry.revision };
  throw fatal('DEPLOYMENT_UNREADABLE', `the entry ${TABLE_KEY} of the deployment was not written by rivulet`, {
    hint: 'remove it with `rivulet repair --yes`, and start again: the table is then loaded',
  });
}
