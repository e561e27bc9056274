/** `rivulet dlq retry`: sends refused events, and items, again, as a publisher would, and marks them. */
import { readFileSync } from 'node:fs';
import { EVENTS_SUBJECT, ITEMS_SUBJECT } from '../streams.js';
import { asError, fatal } from '../errors.js';
import type { Log } from '../ports.js';
import type { RetryOptions } from './commands-jobs.js';
import { type DeadLetter, DeadLetterQueue } from './dead-letter-queue.js';
import { asPlainText } from './dlq.js';
import { usage } from './exit.js';
import { withLog } from './nats-link.js';
import { settingsOf } from './settings.js';
import { instant } from './terminal.js';

interface Retried {
  readonly id: string;
  readonly subject?: string;
  readonly error?: string;
}

const PREFIX = EVENTS_SUBJECT.slice(0, -1);
const ITEMS_PREFIX = ITEMS_SUBJECT.slice(0, -1);
/** Where the server's subject transform has put what came on an events subject. */
const TRANSFORMED = /^rivulet\.[a-z-]+\.\d+\.events\./;
/** For what came out of files: it has no subject of its own to go back to. */
const RETRY_SUBJECT = `${PREFIX}retry`;

export async function retryDeadLetters(id: string | undefined, options: RetryOptions): Promise<void> {
  checkUsage(id, options);
  const replacement = replacementOf(options);
  const changes = (options.set ?? []).map(changeOf);
  const { config } = settingsOf(options);
  const outcomes = await withLog(config, 'dlq', async (log) => {
    const queue = new DeadLetterQueue(log);
    const records = id === undefined ? await allOf(queue, options) : [await one(queue, id, options)];
    const done: Retried[] = [];
    for (const record of records) {
      try {
        done.push(await retry(log, queue, record, replacement ?? mended(record, changes)));
      } catch (error) {
        // Of many, one that cannot be sent keeps no other back.
        if (id !== undefined) throw error;
        done.push({ id: record.id, error: asError(error).message });
      }
    }
    return done;
  });
  report(outcomes, options);
}

function checkUsage(id: string | undefined, { all, rule, data, dataFile, set = [] }: RetryOptions): void {
  if ((id === undefined) === (all === undefined))
    throw usage('give the id of one dead letter, or --all', 'rivulet dlq ls lists them');
  if (id !== undefined && rule !== undefined) throw usage('--rule goes with --all');
  if (all === true && (data ?? dataFile) !== undefined)
    throw usage('--data is for one dead letter, not for --all', 'mend many alike with --set field=value');
  if ((data ?? dataFile) !== undefined && set.length > 0) throw usage('give --set or --data, not both');
}

function replacementOf({ data, dataFile }: RetryOptions): Uint8Array | undefined {
  if (data !== undefined) return Buffer.from(data);
  if (dataFile === undefined) return undefined;
  try {
    return readFileSync(dataFile);
  } catch (error) {
    throw usage(`cannot read ${dataFile}: ${asError(error).message}`);
  }
}

/** `price=12.5` sets a number, `brand=acme` a text, `brand=null` nothing. */
function changeOf(text: string): readonly [field: string, value: unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw usage(`--set ${text}: give field=value, as in --set price=12.5`);
  const [field, value] = [text.slice(0, at), text.slice(at + 1)];
  try {
    return [field, JSON.parse(value) as unknown];
  } catch {
    return [field, value];
  }
}

async function one(queue: DeadLetterQueue, id: string, { again }: RetryOptions): Promise<DeadLetter> {
  const record = await queue.find(id);
  if (record.retriedAtMs === undefined || again === true) return record;
  throw fatal('DEAD_LETTER_RETRIED', `${id} was retried already, ${instant(record.retriedAtMs)}`, {
    hint: 'send it once more with --again',
  });
}

/** Oldest first, as they came. */
async function allOf(queue: DeadLetterQueue, { rule, again }: RetryOptions): Promise<DeadLetter[]> {
  const records = await queue.newest(
    Infinity,
    (record) => (rule === undefined || record.rule === rule) && (again === true || record.retriedAtMs === undefined),
  );
  return records.reverse();
}

function mended(record: DeadLetter, changes: readonly (readonly [string, unknown])[]): Uint8Array {
  const { id, original, file } = record;
  const text = asPlainText(original);
  const event = text === undefined ? undefined : jsonObject(text);
  if (changes.length === 0) {
    if (file === undefined || event !== undefined) return original;
    throw usage(
      `${id} is a row of ${file}, which says nothing without its header`,
      'give the mended event with --data',
    );
  }
  if (event !== undefined) return Buffer.from(JSON.stringify(Object.assign(event, Object.fromEntries(changes))));
  throw usage(`${id} is no JSON object in which a field could be set`, 'give the mended event with --data');
}

function jsonObject(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function retry(log: Log, queue: DeadLetterQueue, record: DeadLetter, data: Uint8Array): Promise<Retried> {
  const subject = subjectFor(record);
  await log.publish(subject, data);
  // A crash in between leaves it unmarked: it may be sent twice, it is never lost.
  await queue.markRetried(record);
  return { id: record.id, subject };
}

function subjectFor({ id, subject, file }: DeadLetter): string {
  if (file !== undefined) return RETRY_SUBJECT;
  const published = subject.replace(TRANSFORMED, PREFIX);
  if (published.startsWith(PREFIX) || published.startsWith(ITEMS_PREFIX)) return published;
  throw fatal(
    'DEAD_LETTER_INTERNAL',
    `${id} is a message between stages (${subject}), not an event or an item that was published`,
    {
      hint: 'it shows a bug: report it, with the output of rivulet dlq show',
    },
  );
}

function report(outcomes: readonly Retried[], { json }: RetryOptions): void {
  const failed = outcomes.filter(({ error }) => error !== undefined);
  if (json === true) process.stdout.write(`${JSON.stringify(outcomes, undefined, 2)}\n`);
  else if (outcomes.length === 0) process.stdout.write('Nothing to retry.\n');
  else {
    for (const { id, subject, error } of outcomes) {
      process.stdout.write(error === undefined ? `${id}  sent again on ${subject}\n` : `${id}  not sent: ${error}\n`);
    }
  }
  if (failed.length > 0) process.exitCode = 1;
}
