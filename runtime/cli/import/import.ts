/**
 * `rivulet import events`, and `csv` for names of their own (csv-columns.ts): files of past events into a deployment that runs, one after the other.
 *
 *   1. The place in a file is recorded when all before it is acknowledged (place.ts). After a kill the same command goes on from there, and what is sent a
 *      second time has the same ids: parse drops it. So no more than ids are remembered may be sent between two records.
 *   2. It publishes only while the nodes have little left to process (backlog.ts), and ends when they have processed all of it.
 *   3. Between two records it waits while a backup is taken. A backup has the records before it has the messages of parse (backup/order.ts), so of what it
 *      has no more than is sent between two records is missing in its records: what is sent again after a restore is dropped, too.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { NatsConnection } from '@nats-io/transport-node';
import { EVENT_RULES } from '../../../actors/formats/limits.js';
import { mainTopology } from '../../../actors/topology.js';
import { digestOf, STDIN, unreadable } from '../../../connectors/csv/file-bytes.js';
import { type FileFormat, fileChunks } from '../../../connectors/csv/file-chunks.js';
import { CHUNK_BYTES } from '../../../connectors/csv/folder-source.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { openManager } from '../../../connectors/nats/log/stream-manager.js';
import { holdIn, nodesIn, type NodeEntry } from '../../cluster/entries.js';
import type { Config } from '../../config/config.js';
import { systemClock } from '../../contract/clock.js';
import { fatal, hasCode, reactionOf } from '../../contract/errors.js';
import type { KeyValue, Log } from '../../contract/ports.js';
import { DEAD_LETTER_BYTES } from '../../contract/streams.js';
import { BUCKETS } from '../../node/buckets.js';
import { deploymentAmong, type ImportRecord } from '../../node/deployment.js';
import { openBucket, openNodes } from '../buckets.js';
import { retryThroughFailover } from '../../supervision/retry.js';
import { bytesBar, type ProgressBar } from '../progress.js';
import { interruptible, usage } from '../exit.js';
import { formatOfFile, mustBeFile } from '../given-file.js';
import { natsOf } from '../nats-link.js';
import { pipelineOptions } from '../node/node-options.js';
import { BoundedPublisher } from '../publish/bounded-publisher.js';
import { JSON_LINES } from '../publish/event-message.js';
import { Reasons } from '../publish/reasons.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { runningConfig } from '../state/deployed-config.js';
import { grouped, instant } from '../terminal.js';
import { Backlog, GOES_ON, stalled } from './backlog.js';
import { columnsText, type CsvColumns, delimiterOf } from './csv-options.js';
import { PastEvents, type PastMessage, type RatingScale } from './past-events.js';
import { type Imports, Place, type PlaceOptions, readImports, unfinished } from './place.js';

export interface ImportOptions extends SettingOptions {
  readonly format?: FileFormat;
  /** Of CSV files with names of their own. */
  readonly columns?: CsvColumns;
  readonly ratingScale?: RatingScale;
  readonly changed?: true;
  readonly json?: true;
}

interface GivenFile {
  readonly path: string;
  readonly format: FileFormat;
  /** When the command began. */
  readonly bytes: number;
}

interface Summary {
  readonly files: number;
  /** By this command, or an earlier one. */
  filesDone: number;
  /** Published by this command, and recorded. */
  events: number;
  /** By an earlier one, of these files. */
  before: number;
  /** By any. */
  refused: number;
  readonly importedBefore: string[];
  /** By this command. */
  readonly refusals: Reasons<string>;
}

const RECORD_EVENTS = 20_000;
/** Parse is sure to know the last half of its ids: a quarter between two records, and at most another in the chunk that brings it about. */
const RECORD_SHARE = 1 / 4;
/** `1,2,3,4` and the end of the line: each event has a user, an item, a type or rating, and a time. */
const EVENT_BYTES_MIN = 8;
/** Of messages with a thousand events. */
const IN_FLIGHT_MAX = 16;
const NODES_MS = 2_000;
const HOLD_MS = 500;

