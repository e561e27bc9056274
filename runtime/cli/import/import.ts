/**
 * `rivulet import events`: files of past events into a deployment that runs.
 *
 *   1. The place in a file is recorded when all before it is acknowledged. After a kill the same command goes on from there, and what is sent a second time
 *      has the same ids: parse drops it. So no more than ids are remembered may be sent between two records.
 *   2. It publishes only while the nodes have little left to process (backlog.ts), and ends when they have processed all of it.
 */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { EVENT_RULES } from '../../../actors/formats/limits.js';
import { mainTopology } from '../../../actors/topology.js';
import { digestOf, STDIN } from '../../../connectors/csv/file-bytes.js';
import { type FileFormat, fileChunks } from '../../../connectors/csv/file-chunks.js';
import { CHUNK_BYTES, formatOf } from '../../../connectors/csv/folder-source.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../../connectors/nats/key-value.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { openManager } from '../../../connectors/nats/log/stream-manager.js';
import { nodesIn, type NodeEntry } from '../../cluster/entries.js';
import type { Config } from '../../config/config.js';
import { systemClock } from '../../contract/clock.js';
import { fatal, reactionOf } from '../../contract/errors.js';
import type { KeyValue, Log } from '../../contract/ports.js';
import { DEAD_LETTER_BYTES } from '../../contract/streams.js';
import { BUCKETS } from '../../node/buckets.js';
import { deploymentAmong, importRecordIn, isImport } from '../../node/deployment.js';
import { openBucket } from '../buckets.js';
import { type BytesBar, bytesBar } from '../bytes-bar.js';
import { Interrupted, usage } from '../exit.js';
import { mustBeFile } from '../given-file.js';
import { natsOf } from '../nats-link.js';
import { pipelineOptions } from '../node/node-options.js';
import { BoundedPublisher } from '../publish/bounded-publisher.js';
import { Reasons } from '../publish/reasons.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { runningConfig } from '../state/deployed-config.js';
import { grouped, instant } from '../terminal.js';
import { Backlog } from './backlog.js';
import { PastEvents, type PastMessage, type RatingScale } from './past-events.js';
import { Place } from './place.js';

export interface ImportOptions extends SettingOptions {
  readonly format?: FileFormat;
  readonly ratingScale?: RatingScale;
  readonly json?: true;
}

interface GivenFile {
  readonly path: string;
  readonly format: FileFormat;
  readonly bytes: number;
}

interface Summary {
  readonly files: number;
  /** Published by this command. */
  events: number;
  /** By an earlier one, of these files. */
  before: number;
  refused: number;
  readonly importedBefore: string[];
  readonly refusals: Reasons<string>;
}

/** Events between two records of the place, or a quarter of the ids remembered. */
const RECORD_EVENTS = 100_000;
/** Of messages with a thousand events. */
const IN_FLIGHT_MAX = 16;
const NODES_MS = 2_000;

export async function importEvents(paths: readonly string[], options: ImportOptions): Promise<void> {
  const { config } = settingsOf(options);
  const files = await givenFiles(paths, options.format);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort(new Interrupted('interrupted'));
  process.once('SIGINT', onSignal);
  const connection = await connectNats(natsOf(config), 'rivulet-import');
  const log = await openNatsLog(connection);
  const bar = bytesBar(
    files.reduce((sum, { bytes }) => sum + bytes, 0),
    options.json === true,
  );
  const summary: Summary = {
    ...{ files: files.length, events: 0, before: 0, refused: 0 },
    ...{ importedBefore: [], refusals: new Reasons<string>() },
  };
  const startedMs = performance.now();
  try {
    const job = await openJob({ connection, log, options, abort, bar, summary, startedMs });
    let bytesDone = 0;
    for (const file of files) {
      await importFile(file, job, bytesDone);
      bytesDone += file.bytes;
    }
    if (summary.events > 0) {
      bar.update(bytesDone, 'the nodes process the rest');
      await job.backlog.processed();
    }
    bar.end();
    report(summary, (performance.now() - startedMs) / 1000, options.json === true);
    if (summary.refused > 0) process.exitCode = 1;
  } catch (error) {
    if (error instanceof Interrupted)
      throw new Interrupted('interrupted: the same command goes on where this one stopped');
    throw error;
  } finally {
    bar.end();
    process.off('SIGINT', onSignal);
    await log.close();
  }
}

