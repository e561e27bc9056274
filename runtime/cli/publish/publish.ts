/** `rivulet publish`: a file of events, or of items of the catalogue, to NATS. */
import { open, stat } from 'node:fs/promises';
import { EventReader } from '../../../actors/formats/event-reader.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { STDIN } from '../../../connectors/csv/file-bytes.js';
import type { FileFormat } from '../../../connectors/csv/file-chunks.js';
import { systemClock } from '../../contract/clock.js';
import type { Config } from '../../config/config.js';
import type { Log } from '../../contract/ports.js';
import { pipelineOptions } from '../node/node-options.js';
import { BoundedPublisher } from './bounded-publisher.js';
import { eventEntries, type FileEntry } from './event-message.js';
import { Interrupted, interruptible, usage } from '../exit.js';
import { formatOfFile } from '../given-file.js';
import { itemEntries } from './item-message.js';
import { natsOf, withLog } from '../nats-link.js';
import { type ProgressBar, progressBar } from '../progress.js';
import { byEventTime, type Pace, perSecond, unpaced } from './pace.js';
import { Reasons } from './reasons.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';

export interface PublishOptions extends SettingOptions {
  /** Events; or `items`, one of the two. */
  readonly file?: string;
  readonly items?: string;
  readonly format?: 'csv' | 'jsonl';
  readonly rate?: number;
  readonly speed?: number;
  readonly json?: true;
}

interface Summary {
  readonly published: number;
  /** Not published: refused by the server, a CSV row that a node would refuse, or a record that is certainly not an item. */
  readonly refused: number;
  /** Published events that a node will refuse, as far as this command can tell. */
  readonly deadLetters: number;
  readonly uncertain: number;
  readonly seconds: number;
  readonly perSecond: number;
}

/** The type of the records in a file. */
interface Kind {
  readonly called: 'events' | 'items';
  readonly entriesIn: (file: string, format: FileFormat) => AsyncIterable<FileEntry>;
}

/** Validated by the rules of a node with this configuration. */
function eventsOf(config: Config): Kind {
  const reader = new EventReader(pipelineOptions(config).parse);
  return {
    called: 'events',
    entriesIn: (file, format) => eventEntries(file, format, reader, systemClock),
  };
}

const ITEMS: Kind = { called: 'items', entriesIn: itemEntries };

interface Work extends Pick<PublishOptions, 'rate' | 'speed'> {
  readonly file: string;
  readonly format: 'csv' | 'jsonl';
  readonly kind: Kind;
}

const SAMPLE_BYTES = 1024 * 1024;
/** Below this a timer costs more than it gains. */
const SLEEP_MS_MIN = 2;

export async function publish(options: PublishOptions): Promise<void> {
  const { config } = settingsOf(options);
  const work = workOf(options, config);
  const { kind } = work;
  const records = await recordsIn(work.file);
  natsOf(config);
  const { signal, end } = interruptible();
  const bar = recordsBar(records, kind, options.json === true);
  try {
    const sent = await withLog(config, 'publish', (log) => send(log, work, signal, bar));
    bar.end(sent.summary.published + sent.summary.refused);
    report(sent, kind, options.json === true);
    if (sent.summary.refused > 0) process.exitCode = 1;
  } finally {
    bar.end();
    end();
  }
}

function workOf({ file, items, format: said, rate, speed }: PublishOptions, config: Config): Work {
  const path = file ?? items;
  if (path === undefined || (file !== undefined && items !== undefined))
    throw usage('give --file with events, or --items with items of the catalogue');
  const format = formatOfFile(path, said);
  const pace = { ...(rate === undefined ? {} : { rate }), ...(speed === undefined ? {} : { speed }) };
  return { file: path, format, kind: file === undefined ? ITEMS : eventsOf(config), ...pace };
}

