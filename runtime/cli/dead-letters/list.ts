/** `rivulet dlq ls` and `show`. */
import { type DeadLetter, DeadLetterQueue, originalText } from '../../dead-letters/queue.js';
import { withLog } from '../nats-link.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped, harmless, instant, shortened, table } from '../terminal.js';

export interface ListOptions extends SettingOptions {
  readonly limit: number;
  readonly rule?: string;
  readonly json?: true;
}

export interface ShowOptions extends SettingOptions {
  readonly json?: true;
}

const REASON_CHARACTERS_MIN = 40;

export async function listDeadLetters(options: ListOptions): Promise<void> {
  const { limit, rule, json } = options;
  const { config } = settingsOf(options);
  const records = await withLog(config, 'dlq', (log) => new DeadLetterQueue(log).newest(limit, { rule }));
  if (json === true) process.stdout.write(`${JSON.stringify(records.map(asJson), undefined, 2)}\n`);
  else if (records.length === 0)
    process.stdout.write(rule === undefined ? 'No dead letters.\n' : `No dead letters of the rule ${rule}.\n`);
  else process.stdout.write(`${asTable(records)}\n\nAll of one: rivulet dlq show ${records[0]!.id}\n`);
}

export async function showDeadLetter(id: string, options: ShowOptions): Promise<void> {
  const { config } = settingsOf(options);
  const record = await withLog(config, 'dlq', (log) => new DeadLetterQueue(log).find(id));
  process.stdout.write(
    options.json === true ? `${JSON.stringify(asJson(record), undefined, 2)}\n` : `${asText(record)}\n`,
  );
}

function asTable(records: readonly DeadLetter[]): string {
  const rows = records.map(({ id, storedAtMs, rule, field, reason, retriedAtMs }) => [
    ...[id, instant(storedAtMs), harmless(rule), harmless(field ?? '–')],
    ...[retriedAtMs === undefined ? 'no' : instant(retriedAtMs), harmless(reason)],
  ]);
  const taken = [0, 1, 2, 3, 4].reduce((sum, c) => sum + 2 + Math.max(5, ...rows.map((row) => row[c]!.length)), 0);
  const { isTTY, columns } = process.stdout;
  const room = isTTY ? Math.max(REASON_CHARACTERS_MIN, columns - taken) : Infinity;
  const header = ['ID', 'STORED', 'RULE', 'FIELD', 'RETRIED', 'REASON'];
  return table(
    header,
    rows.map((row) => [...row.slice(0, 5), shortened(row[5]!, room)]),
  );
}

function asText(record: DeadLetter): string {
  const { id, original, subject, sequence, file, line, index, stage, rule, field, reason, storedAtMs, retriedAtMs } =
    record;
  const place = index > 0 ? `, event ${index + 1} of it` : '';
  const facts: [string, string | undefined][] = [
    ['id', id],
    ['stored', instant(storedAtMs)],
    ['from', `${subject}, message ${grouped(sequence)}${place}`],
    ['file', file === undefined ? undefined : `${file}, line ${line ?? '?'}`],
    ['stage', stage],
    ['rule', rule],
    ['field', field],
    ['reason', reason],
    ['retried', retriedAtMs === undefined ? 'no' : instant(retriedAtMs)],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(8)} ${harmless(value)}`]));
  const text = asPlainText(original);
  const body = text ?? hexdump(original);
  return [
    ...lines,
    '',
    `original, ${grouped(original.length)} bytes${text === undefined ? ', not text' : ''}:`,
    body,
  ].join('\n');
}

function asJson({ original, originalBytes, storedAtMs, retriedAtMs, ...rest }: DeadLetter): object {
  return {
    ...rest,
    stored_at: new Date(storedAtMs).toISOString(),
    retried_at: retriedAtMs === undefined ? null : new Date(retriedAtMs).toISOString(),
    // A list shows the beginning of each; `dlq show` prints one in full.
    original_bytes: originalBytes,
    original_text: asPlainText(original) ?? null,
    original_base64: Buffer.from(original).toString('base64'),
  };
}

/** `undefined` if it is not UTF-8 text, or would move the cursor. */
export function asPlainText(original: Uint8Array): string | undefined {
  const text = originalText({ original });
  const moves = text !== undefined && /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text.replaceAll('\r\n', '\n'));
  return moves ? undefined : text;
}

/** Offset, 16 bytes, and their printable ASCII. */
export function hexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}