async function givenFiles(paths: readonly string[], given: FileFormat | undefined): Promise<GivenFile[]> {
  const files: GivenFile[] = [];
  for (const path of paths) {
    if (path === STDIN)
      throw usage('standard input cannot be read again from a place in it, as an import must', 'give a file');
    await mustBeFile(path, 'give the path of a CSV or JSONL file');
    const format = given ?? formatOf(basename(path));
    if (format === undefined)
      throw usage(`cannot tell from its name what ${path} holds`, 'give --format csv or --format jsonl');
    files.push({ path, format, bytes: (await stat(path)).size });
  }
  return files;
}

interface JobOptions {
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly options: ImportOptions;
  readonly abort: AbortController;
  readonly bar: BytesBar;
  readonly summary: Summary;
  readonly startedMs: number;
}

interface Job extends JobOptions {
  /** That of the running nodes. */
  readonly config: Config;
  readonly table: KeyValue;
  readonly backlog: Backlog;
}

/** Fatal NODE_NOT_FOUND where no node runs. */
async function openJob(given: JobOptions): Promise<Job> {
  const { connection, log, options, abort } = given;
  const nodes = await liveNodes(connection);
  const bucket = await openBucket(await StreamArchive.open(connection), connection, BUCKETS.deployment);
  if (nodes.length === 0 || bucket === undefined) {
    throw fatal('NODE_NOT_FOUND', 'no node runs on this NATS', {
      hint: 'start one: an import publishes as fast as nodes process, and ends when they are done',
    });
  }
  const table = bucket.entries;
  const config = runningConfig(options, deploymentAmong(await table.entries()), nodes[0]!.settings ?? {});
  const backlog = new Backlog({
    ...{ log, signal: abort.signal, clock: systemClock, manager: await openManager(connection) },
    topology: mainTopology(pipelineOptions(config)),
    processes: processesOf(connection, nodes),
  });
  return { ...given, config, table, backlog };
}

const liveNodes = async (connection: NatsConnection): Promise<NodeEntry[]> =>
  nodesIn((await entriesOfBucket(connection, BUCKETS.nodes)) ?? []);

/** Nodes may come and go meanwhile. */
function processesOf(connection: NatsConnection, nodes: readonly NodeEntry[]): () => Promise<ReadonlySet<string>> {
  let live = nodes;
  let atMs = performance.now();
  return async () => {
    if (performance.now() - atMs > NODES_MS) [live, atMs] = [await liveNodes(connection), performance.now()];
    return new Set(live.map(({ process }) => process));
  };
}

const scaleText = (scale: RatingScale | undefined): string | undefined => scale && `${scale.from}-${scale.to}`;

/** `bytesBefore`: of the files before this one. */
async function importFile({ path, format, bytes }: GivenFile, job: Job, bytesBefore: number): Promise<void> {
  const { config, log, table, abort, bar, summary, options } = job;
  bar.update(bytesBefore, `checks ${path}`);
  const { mtimeMs } = await stat(path);
  const digest = await digestOf(path);
  const file = resolve(path);
  const ratingScale = scaleText(options.ratingScale);
  const place = await Place.find({ table, clock: systemClock, digest, file, ratingScale });
  await mustBeSame(path, file, place, job);
  if (place.found?.done === true && place.found.events > 0) {
    const { events, atMs } = place.found;
    summary.importedBefore.push(
      `${path}: imported before, on ${instant(atMs)} (${grouped(events)} events): nothing to do`,
    );
    summary.before += events;
    return;
  }
  const begin = await place.claim();
  summary.before += begin.events;
  const rules = { ...EVENT_RULES, ...pipelineOptions(config).parse };
  const past = new PastEvents({
    ...{ rules, partitions: config.sourcePartitions, file, format, digest, ratingScale: options.ratingScale },
    messageBytesMax: Math.min(rules.messageBytesMax, log.payloadBytesMax - DEAD_LETTER_BYTES),
    onRefused: (line, { reason, rule }) => summary.refusals.add(`${path}, line ${line}: ${reason} [${rule}]`),
  });
  const chunks = fileChunks(path, {
    ...{ format, chunkBytes: CHUNK_BYTES, checkHeader: past.checkHeader },
    after: begin.line === 0 ? undefined : { nextOffset: begin.offset, nextLine: begin.line },
  });
  const publisher = pastPublisher(job, place);
  const recordEvents = Math.min(RECORD_EVENTS, config.pipeline.duplicateIdsMax / 4);
  let recorded = 0;
  for await (const chunk of chunks) {
    abort.signal.throwIfAborted();
    const { nextOffset: offset, nextLine: line, endsFile } = chunk;
    await publisher.publish(past.read(chunk, systemClock.nowMs()));
    if (endsFile || past.events - recorded >= recordEvents) {
      await publisher.publish(past.rest());
      await publisher.settled();
      if (endsFile) await mustBeUnchanged(path, { bytes, mtimeMs });
      const refused = begin.refused + past.refused;
      await place.reached({ offset, line, events: begin.events + past.events, refused, done: endsFile });
      recorded = past.events;
    }
    const events = summary.events + past.events;
    const perSecond = events / Math.max(1e-3, (performance.now() - job.startedMs) / 1000);
    bar.update(bytesBefore + chunk.storedBytes, `${grouped(events)} events, ${grouped(perSecond)}/s`);
  }
  summary.events += past.events;
  summary.refused += past.refused;
}

