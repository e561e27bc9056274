/**
 * `rivulet replay`: the bounded job. A folder of files goes through the real pipeline (JetStream, LevelDB), one epoch per file, into result
 * files. Everything it needs to go on after a kill is in its work directory.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { missingColumns } from '../../../actors/formats/csv-header.js';
import { mainTopology, type PipelineOptions } from '../../../actors/topology.js';
import { folderSource } from '../../../connectors/csv/folder-source.js';
import { popularityTable } from '../../../connectors/csv/popularity-table.js';
import { resultsSink } from '../../../connectors/csv/results-sink.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import type { ActorKnobs } from '../../actor/actor.js';
import { systemClock } from '../../contract/clock.js';
import { Deadline } from '../../supervision/deadline.js';
import { explain, reactionOf } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import { openNats } from '../../node/nats.js';
import { Threads } from '../../node/threads.js';
import { openUnitStore } from '../../node/stores.js';
import { patience } from '../../supervision/retry.js';
import { preflight } from '../../log-integrity/preflight.js';
import { BOUNDED_WEIGHTS, spread, unitsOf } from '../../node/shards.js';
import type { Log, Store } from '../../contract/ports.js';
import { SinkRunner } from '../../jobs/sink-runner.js';
import { writeChunks, writeTable } from '../../jobs/source-writer.js';
import type { ActorStatus } from '../../telemetry/status.js';
import { ensureStreams } from '../../contract/streams.js';
import { openWork } from './work-directory.js';

export interface ReplayOptions {
  readonly input: string;
  readonly popularity: string;
  readonly out: string;
  readonly dataDir: string;
  readonly pipeline: PipelineOptions;
  readonly knobs: ActorKnobs;
  readonly threads: number;
  readonly chunkBytes: number;
  readonly streamBytesMax: number;
  readonly syncEveryMs: number;
  /** Throw away what an unfinished job has left. */
  readonly restart: boolean;
  readonly natsServer?: string;
  readonly logLevel: string;
}

export interface ReplayUi {
  note(message: string): void;
  /** Bytes read so far, and of which file. */
  progress(bytes: number, file: string): void;
}

export interface ReplaySummary {
  readonly events: number;
  readonly on_time: number;
  readonly late: number;
  readonly dead_letter: number;
  readonly duplicates: number;
  /** Of messages that stages behind parse have given up; absent: none. */
  readonly buried_rows?: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly events_per_second: number;
}

/** Next to those of the units. */
const SINK_STORE = 'sink';
const STOP_DEADLINE_MS = 10_000;
const STATUS_EVERY_MS = 500;
const FINISHED_POLL_MS = 20;
const AWAY_RETRY_MS = 200;