async function send(
  log: Log,
  { file, format, kind, rate, speed }: Work,
  signal: AbortSignal,
  bar: ProgressBar,
): Promise<Sent> {
  const reasons = new Reasons<string>();
  const faults = new Reasons<LineFault>();
  const onRefused = (reason: string): void => reasons.add(reason);
  const startedMs = performance.now();
  const publisher = new BoundedPublisher({ ...{ log, clock: systemClock, signal }, onRejected: onRefused });
  const pace = paceOf(rate, speed);
  let deadLetters = 0;
  let broken = 0;
  const summary = (): Summary => {
    const { published, uncertain } = publisher.counts;
    const refused = publisher.counts.rejected + broken;
    const seconds = (performance.now() - startedMs) / 1000;
    const perSecond = Math.round(published / Math.max(seconds, 1e-3));
    return { published, refused, deadLetters, uncertain, seconds: Number(seconds.toFixed(3)), perSecond };
  };
  try {
    for await (const { line = 0, message, fault, problem } of kind.entriesIn(file, format)) {
      if (problem !== undefined) onRefused(`line ${line}: ${problem}`);
      if (fault !== undefined) faults.add({ line, ...fault });
      if (message === undefined) {
        broken++;
        continue;
      }
      if (fault !== undefined) deadLetters++;
      const { subject, data, contentType, timeMs } = message;
      const waitMs = pace(timeMs) - performance.now();
      if (waitMs > SLEEP_MS_MIN) await systemClock.sleep(waitMs, signal);
      await publisher.publish(subject, data, contentType);
      bar.update(publisher.counts.published);
    }
    await publisher.settled();
  } catch (error) {
    // Messages in flight still count if they are stored; the reason of the end is already known.
    if (!(error instanceof Interrupted)) await publisher.settled().catch(() => undefined);
    const { published } = summary();
    const sent = `${grouped(published)} ${kind.called} are published; the same command would send them again`;
    if (error instanceof Interrupted) throw new Interrupted(`interrupted: ${sent}`);
    if (published > 0) process.stderr.write(`${sent}\n`);
    throw error;
  }
  return { summary: summary(), reasons, faults };
}

interface LineFault extends Fault {
  readonly line: number;
}

interface Sent {
  readonly summary: Summary;
  /** Why some are not published, each reason once. */
  readonly reasons: Reasons<string>;
  readonly faults: Reasons<LineFault>;
}

const now = (): number => performance.now();

function paceOf(rate: number | undefined, speed: number | undefined): Pace {
  if (rate !== undefined) return perSecond(rate, now);
  return speed === undefined ? unpaced : byEventTime(speed, now);
}

/** Approximate number of records, by the lines of the first MiB; `undefined` if unknown. Throws when the file does not exist. */
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

function recordsBar(records: number | undefined, { called }: Kind, quiet: boolean): ProgressBar {
  const format =
    records === undefined
      ? `{value} ${called}  {duration_formatted}`
      : `{bar} {percentage}%  {value} ${called}  {duration_formatted}, {eta_formatted} left`;
  return progressBar(records ?? 0, format, quiet);
}

function report({ summary, reasons, faults }: Sent, { called }: Kind, asJson: boolean): void {
  const { published, refused, deadLetters, uncertain, seconds, perSecond } = summary;
  if (asJson) {
    const said = {
      ...{ published, refused, dead_letters: deadLetters, uncertain, seconds, [`${called}_per_second`]: perSecond },
      ...(refused > 0 && { refusals: [...reasons.reported], refusals_left_out: reasons.omitted }),
      ...(faults.reported.size > 0 && { faults: [...faults.reported], faults_left_out: faults.omitted }),
    };
    process.stdout.write(`${JSON.stringify(said)}\n`);
    return;
  }
  const outcome = deadLetters > 0 ? 'will be a dead letter' : 'not published';
  const lines = [
    `published ${grouped(published)} ${called} in ${seconds.toFixed(1)} s (${grouped(perSecond)} per second); not published: ${grouped(refused)}`,
    ...[...reasons.reported].map((reason) => `  not published: ${reason}`),
    ...(reasons.omitted > 0 ? [`  not published: ${grouped(reasons.omitted)} more`] : []),
    ...[...faults.reported].map(({ line, rule, reason }) => `  ${outcome}: line ${line}: ${reason} [${rule}]`),
    ...(faults.omitted > 0 ? [`  ${outcome}: ${grouped(faults.omitted)} more`] : []),
    ...(published > 0
      ? [
          'NATS has stored them. A node checks them when it reads them; those it refuses become dead letters: rivulet dlq ls',
        ]
      : []),
    ...(uncertain > 0 ? [`  ${grouped(uncertain)} were sent twice, since NATS did not answer the first time`] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