export async function importEvents(paths: readonly string[], options: ImportOptions): Promise<void> {
  const { config } = settingsOf(options);
  const files = await givenFiles(paths, options.format);
  const { signal: interrupt, end } = interruptible(`interrupted: ${GOES_ON}`);
  const lost = new AbortController();
  const signal = AbortSignal.any([interrupt, lost.signal]);
  const connection = await connectNats(natsOf(config), 'rivulet-import');
  const log = await openNatsLog(connection);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const bar = bytesBar(bytes, options.json === true);
  const summary: Summary = {
    ...{ files: files.length, filesDone: 0, events: 0, before: 0, refused: 0 },
    ...{ importedBefore: [], refusals: new Reasons<string>() },
  };
  const startedMs = performance.now();
  const ends = (): void => {
    bar.end();
    report(summary, (performance.now() - startedMs) / 1000, options.json === true);
    if (summary.refused > 0) process.exitCode = 1;
  };
  try {
    const job = await openJob({ connection, log, options, signal, lost, bar, summary, startedMs });
    let bytesDone = 0;
    for (const file of files) {
      await importFile(file, job, bytesDone);
      bytesDone += file.bytes;
      summary.filesDone++;
    }
    if (summary.events > 0) {
      bar.update(bytesDone, 'the nodes process the rest');
      await job.backlog.processed();
    }
    ends();
  } catch (error) {
    if (summary.filesDone > 0 || summary.events > 0) ends();
    const isAway = reactionOf(error) === 'transient' || hasCode(error, 'PUBLISH_STALLED');
    throw isAway ? stalled('NATS does not answer', error) : error;
  } finally {
    bar.end();
    end();
    await log.close();
  }
}

async function givenFiles(paths: readonly string[], given: FileFormat | undefined): Promise<GivenFile[]> {
  const files: GivenFile[] = [];
  for (const path of paths) {
    if (path === STDIN)
      throw usage('standard input cannot be read again from a place in it, as an import must', 'give a file');
    await mustBeFile(path, 'give the path of a CSV or JSONL file');
    files.push({ path, format: formatOfFile(path, given), bytes: (await stat(path)).size });
  }
  return files;
}

interface JobOptions {
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly options: ImportOptions;
  /** Of Ctrl-C, or of what follows. */
  readonly signal: AbortSignal;
  /** Aborted when another process goes on with the file. */
  readonly lost: AbortController;
  readonly bar: ProgressBar;
  readonly summary: Summary;
  readonly startedMs: number;
}

interface Job extends JobOptions {
  /** That of the running nodes. */
  readonly config: Config;
  readonly table: KeyValue;
  readonly membership: Pick<KeyValue, 'entries'>;
  readonly backlog: Backlog;
}

/** Fatal NODE_NOT_FOUND where no node runs. */
async function openJob(given: JobOptions): Promise<Job> {
  const { connection, log, options, signal } = given;
  const archive = await StreamArchive.open(connection);
  const table = (await openBucket(archive, connection, BUCKETS.deployment))?.entries;
  const membership = (await openNodes(archive, connection))?.nodes;
  const nodes = nodesIn((await membership?.entries()) ?? []);
  if (nodes.length === 0 || table === undefined || membership === undefined) {
    throw fatal('NODE_NOT_FOUND', 'no node runs on this NATS', {
      hint: 'start one: an import publishes as fast as nodes process, and ends when they are done',
    });
  }
  const config = runningConfig(options, deploymentAmong(await table.entries()), nodes[0]!.settings ?? {});
  const backlog = new Backlog({
    ...{ log, signal, clock: systemClock, manager: await openManager(connection) },
    topology: mainTopology(pipelineOptions(config)),
    processes: processesOf(membership, nodes),
  });
  return { ...given, config, table, membership, backlog };
}

/** Nodes may come and go meanwhile. */
function processesOf(
  membership: Pick<KeyValue, 'entries'>,
  nodes: readonly NodeEntry[],
): () => Promise<ReadonlySet<string>> {
  let live = nodes;
  let atMs = performance.now();
  return async () => {
    if (performance.now() - atMs > NODES_MS) [live, atMs] = [nodesIn(await membership.entries()), performance.now()];
    return new Set(live.map(({ process }) => process));
  };
}

const scaleText = (scale: RatingScale | undefined): string | undefined => scale && `${scale.from}-${scale.to}`;

