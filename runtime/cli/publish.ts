/** `rivulet publish`: a file of events to NATS. */
import { open, stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { formatOf } from '../../connectors/csv/folder-source.js';
import { readRecords } from '../../connectors/csv/read-records.js';
import { systemClock } from '../clock.js';
import type { Log } from '../ports.js';
import { BoundedPublisher } from './bounded-publisher.js';
import type { PublishOptions } from './commands-jobs.js';
import { eventMessage, UNKNOWN_SUBJECT } from './event-message.js';
import { Interrupted, usage } from './exit.js';
import { natsOf, withLog } from './nats-link.js';
import { byEventTime, type Pace, perSecond, unpaced } from './pace.js';
import { settingsOf } from './settings.js';
import { grouped } from './terminal.js';

interface Summary {
  readonly published: number;
  readonly refused: number;
  /** Of the published, those that are no events as far as can be told here. */
  readonly unknown: number;
  readonly uncertain: number;
  readonly seconds: number;
  readonly events_per_second: number;
}

const SAMPLE_BYTES = 1024 * 1024;
const REASONS_MAX = 3;
/** Below this a timer costs more than it gains. */
const SLEEP_MS_MIN = 2;

export async function publish(options: PublishOptions): Promise<void> {
  const { config } = settingsOf(options);
  const format = options.format ?? formatOf(options.file);
  if (format === undefined)
    throw usage(`cannot tell from its name what ${options.file} holds`, 'say --format csv or --format jsonl');
  const records = await recordsIn(options.file);
  natsOf(config);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort(new Interrupted('interrupted'));
  process.once('SIGINT', onSignal);
  const bar = progressBar(records, options.json === true);
  try {
    const { summary, reasons } = await withLog(config, 'publish', (log) =>
      send(log, options, format, abort.signal, bar),
    );
    bar?.setTotal(summary.published + summary.refused);
    bar?.stop();
    report(summary, reasons, options);
    if (summary.refused > 0) process.exitCode = 1;
  } finally {
    bar?.stop();
    process.off('SIGINT', onSignal);
  }
}

async function send(
  log: Log,
  { file, rate, speed }: PublishOptions,
  format: 'csv' | 'jsonl',
  signal: AbortSignal,
  bar: SingleBar | undefined,
): Promise<{ readonly summary: Summary; readonly reasons: ReadonlySet<string> }> {
  const reasons = new Set<string>();
  const startedMs = performance.now();
  const publisher = new BoundedPublisher({
    ...{ log, clock: systemClock, signal },
    onRefused: (reason) => {
      if (reasons.size < REASONS_MAX) reasons.add(reason);
    },
  });
  const pace = paceOf(rate, speed);
  let unknown = 0;
  const summary = (): Summary => {
    const { published, refused, uncertain } = publisher.counts;
    const seconds = (performance.now() - startedMs) / 1000;
    const perSecond = Math.round(published / Math.max(seconds, 1e-3));
    return {
      published,
      refused,
      unknown,
      uncertain,
      seconds: Number(seconds.toFixed(3)),
      events_per_second: perSecond,
    };
  };
  try {
    for await (const record of readRecords(file, format)) {
      const { subject, data, timeMs } = eventMessage(record, format);
      const waitMs = pace(timeMs) - performance.now();
      if (waitMs > SLEEP_MS_MIN) await systemClock.sleep(waitMs, signal);
      await publisher.publish(subject, data);
      if (subject === UNKNOWN_SUBJECT) unknown++;
      bar?.update(publisher.counts.published);
    }
    await publisher.settled();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    const { published } = summary();
    throw new Interrupted(
      `interrupted: ${grouped(published)} events are published; the same command would send them again`,
    );
  }
  return { summary: summary(), reasons };
}

const now = (): number => performance.now();

function paceOf(rate: number | undefined, speed: number | undefined): Pace {
  if (rate !== undefined) return perSecond(rate, now);
  return speed === undefined ? unpaced : byEventTime(speed, now);
}

/** About how many records, by the lines of the first MiB; `undefined` where that says nothing. Throws when there is no such file. */
async function recordsIn(file: string): Promise<number | undefined> {
  let size: number;
  try {
    const found = await stat(file);
    if (found.isDirectory())
      throw usage(`${file} is a folder`, 'publish sends one file; for a folder see rivulet replay');
    ({ size } = found);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw usage(`there is no file ${file}`, 'give the path of a CSV or JSONL file');
    throw error;
  }
  if (/\.gz$/i.test(file)) return undefined;
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(SAMPLE_BYTES, size)), 0);
    let lines = 0;
    for (let i = 0; i < bytesRead; i++) if (buffer[i] === 0x0a) lines++;
    return lines === 0 ? undefined : Math.round((lines / bytesRead) * size);
  } finally {
    await handle.close();
  }
}

function progressBar(records: number | undefined, quiet: boolean): SingleBar | undefined {
  if (quiet || !process.stderr.isTTY) return undefined;
  const format =
    records === undefined
      ? '{value} events  {duration_formatted}'
      : '{bar} {percentage}%  {value} events  {duration_formatted}, {eta_formatted} left';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, etaBuffer: 1000 });
  bar.start(records ?? 0, 0);
  return bar;
}

function report(
  { published, refused, unknown, uncertain, seconds, ...rest }: Summary,
  reasons: ReadonlySet<string>,
  { json }: PublishOptions,
): void {
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ published, refused, unknown, uncertain, seconds, ...rest })}\n`);
    return;
  }
  const rate = grouped(rest.events_per_second);
  process.stdout.write(
    `published ${grouped(published)} events in ${seconds.toFixed(1)} s (${rate} per second), refused ${grouped(refused)}\n`,
  );
  for (const reason of reasons) process.stdout.write(`  refused: ${reason}\n`);
  if (unknown > 0)
    process.stdout.write(
      `  ${grouped(unknown)} of them without a type or user that can be recognised; why: rivulet dlq ls\n`,
    );
  if (uncertain > 0)
    process.stdout.write(`  ${grouped(uncertain)} were sent twice, since NATS did not answer the first time\n`);
}