export async function replay(options: ReplayOptions, ui: ReplayUi): Promise<ReplaySummary> {
  const { pipeline, out } = options;
  const [input, popularity] = [resolve(options.input), resolve(options.popularity)];
  const work = openWork(options.dataDir, { input, popularity, out: resolve(out), pipeline }, options.restart);
  if (work.resumed) ui.note('going on where the last run was stopped');
  mkdirSync(out, { recursive: true });
  let begun = false;
  const tracked: ReplayUi = {
    note: (message) => {
      ui.note(message);
    },
    progress: (bytes, file) => {
      begun = true;
      ui.progress(bytes, file);
    },
  };
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  const nats = await openNats({
    dataDir: work.directory,
    natsPort: 'any',
    durability: 'process',
    ...(options.natsServer === undefined ? {} : { natsServer: options.natsServer }),
    onProgress: (message) => {
      ui.note(message);
    },
    onFatal: fail,
  });
  try {
    const log = await openNatsLog(await connectNats(nats.options, 'rivulet-replay'));
    const topology = mainTopology(pipeline);
    const patiently = patience(systemClock, (error) => ui.note(`waiting for NATS: ${explain(error)}`));
    await patiently(() => ensureStreams(log, topology, { bytesMax: options.streamBytesMax, replicas: 1 }));
    const units = unitsOf(topology).pipeline;
    const openStore = (name: string): Promise<Store> => openUnitStore(work.directory, name);
    await patiently(() => preflight({ topology, units, log, openStore }));
    const results = await openStore(SINK_STORE);
    await patiently(() => SinkRunner.check({ log, store: results, topics: topology.topics.map(({ id }) => id) }));
    await results.close();
    const hosts = spread(units, options.threads, BOUNDED_WEIGHTS).map((units, i) => ({
      name: `worker-${i}`,
      nats: nats.options,
      pipeline,
      own: units.map(({ name }) => name),
      dataDir: work.directory,
      knobs: options.knobs,
      tickEveryMs: 0,
      logLevel: options.logLevel,
    }));
    const threads = await Threads.start(hosts, STATUS_EVERY_MS, fail);
    const startedAt = performance.now();
    const secondsSoFar = (): number => (performance.now() - startedAt) / 1000;
    // A killed run counts as well: what it has done is not done again.
    const marking = setInterval(() => {
      try {
        work.mark(false, secondsSoFar());
      } catch {
        // A full disk: those who write what counts say so.
      }
    }, STATUS_EVERY_MS);
    try {
      await Promise.race([runJob(options, topology, work.directory, log, tracked), failed]);
      const statuses = await Promise.race([finishedStatuses(threads), failed]);
      const seconds = secondsSoFar();
      const summary = summarise(statuses, work.earlierSeconds + seconds);
      clearInterval(marking);
      writeFileSync(join(out, 'summary.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
      work.mark(true, seconds);
      return summary;
    } finally {
      clearInterval(marking);
      await threads.stop(new Deadline(STOP_DEADLINE_MS, systemClock));
      await log.close();
    }
  } finally {
    await nats.stop();
    // A folder that cannot be read must not occupy the work directory.
    if (!begun && !work.resumed) work.discard();
  }
}

/** Sources in, sinks out, until the last row is durable. */
async function runJob(
  { input, popularity, out, chunkBytes, syncEveryMs, logLevel }: ReplayOptions,
  topology: Topology,
  directory: string,
  log: Log,
  ui: ReplayUi,
): Promise<void> {
  const abort = new AbortController();
  const logger: Logger = pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }));
  const writer = { log, clock: systemClock, logger, signal: abort.signal };
  const store = await openUnitStore(directory, SINK_STORE);
  try {
    const writeResults = async (): Promise<void> => {
      const sink = await SinkRunner.open({
        ...{ topology, log, store, clock: systemClock, logger, syncEveryMs },
        topics: topology.topics.map(({ id }) => id),
        sink: resultsSink({ directory: out }),
      });
      await sink.run(abort.signal);
    };
    const source = folderSource({ directory: input, chunkBytes, checkHeader: (header) => missingColumns(header) });
    let bytes = 0;
    const partitions = topology.count('popularity');
    const toPopularity = { to: 'popularity', from: 'popularity-table', by: 'item', partitions };
    const works = [
      () => writeTable(writer, popularityTable(popularity), toPopularity),
      () =>
        writeChunks(writer, source, { to: 'parse', from: 'folder' }, (chunk) => {
          bytes += chunk.data.length;
          ui.progress(bytes, chunk.file);
        }),
      writeResults,
    ];
    await Promise.all(works.map((one) => persistently(one, logger, abort.signal)));
  } finally {
    abort.abort();
    await store.close();
  }
}

/** Where the last rows were written before a kill, the sink is done before the stages are restored: what they count is not known until then. */
async function finishedStatuses(threads: Threads): Promise<readonly ActorStatus[]> {
  for (;;) {
    const statuses = await threads.freshStatuses();
    if (statuses.every(({ finished }) => finished)) return statuses;
    await sleep(FINISHED_POLL_MS);
  }
}

/** From the start again when the log was away: what was said and written is found there, as after a kill. Until it works, or the signal. */
async function persistently(work: () => Promise<void>, logger: Logger, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (reactionOf(error) !== 'transient' || signal.aborted) throw error;
      logger.warn({ err: error }, 'the log was away; going on');
    }
    await systemClock.sleep(AWAY_RETRY_MS, signal);
  }
}

export function summarise(statuses: readonly ActorStatus[], seconds: number): ReplaySummary {
  const sum = (pick: (status: ActorStatus) => number): number =>
    statuses.reduce((total, status) => total + pick(status), 0);
  const events = sum(({ counters }) => counters.events);
  const buriedRows = sum(({ burials }) => burials.rows);
  const round = (value: number, digits: number): number => Number(value.toFixed(digits));
  return {
    events,
    on_time: sum(({ counters }) => counters.on_time),
    late: sum(({ counters }) => counters.late),
    dead_letter: sum(({ counters }) => counters.dead_letter),
    duplicates: sum(({ counters }) => counters.duplicates),
    ...(buriedRows === 0 ? {} : { buried_rows: buriedRows }),
    epochs: Math.max(0, ...statuses.map(({ epoch }) => epoch)),
    seconds: round(seconds, 3),
    events_per_second: round(events / Math.max(seconds, 1e-9), 0),
  };
}
