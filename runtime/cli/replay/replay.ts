/**
 * `rivulet replay`: the bounded job. It reads a folder of files through the real pipeline (JetStream, LevelDB), one epoch per file, and writes result
 * files. Its work directory has everything that it needs to resume after a kill.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { missingColumns } from '../../../actors/formats/csv-header.js';
import { Schema } from '../../../actors/formats/schema.js';
import { mainTopology, type PipelineOptions } from '../../../actors/topology.js';
import { digestOf } from '../../../connectors/csv/file-bytes.js';
import { folderSource, listing } from '../../../connectors/csv/folder-source.js';
import { popularityTable } from '../../../connectors/csv/popularity-table.js';
import { resultsSink } from '../../../connectors/csv/results-sink.js';
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import type { ActorTuning } from '../../actor/options.js';
import { systemClock } from '../../contract/clock.js';
import { Deadline } from '../../supervision/deadline.js';
import { explain } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import { openFileRecords } from '../../node/buckets.js';
import { threadName } from '../../node/loading.js';
import type { HostData } from '../../node/messages.js';
import { openNats } from '../../node/nats.js';
import { Threads } from '../../node/threads.js';
import { openShardStore } from '../../node/stores.js';
import { retry, retryThroughFailover } from '../../supervision/retry.js';
import { Supervisor } from '../../supervision/supervisor.js';
import { preflight } from '../../log-integrity/preflight.js';
import { BOUNDED_WEIGHTS, spread, shardsOf } from '../../node/shards.js';
import type { FileRecords, Log, Store } from '../../contract/ports.js';
import { StoredFileRecords } from '../../jobs/file-records.js';
import { SinkRunner } from '../../jobs/sink-runner.js';
import { lastChunk, writeChunks, writeTable } from '../../jobs/source-writer.js';
import type { ActorStatus } from '../../telemetry/status.js';
import { ensureStreams } from '../../contract/streams.js';
import { catalogueTable } from './catalogue-table.js';
import { openWork, type Work } from './work-directory.js';
import { grouped } from '../terminal.js';

export interface ReplayOptions {
  readonly input: string;
  readonly popularity: string;
  /** A catalogue file, for events without a category. */
  readonly items?: string;
  readonly out: string;
  readonly dataDir: string;
  readonly pipeline: PipelineOptions;
  readonly tuning: ActorTuning;
  readonly threads: number;
  readonly chunkBytes: number;
  /** Whether the results have a time column. */
  readonly timestamps: boolean;
  readonly streamBytesMax: number;
  readonly syncEveryMs: number;
  /** Discard the progress of an unfinished job. */
  readonly restart: boolean;
  readonly natsServer?: string;
  readonly logLevel: string;
}

export interface ReplayUi {
  note(message: string): void;
  /** Bytes read so far, and of which file. */
  progress(bytes: number, file: string): void;
  /** All files are read: the remaining work, called repeatedly until it is done. */
  finishing(left: string): void;
}

export interface ReplaySummary {
  readonly events: number;
  readonly on_time: number;
  readonly late: number;
  readonly dead_letter: number;
  readonly duplicates: number;
  /** Rows of messages that stages after parse have quarantined; absent: none. */
  readonly quarantined_rows?: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly events_per_second: number;
}

/** Beside the shards' stores. */
const SINK_STORE = 'sink';
const STOP_DEADLINE_MS = 10_000;
const STATUS_EVERY_MS = 500;
const FINISHED_POLL_MS = 20;
const FOLDER = { to: 'parse', from: 'folder' };

