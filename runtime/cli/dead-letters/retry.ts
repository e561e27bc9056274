/** `rivulet dlq retry`: sends refused events, and items, again, as a publisher would, and marks them. */
import { readFileSync } from 'node:fs';
import type { Change } from '../../dead-letters/change.js';
import { type DeadLetter, DeadLetterQueue } from '../../dead-letters/queue.js';
import { asError, RivuletError } from '../../contract/errors.js';
import type { RetryOptions } from '../commands/jobs.js';
import { usage } from '../exit.js';
import { withLog } from '../nats-link.js';
import { meantBy } from './set-value.js';
import { settingsOf } from '../settings.js';

interface Retried {
  readonly id: string;
  readonly subject?: string;
  readonly error?: string;
}

export async function retryDeadLetters(id: string | undefined, options: RetryOptions): Promise<void> {
  checkUsage(id, options);
  const change = changeOf(options);
  const { config } = settingsOf(options);
  const outcomes = await withLog(config, 'dlq', async (log) => {
    const queue = new DeadLetterQueue(log);
    const records = id === undefined ? await allOf(queue, options) : [await queue.find(id)];
    const done: Retried[] = [];
    for (const record of records) {
      try {
        done.push({ id: record.id, subject: await queue.retry(record, change, { again: options.again === true }) });
      } catch (error) {
        // Of many, one that cannot be sent keeps no other back.
        if (id !== undefined) throw explained(error);
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

function changeOf(options: RetryOptions): Change {
  const data = replacementOf(options);
  if (data !== undefined) return { kind: 'event', data };
  if (options.set === undefined) return { kind: 'none' };
  return { kind: 'set', fields: Object.fromEntries(options.set.map(fieldOf)) };
}

function fieldOf(text: string): readonly [field: string, value: unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw usage(`--set ${text}: give field=value, as in --set price=12.5`);
  return [text.slice(0, at), meantBy(text.slice(at + 1))];
}

/** Oldest first, as they came. */
async function allOf(queue: DeadLetterQueue, { rule, again }: RetryOptions): Promise<DeadLetter[]> {
  const records = await queue.newest(
    Infinity,
    (record) => (rule === undefined || record.rule === rule) && (again === true || record.retriedAtMs === undefined),
  );
  return records.reverse();
}

/** The queue says what is wrong; how to do better is said in the words of this command line. */
function explained(error: unknown): unknown {
  const isChange = error instanceof RivuletError && error.code === 'DEAD_LETTER_CHANGE';
  return isChange ? usage(error.message, 'give the mended event with --data') : error;
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
