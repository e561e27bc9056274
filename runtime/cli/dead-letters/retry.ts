/** `rivulet dlq retry`: publishes refused events and items again, as a publisher would, and marks them. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../contract/clock.js';
import type { Change } from '../../dead-letters/change.js';
import { type DeadLetter, DeadLetterQueue, type Sent } from '../../dead-letters/queue.js';
import { asError, hasCode } from '../../contract/errors.js';
import { usage } from '../exit.js';
import { withLog } from '../nats-link.js';
import { meantBy } from './set-value.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { harmless } from '../terminal.js';

export interface RetryOptions extends SettingOptions {
  readonly all?: true;
  readonly rule?: string;
  readonly again?: true;
  readonly data?: string;
  readonly dataFile?: string;
  readonly set?: readonly string[];
  readonly json?: true;
}

interface Retried {
  readonly id: string;
  readonly subject?: string;
  readonly error?: string;
  /** Set if a node has refused it again. */
  readonly refused_again?: Pick<DeadLetter, 'id' | 'rule' | 'reason'>;
}

interface Tried {
  readonly id: string;
  readonly sent?: Sent;
  readonly error?: string;
}

/** A running node refuses within this time; no refusal may also mean that no node runs, or that it is busy. */
const REFUSED_WITHIN_MS = 2_000;
const POLL_MS = 100;
/** The newest refusals; in a larger batch some may not be among them. */
const REFUSALS_READ = 200;
const ITEMS = /^rivulet\.items\./;

export async function retryDeadLetters(id: string | undefined, options: RetryOptions): Promise<void> {
  checkUsage(id, options);
  const change = changeOf(options);
  const { config } = settingsOf(options);
  const outcomes = await withLog(config, 'dlq', async (log) => {
    const queue = new DeadLetterQueue(log);
    const records = id === undefined ? await allOf(queue, options) : [await queue.find(id)];
    const tried: Tried[] = [];
    for (const record of records) {
      try {
        const full = id === undefined ? await queue.find(record.id) : record;
        tried.push({ id: record.id, sent: await queue.retry(full, change, { again: options.again === true }) });
      } catch (error) {
        // In a batch, one that cannot be sent does not stop the others.
        if (id !== undefined) throw explained(error);
        tried.push({ id: record.id, error: asError(error).message });
      }
    }
    return outcomesOf(queue, tried);
  });
  report(outcomes, options);
}

/** Waits briefly for refusals by a node. */
async function outcomesOf(queue: DeadLetterQueue, tried: readonly Tried[]): Promise<Retried[]> {
  const untilMs = systemClock.nowMs() + REFUSED_WITHIN_MS;
  for (;;) {
    const { records: refused } = await queue.page({ limit: REFUSALS_READ });
    const outcomes = tried.map(({ id, sent, error }): Retried => {
      if (sent === undefined) return { id, error: error! };
      const again = refused.find(
        ({ sequence, stage }) => sequence === sent.sequence && (stage === 'parse-items') === ITEMS.test(sent.subject),
      );
      if (again === undefined) return { id, subject: sent.subject };
      return { id, subject: sent.subject, refused_again: { id: again.id, rule: again.rule, reason: again.reason } };
    });
    const open = outcomes.filter((one) => one.error === undefined && one.refused_again === undefined);
    if (open.length === 0 || systemClock.nowMs() >= untilMs) return outcomes;
    await systemClock.sleep(POLL_MS);
  }
}

function checkUsage(id: string | undefined, { all, rule, data, dataFile, set = [] }: RetryOptions): void {
  if ((id === undefined) === (all === undefined))
    throw usage('give the id of one dead letter, or --all', 'rivulet dlq ls lists them');
  if (id !== undefined && rule !== undefined) throw usage('--rule goes with --all');
  if (all === true && (data ?? dataFile) !== undefined)
    throw usage('--data is for one dead letter, not for --all', 'correct many at once with --set field=value');
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
  const records = await queue.newest(Infinity, { rule, retried: again === true ? undefined : false });
  return records.reverse();
}

/** The queue explains the problem; the fix is given as options of this command. */
function explained(error: unknown): unknown {
  const isChange = hasCode(error, 'DEAD_LETTER_CHANGE');
  return isChange ? usage(error.message, 'give the corrected event with --data') : error;
}

function report(outcomes: readonly Retried[], { json }: RetryOptions): void {
  const failed = outcomes.filter((one) => (one.error ?? one.refused_again) !== undefined);
  if (json === true) process.stdout.write(`${JSON.stringify(outcomes, undefined, 2)}\n`);
  else if (outcomes.length === 0) process.stdout.write('Nothing to retry.\n');
  else {
    for (const { id, subject, error, refused_again: again } of outcomes) {
      const end = again === undefined ? '' : `, and refused again as ${again.id}: ${harmless(again.reason)}`;
      process.stdout.write(`${id}  ${error === undefined ? `sent again on ${subject}${end}` : `not sent: ${error}`}\n`);
    }
  }
  if (failed.length > 0) process.exitCode = 1;
}