export async function replay(options: ReplayOptions, ui: ReplayUi): Promise<ReplaySummary> {
  const { pipeline, out } = options;
  const job = {
    ...{ input: resolve(options.input), popularity: resolve(options.popularity), out: resolve(out), pipeline },
    ...(options.items === undefined ? {} : { items: resolve(options.items) }),
    tables: await Promise.all(
      [options.popularity, ...(options.items === undefined ? [] : [options.items])].map((path) => digestOf(path)),
    ),
    ...(options.timestamps ? { timestamps: true as const } : {}),
  };
  const work = openWork(options.dataDir, job, options.restart);
  mkdirSync(out, { recursive: true });
  let [begun, allRead] = [false, false];
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  // Thrown where it is raced; until then it must not count as unhandled.
  failed.catch(() => undefined);
  const logger = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
  const supervisor = new Supervisor({ clock: systemClock, logger, onEscalated: (error) => fail(error) });
  const nats = await openNats({
    dataDir: work.directory,
    natsPort: 'any',
    natsAnonymous: false,
    durability: 'process',
    ...(options.natsServer === undefined ? {} : { natsServer: options.natsServer }),
    onProgress: (message) => {
      ui.note(message);
    },
    ...{ supervisor, logger },
  });
  try {
    const connection = await connectNats(nats.options, 'rivulet-replay');
    const log = await openNatsLog(connection);
    const topology = mainTopology(pipeline);
    await prepare(options, work.directory, topology, log, ui);
    const records = new StoredFileRecords(await openFileRecords(connection, { replicas: 1 }));
    const { goesOn, note } = await standOf(options.input, work, records, log);
    if (note !== undefined) ui.note(note);
    const endedBefore = goesOn ? work.finishedEpochs : undefined;
    const hosts = hostsOf(options, work.directory, topology, nats.options);
    const threads = await Threads.start(hosts, STATUS_EVERY_MS, supervisor);
    const startedAt = performance.now();
    const secondsSoFar = (): number => (performance.now() - startedAt) / 1000;
    // The time of a killed run counts as well: its work is not repeated.
    const markProgress = (): void => {
      try {
        work.mark(secondsSoFar());
      } catch {
        // The disk may be full: writers of important data report that.
      }
    };
    const tracked: ReplayUi = {
      note: (message) => {
        ui.note(message);
      },
      progress: (bytes, file) => {
        // From here on a job that was finished is not: before, nothing of its state or its results was touched.
        if (!begun) markProgress();
        begun = true;
        ui.progress(bytes, file);
      },
      finishing: (left) => {
        allRead = true;
        ui.finishing(left);
      },
    };
    const marking = setInterval(() => {
      if (allRead) ui.finishing(workLeft(threads.statuses()));
      if (begun || work.finishedEpochs === undefined) markProgress();
    }, STATUS_EVERY_MS);
    try {
      await Promise.race([runJob(options, topology, work.directory, { log, records, endedBefore }, tracked), failed]);
      const statuses = await Promise.race([finishedStatuses(threads, records.done), failed]);
      const seconds = secondsSoFar();
      const summary = summarise(statuses, work.earlierSeconds + seconds);
      clearInterval(marking);
      writeFileSync(join(out, 'summary.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
      work.mark(seconds, records.done);
      return summary;
    } finally {
      clearInterval(marking);
      await threads.stop(new Deadline(STOP_DEADLINE_MS, systemClock));
      await log.close();
    }
  } finally {
    await nats.stop();
    // A folder that cannot be read must not claim the work directory.
    if (!begun && !work.resumed) work.discard();
  }
}

/**
 * Whether a job that was finished goes on, and what to say about it. That it has gone on before a kill is seen in the log alone: a file of the job that
 * says so would be written before the first chunk, and where the new files are then taken away nothing would ever end that job.
 */
async function standOf(
  input: string,
  { resumed, finishedEpochs }: Work,
  records: FileRecords,
  log: Log,
): Promise<{ readonly goesOn: boolean; readonly note?: string }> {
  const stopped = 'going on where the last run was stopped';
  if (finishedEpochs === undefined) return { goesOn: false, ...(resumed ? { note: stopped } : {}) };
  const last = await records.load({ last: () => lastChunk(log, FOLDER), all: () => Promise.resolve(0) });
  if (last?.endsInput !== true || records.done > finishedEpochs) return { goesOn: true, note: stopped };
  const { files } = await listing(input);
  const news = files.filter((file) => !records.isDone(file)).length;
  if (news === 0) return { goesOn: false, note: 'no files are new since this job was finished' };
  return { goesOn: true, note: `going on with ${news === 1 ? '1 new file' : `${grouped(news)} new files`}` };
}

/** Ensures that the streams exist, and have all messages that the stores refer to. */
async function prepare(
  { streamBytesMax: bytesMax }: ReplayOptions,
  directory: string,
  topology: Topology,
  log: Log,
  ui: ReplayUi,
): Promise<void> {
  const withRetry = retryThroughFailover(systemClock, (error) => ui.note(`waiting for NATS: ${explain(error)}`));
  await withRetry(() => ensureStreams(log, topology, { bytesMax, replicas: 1 }));
  const openStore = (name: string): Promise<Store> => openShardStore(directory, name);
  await withRetry(() => preflight({ topology, shards: shardsOf(topology).pipeline, log, openStore }));
  const results = await openStore(SINK_STORE);
  await withRetry(() => SinkRunner.check({ log, store: results, topics: topology.topics.map(({ id }) => id) }));
  await results.close();
}

/** The shards of each thread. */
function hostsOf(
  { pipeline, tuning, logLevel, threads }: ReplayOptions,
  dataDir: string,
  topology: Topology,
  nats: NatsOptions,
): HostData[] {
  return spread(shardsOf(topology).pipeline, threads, BOUNDED_WEIGHTS).map((shards, thread) => ({
    ...{ name: threadName(thread), own: shards.map(({ name }) => name) },
    ...{ nats, pipeline, dataDir, tuning, tickEveryMs: 0, logLevel },
  }));
}

/** Runs sources and sinks until the last row is durable. */
async function runJob(
  { input, popularity, items, out, chunkBytes, timestamps, syncEveryMs, logLevel, pipeline }: ReplayOptions,
  topology: Topology,
  directory: string,
  {
    log,
    records,
    endedBefore,
  }: { readonly log: Log; readonly records: FileRecords; readonly endedBefore: number | undefined },
  ui: ReplayUi,
): Promise<void> {
  const abort = new AbortController();
  const logger: Logger = pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }));
  const writer = { log, clock: systemClock, logger, signal: abort.signal };
  const store = await openShardStore(directory, SINK_STORE);
  try {
    const openResults = (): Promise<SinkRunner> =>
      SinkRunner.open({
        ...{ topology, log, store, clock: systemClock, logger, syncEveryMs },
        topics: topology.topics.map(({ id }) => id),
        sink: resultsSink({ directory: out, timestamps, endedBefore }),
        endedBefore,
      });
    // Before anything is written: a job whose results are gone does not go on.
    let opened: SinkRunner | undefined = await openResults();
    const writeResults = async (): Promise<void> => {
      const sink = opened ?? (await openResults());
      opened = undefined;
      await sink.run(abort.signal);
    };
    const checkHeader = missingColumns(new Schema(pipeline.parse.schema ?? 'auto'));
    const source = folderSource({
      ...{ directory: input, records, chunkBytes, checkHeader },
      doneBefore: endedBefore ?? 0,
    });
    let bytes = 0;
    const partitions = topology.count('popularity');
    const toPopularity = { to: 'popularity', from: 'popularity-table', by: 'item', partitions };
    const toWatermark = {
      to: 'watermark',
      from: 'catalogue-table',
      by: 'all',
      partitions: topology.count('watermark'),
    };
    const works = [
      () => writeTable(writer, popularityTable(popularity), toPopularity),
      ...(items === undefined ? [] : [() => writeTable(writer, catalogueTable(items), toWatermark)]),
      async () => {
        await writeChunks(writer, source, FOLDER, (chunk) => {
          bytes += chunk.data.length;
          ui.progress(bytes, chunk.file);
        });
        ui.finishing('computing');
      },
      writeResults,
    ];
    // Starts over when the log was away: it finds all that was published and written, as after a kill.
    const onRetry = (err: unknown): void => logger.warn({ err }, 'the log was away; going on');
    const { signal } = abort;
    const options = { clock: systemClock, signal, onRetry, isWanted: () => !signal.aborted };
    await Promise.all(works.map((one) => retry(one, options)));
  } finally {
    abort.abort();
    await store.close();
  }
}

