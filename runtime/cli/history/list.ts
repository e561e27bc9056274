/** `rivulet history ls`: what the history holds, by day of event time. */
import { EVENT_TYPES } from '../../../actors/model.js';
import { withLog } from '../nats-link.js';
import { historyProgress } from '../progress.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { bytesText, grouped, table } from '../terminal.js';
import { type HistoryFrame, historyPieces } from '../../training/history.js';

export interface HistoryListOptions extends SettingOptions {
  readonly from?: number;
  readonly to?: number;
  readonly json?: true;
}

const DAY_MS = 86_400_000;

interface Day {
  events: number;
  duplicates: number;
  /** By code of the event type. */
  readonly byType: number[];
}

export async function listHistory({ from, to, json, ...options }: HistoryListOptions): Promise<void> {
  const { config } = settingsOf(options);
  const progress = historyProgress('events');
  const days = new Map<number, Day>();
  let [count, bytes, rows] = [0, 0, 0];
  try {
    await withLog(config, 'history', async (log) => {
      for await (const piece of historyPieces(log, { from, to }, progress.signal)) {
        addTo(days, piece.events);
        bytes += piece.bytes;
        rows += piece.rows;
        progress.update(piece.share, (count += piece.events.rows));
      }
    });
  } finally {
    progress.end();
  }
  const sorted = [...days].sort(([a], [b]) => a - b).map(([day, counts]) => ({ day: dayText(day), ...counts }));
  if (json === true) {
    const asJson = sorted.map(({ byType, ...day }) => ({
      ...day,
      types: Object.fromEntries(EVENT_TYPES.map((type, code) => [type, byType[code]!])),
    }));
    process.stdout.write(`${JSON.stringify({ events: count, bytes, days: asJson }, undefined, 2)}\n`);
    return;
  }
  if (count === 0) {
    process.stdout.write(
      rows === 0
        ? 'No events. They reach the history some ten seconds after they were accepted.\n'
        : `No events of these times; all of the history: ${grouped(rows)} in ${bytesText(bytes)}\n`,
    );
    return;
  }
  const used = EVENT_TYPES.map((type, code) => ({ type, code })).filter(({ code }) =>
    sorted.some(({ byType }) => byType[code]! > 0),
  );
  const header = ['DAY', 'EVENTS', 'DUPLICATES', ...used.map(({ type }) => type.toUpperCase())];
  const lines = sorted.map(({ day, events, duplicates, byType }) => [
    day,
    ...[events, duplicates, ...used.map(({ code }) => byType[code]!)].map(grouped),
  ]);
  const right = new Set(header.keys());
  right.delete(0);
  process.stdout.write(
    `${table(header, lines, right)}\n\n${grouped(count)} events; all of the history: ${grouped(rows)} in ${bytesText(bytes)}\n`,
  );
}

function addTo(days: Map<number, Day>, { rows, columns: { time, type, duplicate } }: HistoryFrame): void {
  for (let row = 0; row < rows; row++) {
    const number = Math.floor(time[row]! / DAY_MS);
    let day = days.get(number);
    if (day === undefined) days.set(number, (day = { events: 0, duplicates: 0, byType: EVENT_TYPES.map(() => 0) }));
    day.events++;
    day.duplicates += duplicate[row]!;
    day.byType[type[row]!]!++;
  }
}

const dayText = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