/** `bytesBefore`: of the files before this one. */
async function importFile({ path, format }: GivenFile, job: Job, bytesBefore: number): Promise<void> {
  const { config, log, table, signal, bar, summary, options } = job;
  bar.update(bytesBefore, `checks ${path}`);
  const was = await statOf(path);
  const digest = await digestOf(path, signal);
  const file = resolve(path);
  const ratingScale = scaleText(options.ratingScale);
  const columns = options.columns && columnsText(options.columns);
  const given = { table, clock: systemClock, digest, file, ratingScale, columns };
  const known = mustBeImportable(path, given, await readImports(given), options);
  if (known !== undefined) {
    const { events, refused, atMs } = known;
    summary.importedBefore.push(
      `${path}: imported before, on ${instant(atMs)} (${grouped(events)} events, ${grouped(refused)} refused): nothing to do`,
    );
    summary.before += events;
    summary.refused += refused;
    return;
  }
  const place = await Place.open(given);
  const begin = place.latest;
  summary.before += begin.events;
  summary.refused += begin.refused;
  const rules = { ...EVENT_RULES, ...pipelineOptions(config).parse };
  const past = new PastEvents({
    ...{ rules, partitions: config.sourcePartitions, file, format, digest, ratingScale: options.ratingScale },
    columns: options.columns,
    messageBytesMax: Math.min(rules.messageBytesMax, log.payloadBytesMax - DEAD_LETTER_BYTES),
    onRefused: (line, { reason, rule }) => {
      summary.refused++;
      summary.refusals.add(`${path}, line ${line}: ${reason} [${rule}]`);
    },
  });
  const idsMax = config.pipeline.duplicateIdsMax * RECORD_SHARE;
  const chunks = fileChunks(path, {
    ...{ format, checkHeader: past.checkHeader },
    ...(options.columns && { delimiter: delimiterOf(options.columns, file), hasHeader: options.columns.hasHeader }),
    chunkBytes: Math.min(CHUNK_BYTES, Math.ceil(idsMax * EVENT_BYTES_MIN)),
    after: begin.line === 0 ? undefined : { nextOffset: begin.offset, nextLine: begin.line },
  });
  const publisher = pastPublisher(job, place);
  await noBackup(job);
  const eventsBefore = summary.events;
  let recorded = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    const { nextOffset: offset, nextLine: line, endsFile } = chunk;
    await publisher.publish(past.read(chunk, systemClock.nowMs()));
    if (endsFile || past.events - recorded >= Math.min(RECORD_EVENTS, idsMax)) {
      await publisher.publish(past.rest());
      await publisher.settled();
      if (endsFile) await mustBeUnchanged(path, was);
      const refused = begin.refused + past.refused;
      const progress = { offset, line, events: begin.events + past.events, refused };
      await (endsFile ? place.done(progress) : place.reached(progress));
      recorded = past.events;
      summary.events = eventsBefore + recorded;
      if (!endsFile) await noBackup(job);
    }
    const events = eventsBefore + past.events;
    const perSecond = events / Math.max(1e-3, (performance.now() - job.startedMs) / 1000);
    bar.update(bytesBefore + chunk.storedBytes, `${grouped(events)} events, ${grouped(perSecond)}/s`);
  }
}

/** Resolves when no backup is being taken. */
async function noBackup({ membership, signal }: Job): Promise<void> {
  for (let waits = false; ; waits = true) {
    const hold = await retryThroughFailover(systemClock, () => undefined)(() => membership.entries()).then(holdIn);
    if (hold === undefined) return;
    if (!waits) process.stderr.write('a backup is being taken: the import waits for its end\n');
    await systemClock.sleep(HOLD_MS, signal);
    signal.throwIfAborted();
  }
}

/** Publishes the messages of one file, and only as long as it is this process that imports it. */
function pastPublisher({ log, signal, lost, backlog }: Job, place: Place) {
  const partitions = new Map<string, number>();
  const rejected = new Reasons<string>();
  const fenced: Pick<Log, 'publish' | 'payloadBytesMax'> = {
    payloadBytesMax: log.payloadBytesMax,
    publish: async (...message) => {
      await place.confirm().catch((error: unknown) => {
        if (reactionOf(error) !== 'transient') lost.abort(error);
        throw error;
      });
      return log.publish(...message);
    },
  };
  const publisher = new BoundedPublisher({
    ...{ log: fenced, clock: systemClock, signal, inFlightMax: IN_FLIGHT_MAX },
    onRejected: (reason) => rejected.add(reason),
    onStored: (subject, sequence) => backlog.stored(partitions.get(subject)!, sequence),
  });
  return {
    /** Resolves when they are in flight. */
    publish: async (messages: readonly PastMessage[]): Promise<void> => {
      for (const { partition, subject, data } of messages) {
        partitions.set(subject, partition);
        await backlog.room();
        await publisher.publish(subject, data, JSON_LINES);
      }
    },
    /** Resolves when all are stored. Fatal IMPORT_REJECTED. */
    settled: async (): Promise<void> => {
      await publisher.settled();
      for (const reason of rejected.reported)
        throw fatal('IMPORT_REJECTED', `NATS rejects messages of this import: ${reason}`, {
          hint: `check its limits, and the rights of this user; ${GOES_ON}`,
        });
    },
  };
}