/** If the last rows were written before a kill, the sink ends before the stages are restored, and their counters are unknown until then. */
async function finishedStatuses(threads: Threads, epochs: number): Promise<readonly ActorStatus[]> {
  for (;;) {
    const statuses = await threads.freshStatuses();
    if (statuses.every(({ finished, epoch }) => finished && epoch >= epochs)) return statuses;
    await sleep(FINISHED_POLL_MS);
  }
}

/** `computing: window 12, trending 40 messages`; when the stages have finished, the sink writes their results. */
export function workLeft(statuses: readonly Pick<ActorStatus, 'stage' | 'finished' | 'lagMessages'>[]): string {
  const left = new Map<string, number>();
  for (const { stage, finished, lagMessages = 0 } of statuses) {
    if (!finished) left.set(stage, (left.get(stage) ?? 0) + lagMessages);
  }
  if (left.size === 0) return 'writing the results';
  const stages = [...left].map(([stage, messages]) => (messages === 0 ? stage : `${stage} ${grouped(messages)}`));
  return `computing: ${stages.join(', ')}${[...left.values()].some((messages) => messages > 0) ? ' messages left' : ''}`;
}

export function summarise(statuses: readonly ActorStatus[], seconds: number): ReplaySummary {
  const sum = (pick: (status: ActorStatus) => number): number =>
    statuses.reduce((total, status) => total + pick(status), 0);
  const events = sum(({ counters }) => counters.events);
  const quarantinedRows = sum(({ quarantined }) => quarantined.rows);
  const round = (value: number, digits: number): number => Number(value.toFixed(digits));
  return {
    events,
    on_time: sum(({ counters }) => counters.on_time),
    late: sum(({ counters }) => counters.late),
    dead_letter: sum(({ counters }) => counters.dead_letter),
    duplicates: sum(({ counters }) => counters.duplicates),
    ...(quarantinedRows === 0 ? {} : { quarantined_rows: quarantinedRows }),
    epochs: Math.max(0, ...statuses.map(({ epoch }) => epoch)),
    seconds: round(seconds, 3),
    events_per_second: round(events / Math.max(seconds, 1e-9), 0),
  };
}
