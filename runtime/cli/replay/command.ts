/** `rivulet replay`: the flags of the bounded job, its progress, its summary. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { PARSE_DEFAULTS } from '../../../actors/parse.js';
import type { PipelineOptions } from '../../../actors/topology.js';
import { formatOf } from '../../../connectors/csv/folder-source.js';
import type { Config } from '../../config/config.js';
import { RivuletError } from '../../contract/errors.js';
import { EXIT } from '../exit.js';
import { GIVE_POPULARITY, mustBeFile, mustBeFolder } from '../given-file.js';
import { tuningOf, pipelineOptions, streamBytesMax } from '../node/node-options.js';
import { replay, type ReplaySummary } from './replay.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped, shortened } from '../terminal.js';

export interface ReplayCommandOptions extends SettingOptions {
  readonly input: string;
  readonly popularity: string;
  readonly items?: string;
  readonly out: string;
  readonly trigger: 'file';
  readonly interest: 'epoch' | 'decayed';
  readonly top: number;
  readonly chaining: 'on' | 'off';
  readonly chunkBytes: number;
  readonly timestamps?: true;
  readonly restart?: true;
  readonly json?: true;
}

const SYNC_EVERY_MS_MAX = 1_000;
const FILE_CHARACTERS_MAX = 30;

export async function replayCommand(options: ReplayCommandOptions): Promise<void> {
  const { config } = settingsOf(options);
  const { input, popularity, items, out, chunkBytes, timestamps = false, restart = false, json = false } = options;
  const bytes = await bytesIn(input);
  await mustBeFile(popularity, GIVE_POPULARITY);
  if (items !== undefined) await mustBeFile(items, 'give the catalogue with --items');
  const ui = jobUi(bytes, json);
  // No clean-up needed: stored data stays stored, and the nats-server ends with the process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      ui.end();
      process.stderr.write('interrupted: the same command goes on from here (--restart begins anew)\n');
      process.exit(EXIT.interrupted);
    });
  }
  try {
    const summary = await replay(
      {
        ...{ input, popularity, out, chunkBytes, timestamps, restart },
        ...(items === undefined ? {} : { items }),
        dataDir: config.dataDir,
        pipeline: boundedPipeline(config, options),
        tuning: tuningOf(config),
        threads: config.threads,
        streamBytesMax: streamBytesMax(config),
        // A sync of the results is bounded by the snapshot interval.
        syncEveryMs: Math.min(SYNC_EVERY_MS_MAX, tuningOf(config).snapshotEveryMs),
        ...(config.natsServer === undefined ? {} : { natsServer: config.natsServer }),
        logLevel: config.logLevel,
      },
      ui,
    );
    ui.end();
    process.stdout.write(json ? `${JSON.stringify(summary, undefined, 2)}\n` : asText(summary, out));
  } catch (error) {
    throw withRestart(error);
  } finally {
    ui.end();
  }
}

/** Unlike a node's, a job's state, log and results can be recomputed: it has all of its input. */
export function withRestart(error: unknown): unknown {
  if (
    !(error instanceof RivuletError) ||
    !/^(LOG_GAP|LOG_BEHIND|STATE_\w+|SINK_(FILE_SHORT|POSITION|TIME))$/.test(error.code)
  )
    return error;
  const { reaction, code, message, cause, hint } = error;
  const fromHere = /^(STATE_(OPEN|WRITE)|SINK_FILE_SHORT)$/.test(code)
    ? `${hint ?? ''}; the same command then goes on from here. `
    : '';
  return new RivuletError(reaction, code, message, {
    cause,
    hint: `${fromHere}The same command with --restart does the job anew from its input`,
  });
}

/** One reader, one epoch per file, popularity from the table: the differences from the live pipeline. */
export function boundedPipeline(
  config: Config,
  { interest, top, items, chaining }: Pick<ReplayCommandOptions, 'interest' | 'top' | 'items' | 'chaining'>,
): PipelineOptions {
  const live = pipelineOptions(config);
  const { halfLifeHours, weights } = config.pipeline.interest;
  return {
    ...live,
    partitions: { ...live.partitions, source: 1 },
    // Files are read by event time alone, and what may be in one does not depend on the day it is read: a bound for slips of the shard is left.
    parse: { ...live.parse, futureMaxMs: PARSE_DEFAULTS.futureMaxMs },
    trigger: { kind: 'file' },
    interest:
      interest === 'epoch' ? { kind: 'epoch' } : { kind: 'decayed', halfLifeMs: halfLifeHours * 3_600_000, weights },
    popularity: { from: 'table' },
    listSize: top,
    mode: 'bounded',
    chaining: chaining === 'on',
    ...(items === undefined ? {} : { items: true }),
  };
}

/** Bytes of the input files; `undefined` if some are compressed. */
async function bytesIn(folder: string): Promise<number | undefined> {
  await mustBeFolder(folder, 'give the folder with the event files as --input');
  const files = (await readdir(folder)).filter((name) => formatOf(name) !== undefined);
  if (files.some((name) => /\.gz$/i.test(name))) return undefined;
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

interface JobUi {
  note(message: string): void;
  progress(bytes: number, file: string): void;
  finishing(left: string): void;
  /** Idempotent. */
  end(): void;
}

const MIB = 1024 * 1024;

function jobUi(bytes: number | undefined, json: boolean): JobUi {
  const note = (message: string): void => void process.stderr.write(`${message}\n`);
  if (json || !process.stderr.isTTY) {
    const silent = (): void => undefined;
    return { note, progress: silent, finishing: silent, end: silent };
  }
  const format =
    bytes === undefined
      ? 'read {mib} MiB, {file}  {duration_formatted}'
      : '{bar} {percentage}% read  {file}  {duration_formatted}';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
  let state: 'new' | 'drawn' | 'ended' = 'new';
  return {
    note: (message) => {
      if (state !== 'drawn') note(message);
    },
    progress: (done, file) => {
      if (state === 'ended') return;
      const payload = { file: shortened(file, FILE_CHARACTERS_MAX), mib: Math.round(done / MIB) };
      if (state === 'new') bar.start(bytes ?? 0, done, payload);
      else bar.update(done, payload);
      state = 'drawn';
    },
    finishing: (left) => {
      // The bar counts bytes read: all are read.
      if (state === 'drawn') bar.update(bar.getTotal(), { file: `all files; ${left}` });
    },
    end: () => {
      if (state === 'drawn') bar.stop();
      state = 'ended';
    },
  };
}

function asText(summary: ReplaySummary, out: string): string {
  const {
    events,
    on_time: onTime,
    late,
    dead_letter: deadLetter,
    duplicates,
    quarantined_rows: quarantined = 0,
    epochs,
    seconds,
    events_per_second: rate,
  } = summary;
  const lines = [
    `${grouped(events)} events in ${epochs} epochs, ${seconds.toFixed(1)} s (${grouped(rate)} per second)`,
    `  on time ${grouped(onTime)}   late ${grouped(late)}   dead letters ${grouped(deadLetter)}   duplicates ${grouped(duplicates)}`,
    ...(quarantined === 0
      ? []
      : [`  given up ${grouped(quarantined)} rows, in messages that a stage fails at: rivulet dlq ls`]),
    `  results in ${out}`,
  ];
  return `${lines.join('\n')}\n`;
}
