/** `rivulet publish`: a file of events, or of items of the catalogue, to NATS. */
import { open, stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { STDIN } from '../../../connectors/csv/file-bytes.js';
import { formatOf } from '../../../connectors/csv/folder-source.js';
import { type FileRecord, readRecords } from '../../../connectors/csv/read-records.js';
import { systemClock } from '../../contract/clock.js';
import type { Log } from '../../contract/ports.js';
import { BoundedPublisher } from './bounded-publisher.js';
import type { PublishOptions } from '../commands/jobs.js';
import { type EventMessage, eventMessage, UNKNOWN_SUBJECT } from './event-message.js';
import { Interrupted, usage } from '../exit.js';
import { itemMessage, itemProblem, UNKNOWN_ITEM_SUBJECT } from './item-message.js';
import { natsOf, withLog } from '../nats-link.js';
import { byEventTime, type Pace, perSecond, unpaced } from './pace.js';
import { settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';

interface Summary {
  readonly published: number;
  /** By the server; or a row of CSV that does not fit its header, or what is certainly no item. */
  readonly refused: number;
  /** Of the published, those that are none as far as can be told here. */
  readonly unknown: number;
  readonly uncertain: number;
  readonly seconds: number;
  readonly perSecond: number;
}

/** What a file holds. */
interface Kind {
  readonly called: 'events' | 'items';
  readonly messageOf: (record: FileRecord, format: 'csv' | 'jsonl') => EventMessage;
  readonly unknownSubject: string;
  /** Why a record is not sent. */
  readonly problemOf: (record: FileRecord) => string | undefined;
  /** What those lack that are none. */
  readonly lacks: string;
}

const EVENTS: Kind = {
  called: 'events',
  messageOf: eventMessage,
  problemOf: () => undefined,
  unknownSubject: UNKNOWN_SUBJECT,
  lacks: 'a type or user',
};
const ITEMS: Kind = {
  called: 'items',
  messageOf: itemMessage,
  problemOf: itemProblem,
  unknownSubject: UNKNOWN_ITEM_SUBJECT,
  lacks: 'an id',
};

interface Work extends Pick<PublishOptions, 'rate' | 'speed'> {
  readonly file: string;
  readonly format: 'csv' | 'jsonl';
  readonly kind: Kind;
}

const SAMPLE_BYTES = 1024 * 1024;
const REASONS_MAX = 100;
/** Below this a timer costs more than it gains. */
const SLEEP_MS_MIN = 2;

export async function publish(options: PublishOptions): Promise<void> {
  const { config } = settingsOf(options);
  const work = workOf(options);
  const { kind } = work;
  const records = await recordsIn(work.file);
  natsOf(config);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort(new Interrupted('interrupted'));
  process.once('SIGINT', onSignal);
  const bar = progressBar(records, kind, options.json === true);
  try {
    const { summary, reasons } = await withLog(config, 'publish', (log) => send(log, work, abort.signal, bar));
    bar?.setTotal(summary.published + summary.refused);
    bar?.stop();
    report(summary, reasons, kind, options.json === true);
    if (summary.refused > 0) process.exitCode = 1;
  } finally {
    bar?.stop();
    process.off('SIGINT', onSignal);
  }
}

function workOf({ file, items, format: said, rate, speed }: PublishOptions): Work {
  const path = file ?? items;
  if (path === undefined || (file !== undefined && items !== undefined))
    throw usage('give --file with events, or --items with items of the catalogue');
  const format = said ?? formatOf(path);
  if (format === undefined)
    throw usage(
      `cannot tell from its name what ${path === STDIN ? 'standard input' : path} holds`,
      'say --format csv or --format jsonl',
    );
  const pace = { ...(rate === undefined ? {} : { rate }), ...(speed === undefined ? {} : { speed }) };
  return { file: path, format, kind: file === undefined ? ITEMS : EVENTS, ...pace };
}

async function send(
  log: Log,
  { file, format, kind, rate, speed }: Work,
  signal: AbortSignal,
  bar: SingleBar | undefined,
): Promise<{ readonly summary: Summary; readonly reasons: Refusals }> {
  const reasons = new Refusals();
  const onRefused = (reason: string): void => reasons.add(reason);
  const startedMs = performance.now();
  const publisher = new BoundedPublisher({ ...{ log, clock: systemClock, signal }, onRefused });
  const pace = paceOf(rate, speed);
  let unknown = 0;
  let broken = 0;
  const summary = (): Summary => {
    const { published, uncertain } = publisher.counts;
    const refused = publisher.counts.refused + broken;
    const seconds = (performance.now() - startedMs) / 1000;
    const perSecond = Math.round(published / Math.max(seconds, 1e-3));
    return { published, refused, unknown, uncertain, seconds: Number(seconds.toFixed(3)), perSecond };
  };
  try {
    for await (const record of readRecords(file, format)) {
      // Without its header a row says nothing: as a dead letter nobody could tell what is wrong with it, nor mend it.
      const isUnsendable = format === 'csv' || ('isDamaged' in record && record.isDamaged);
      const problem = (isUnsendable ? record.problem : undefined) ?? kind.problemOf(record);
      if (problem !== undefined) {
        broken++;
        onRefused(`line ${record.line}: ${problem}`);
        continue;
      }
      const { subject, data, timeMs } = kind.messageOf(record, format);
      const waitMs = pace(timeMs) - performance.now();
      if (waitMs > SLEEP_MS_MIN) await systemClock.sleep(waitMs, signal);
      await publisher.publish(subject, data);
      if (subject === kind.unknownSubject) unknown++;
      bar?.update(publisher.counts.published);
    }
    await publisher.settled();
  } catch (error) {
    // What is on its way is stored or not, and counts; why it ended is known.
    if (!(error instanceof Interrupted)) await publisher.settled().catch(() => undefined);
    const { published } = summary();
    const sent = `${grouped(published)} ${kind.called} are published; the same command would send them again`;
    if (error instanceof Interrupted) throw new Interrupted(`interrupted: ${sent}`);
    if (published > 0) process.stderr.write(`${sent}\n`);
    throw error;
  }
  return { summary: summary(), reasons };
}

/** Why records are refused, each reason once. */
class Refusals {
  readonly told = new Set<string>();
  untold = 0;

  add(reason: string): void {
    if (this.told.has(reason)) return;
    if (this.told.size < REASONS_MAX) this.told.add(reason);
    else this.untold++;
  }
}

const now = (): number => performance.now();

function paceOf(rate: number | undefined, speed: number | undefined): Pace {
  if (rate !== undefined) return perSecond(rate, now);
  return speed === undefined ? unpaced : byEventTime(speed, now);
}

/** About how many records, by the lines of the first MiB; `undefined` where that says nothing. Throws when there is no such file. */
async function recordsIn(file: string): Promise<number | undefined> {
  if (file === STDIN) return undefined;
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

function progressBar(records: number | undefined, { called }: Kind, quiet: boolean): SingleBar | undefined {
  if (quiet || !process.stderr.isTTY) return undefined;
  const format =
    records === undefined
      ? `{value} ${called}  {duration_formatted}`
      : `{bar} {percentage}%  {value} ${called}  {duration_formatted}, {eta_formatted} left`;
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, etaBuffer: 1000 });
  bar.start(records ?? 0, 0);
  return bar;
}

function report({ perSecond, ...summary }: Summary, reasons: Refusals, { called, lacks }: Kind, asJson: boolean): void {
  if (asJson) {
    const refusals = summary.refused === 0 ? {} : { refusals: [...reasons.told], refusals_left_out: reasons.untold };
    process.stdout.write(`${JSON.stringify({ ...summary, ...refusals, [`${called}_per_second`]: perSecond })}\n`);
    return;
  }
  const { published, refused, unknown, uncertain, seconds } = summary;
  const rate = grouped(perSecond);
  process.stdout.write(
    `published ${grouped(published)} ${called} in ${seconds.toFixed(1)} s (${rate} per second), refused ${grouped(refused)}\n`,
  );
  for (const reason of reasons.told) process.stdout.write(`  refused: ${reason}\n`);
  if (reasons.untold > 0) process.stdout.write(`  refused: ${grouped(reasons.untold)} more\n`);
  if (unknown > 0)
    process.stdout.write(
      `  ${grouped(unknown)} of them without ${lacks} that can be recognised; why: rivulet dlq ls\n`,
    );
  if (uncertain > 0)
    process.stdout.write(`  ${grouped(uncertain)} were sent twice, since NATS did not answer the first time\n`);
}