const JSON_LINES = 'application/x-ndjson';

/** Publishes the messages of one file, and only as long as it is this process that imports it. */
function pastPublisher({ log, abort, backlog }: Job, place: Place) {
  const partitions = new Map<string, number>();
  const rejected = new Reasons<string>();
  const fenced: Pick<Log, 'publish' | 'payloadBytesMax'> = {
    payloadBytesMax: log.payloadBytesMax,
    publish: async (...message) => {
      await place.confirm().catch((error: unknown) => {
        if (reactionOf(error) !== 'transient') abort.abort(error);
        throw error;
      });
      return log.publish(...message);
    },
  };
  const publisher = new BoundedPublisher({
    ...{ log: fenced, clock: systemClock, signal: abort.signal, inFlightMax: IN_FLIGHT_MAX },
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
          hint: 'check its limits, and the rights of this user; the same command goes on from here',
        });
    },
  };
}

/** An import that has begun is continued with the same file and the same scale, or not at all. */
async function mustBeSame(path: string, file: string, { found }: Place, { table, options }: Job): Promise<void> {
  if (found !== undefined && found.events > 0) {
    const { ratingScale: was } = found;
    const is = scaleText(options.ratingScale);
    if (was === is) return;
    throw usage(
      `${path} was imported ${was === undefined ? 'without --rating-scale' : `with --rating-scale ${was}`}, and its ratings count so`,
      'give the same scale: events are imported once',
    );
  }
  const begun = (await table.entries()).filter(isImport).flatMap((entry) => importRecordIn(entry) ?? []);
  const other = begun.find((one) => one.file === file && !one.done && one.events > 0);
  if (found !== undefined || other === undefined) return;
  throw usage(
    `${path} has changed since its import began: ${grouped(other.events)} events of what it was are in`,
    'put it back as it was, to go on; other events belong in a file of another name',
  );
}

async function mustBeUnchanged(path: string, was: { readonly bytes: number; readonly mtimeMs: number }): Promise<void> {
  const { size, mtimeMs } = await stat(path);
  if (size === was.bytes && mtimeMs === was.mtimeMs) return;
  throw fatal('SOURCE_CHANGED', `${path} has changed while it was imported`, {
    hint: 'put it back as it was, and give the same command; new events belong in a new file',
  });
}

function report(
  { files, events, before, refused, importedBefore, refusals }: Summary,
  took: number,
  asJson: boolean,
): void {
  const seconds = Number(took.toFixed(3));
  const perSecond = Math.round(events / Math.max(took, 1e-3));
  if (asJson) {
    const said = {
      ...{ files, events, before, refused, imported_before: importedBefore.length },
      ...{ seconds, events_per_second: perSecond },
      ...(refused > 0 && { refusals: [...refusals.reported], refusals_left_out: refusals.omitted }),
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
    ...(refusals.omitted > 0 ? [`  refused: ${grouped(refusals.omitted)} more`] : []),
    ...(refused > 0 ? ['To import what was refused, put it, corrected, into a file of its own.'] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