/** Returns the record of a file that was imported before. Fatal USAGE, IMPORT_UNFINISHED. */
function mustBeImportable(
  path: string,
  { digest, file, ratingScale, columns }: Pick<PlaceOptions, 'digest' | 'file' | 'ratingScale' | 'columns'>,
  { begun, ended }: Imports,
  { changed }: ImportOptions,
): ImportRecord | undefined {
  const known = begun?.digest === digest ? begun : ended.find((one) => one.digest === digest);
  if (known?.end === 'given up') {
    throw usage(
      `the import of ${path} was given up on ${instant(known.atMs)}: ${grouped(known.events)} events of it or more are in`,
      'put events that are not in into a file of their own: all of a file would count, also what came of this one',
    );
  }
  if (known !== undefined && known.ratingScale !== ratingScale) {
    const { ratingScale: scale } = known;
    throw usage(
      `${path} was imported ${scale === undefined ? 'without --rating-scale' : `with --rating-scale ${scale}`}, and its ratings count so`,
      'give the same scale: events are imported once',
    );
  }
  if (known !== undefined && known.columns !== columns) {
    throw usage(
      `${path} was imported ${known.columns === undefined ? 'by `import events`' : `with ${known.columns}`}, and its events count so`,
      'give the same: events are imported once',
    );
  }
  if (known !== undefined) return known.end === undefined ? undefined : known;
  if (begun?.file === file) {
    throw usage(
      `${path} has changed since its import began: ${grouped(begun.events)} events of what it was are recorded`,
      `put it back as it was, to go on, and other events into a file of another name; or give up what it was: rivulet import give-up ${file}`,
    );
  }
  if (begun !== undefined) throw unfinished(begun);
  const other = ended.find((one) => one.file === file);
  if (other === undefined || changed === true) return undefined;
  throw usage(
    `${path} was imported on ${instant(other.atMs)} with other contents (${grouped(other.events)} events)`,
    'put new events into a file of their own: an event without an id would count again; where none of it is imported yet, give --changed',
  );
}

interface FileState {
  readonly bytes: number;
  readonly mtimeMs: number;
}

async function statOf(path: string): Promise<FileState> {
  try {
    const { size: bytes, mtimeMs } = await stat(path);
    return { bytes, mtimeMs };
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function mustBeUnchanged(path: string, was: FileState): Promise<void> {
  if (isDeepStrictEqual(await statOf(path), was)) return;
  throw fatal('SOURCE_CHANGED', `${path} has changed while it was imported`, {
    hint: 'put it back as it was, and give the same command; new events belong in a new file',
  });
}

function report(
  { files, filesDone, events, before, refused, importedBefore, refusals }: Summary,
  took: number,
  asJson: boolean,
): void {
  const seconds = Number(took.toFixed(3));
  const perSecond = Math.round(events / Math.max(took, 1e-3));
  // An earlier command has printed those that it refused.
  const leftOut = refused - refusals.reported.size;
  if (asJson) {
    const said = {
      ...{ files, files_done: filesDone, events, before, refused, imported_before: importedBefore.length },
      ...{ seconds, events_per_second: perSecond },
      ...(refused > 0 && { refusals: [...refusals.reported], refusals_left_out: leftOut }),
    };
    process.stdout.write(`${JSON.stringify(said)}\n`);
    return;
  }
  const earlier = before > 0 ? `; before: ${grouped(before)}` : '';
  const lines = [
    ...importedBefore,
    ...(files === importedBefore.length
      ? []
      : [
          `imported ${grouped(events)} events in ${took.toFixed(1)} s (${grouped(perSecond)} per second); refused: ${grouped(refused)}${earlier}`,
        ]),
    ...[...refusals.reported].map((reason) => `  refused: ${reason}`),
    ...(leftOut > 0 ? [`  refused: ${grouped(leftOut)} more`] : []),
    ...(refused > 0 ? ['To import what was refused, put it, corrected, into a file of its own.'] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
