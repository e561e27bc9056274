/** The demo's figures as text: a page that is drawn anew every second, or a line now and then where there is no terminal. */
import type { Figures, ListRow } from './demo-figures.js';
import { duration, grouped, harmless, instant } from './terminal.js';

export interface Place {
  readonly nats: string;
  readonly natsVersion: string;
  readonly grpc: string;
  readonly dataDir: string;
  /** How far behind the newest event the watermark is meant to be. */
  readonly watermarkDelayMs: number;
  /** Of earlier runs. */
  readonly resumedEvents: number;
}

const BAR_WIDTH = 24;
const NAME_WIDTH = 14;

export function page(figures: Figures, place: Place, commands: readonly string[]): string[] {
  const { late, deadLetters, duplicates, restarts, running, instances, lastError } = figures;
  const counts = `late ${grouped(late)}   dead letters ${grouped(deadLetters)}   duplicates ${grouped(duplicates)}`;
  const resumed = place.resumedEvents > 0 ? `, ${grouped(place.resumedEvents)} of them before this start` : '';
  return [
    `Rivulet demo   up ${duration(figures.upMs)}   gRPC ${place.grpc}   NATS ${place.natsVersion} at ${place.nats}   data in ${place.dataDir}`,
    '',
    `  events      ${grouped(figures.rate)} per second, ${grouped(figures.events)} in all${resumed}`,
    `              ${counts}`,
    `  stages      ${running} of ${instances} run   restarts ${restarts}${lastError === undefined ? '' : `   last: ${harmless(lastError)}`}`,
    `  event time  ${watermark(figures, place)}`,
    `  latency     ${latency(figures)}`,
    '',
    '  Busiest categories, last minute',
    ...bars(figures.busiest),
    '',
    ...listOf(figures),
    '',
    '  Try, in another terminal',
    ...commands.map((command) => `    ${command}`),
    '',
    '  Ctrl-C stops it; the next start goes on from here.',
  ];
}

/** For a log, a pipe, a CI run. */
export function line(figures: Figures): string {
  const { nowMs, events, rate, late, deadLetters, duplicates, restarts } = figures;
  return [
    new Date(nowMs).toISOString().slice(11, 19),
    `events ${grouped(events)} (${grouped(rate)}/s)`,
    `late ${grouped(late)}`,
    `dead letters ${grouped(deadLetters)}`,
    `duplicates ${grouped(duplicates)}`,
    `restarts ${restarts}`,
    `latency ${latency(figures)}`,
    topOf(figures),
  ].join('  ');
}

function watermark({ watermarkMs, nowMs }: Figures, { watermarkDelayMs }: Place): string {
  if (watermarkMs === undefined) return 'no watermark yet';
  const behind = nowMs - watermarkMs;
  return `watermark ${instant(watermarkMs)}, ${duration(behind)} ago (it waits ${duration(watermarkDelayMs)} for late events)`;
}

function latency({ latency: { p50Ms, p99Ms, count } }: Figures): string {
  if (count === 0) return 'nothing measured yet';
  return `event to list p50 ${duration(p50Ms)}, p99 ${duration(p99Ms)}`;
}

function bars(busiest: Figures['busiest']): string[] {
  const most = busiest[0]?.[1] ?? 1;
  return busiest.map(([name, share]) => {
    const bar = '█'.repeat(Math.max(1, Math.round((share / most) * BAR_WIDTH)));
    return `    ${harmless(name).padEnd(NAME_WIDTH)} ${bar.padEnd(BAR_WIDTH)} ${(share * 100).toFixed(0).padStart(3)} %`;
  });
}

function listOf({ user, list }: Figures): string[] {
  if (user === undefined) return ['  Recommendations: as soon as someone does something'];
  const rows = list.map((row) => {
    const { rank, itemId, category, score } = row;
    const name = `${harmless(itemId).padEnd(NAME_WIDTH)} ${harmless(category ?? '–').padEnd(NAME_WIDTH)}`;
    return `    ${String(rank).padStart(2)}  ${name} ${score.toPrecision(3).padStart(8)}  ${moved(row)}`.trimEnd();
  });
  return [`  Recommendations of ${harmless(user)}, who is in the shop now`, ...rows];
}

function moved({ rank, before }: ListRow): string {
  if (before === undefined) return '';
  if (before === 0) return 'new';
  return before > rank ? `up from ${before}` : `down from ${before}`;
}

const topOf = ({ user, list }: Figures): string =>
  user === undefined || list.length === 0 ? '' : `${harmless(user)}: ${list.slice(0, 3).map(({ itemId }) => harmless(itemId)).join(', ')}`;
