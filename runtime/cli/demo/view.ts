/** The demo's figures as text: a page that is redrawn every second, or a line now and then without a terminal. */
import type { Figures, ListRow } from './figures.js';
import type { Subject } from './subjects.js';
import { type PageLine, type PageSize, rowsOf } from '../screen.js';
import { duration, grouped, harmless, instant, shortened } from '../terminal.js';

export interface Place {
  readonly subject: Subject;
  readonly nats: string;
  readonly natsVersion: string;
  readonly grpc: string;
  /** `http://127.0.0.1:8080` */
  readonly http: string;
  readonly dataDir: string;
  /** The configured distance of the watermark from the newest event. */
  readonly watermarkDelayMs: number;
  /** Events of earlier runs. */
  readonly resumedEvents: number;
  /** The latest event of the node: a nats-server that died, a restart. */
  readonly news: () => string | undefined;
}

const BAR_WIDTH = 24;
const NAME_WIDTH = 14;
/** Lines that the list takes when it is full, with its title. */
const LIST_ROWS = 7;

/** Spacious if the terminal has room, else as short as possible. */
export function page(
  figures: Figures,
  place: Place,
  commands: readonly string[],
  { columns, rows }: PageSize,
): PageLine[] {
  const [cut, whole] = [(text: string): PageLine => ({ text }), (text: string): PageLine => ({ text, whole: true })];
  const head = `Rivulet demo   up ${duration(figures.upMs)}   page ${place.http}   gRPC ${place.grpc}   NATS ${place.nats}   data in ${place.dataDir}`;
  const tries = commands.map((command) => whole(`    ${command}`));
  const triesRows = tries.reduce((sum, { text }) => sum + rowsOf(text, columns), 0);
  const facts = factsOf(figures, place);
  const bars = barsOf(figures.busiest);
  const list = listOf(figures, place.subject);
  const isAiry = facts.length + bars.length + LIST_ROWS + triesRows + 10 <= rows;
  const gap = isAiry ? [cut('')] : [];
  return [
    ...[cut(head), ...gap, ...facts.map(cut), ...gap],
    ...(isAiry
      ? [`  Busiest ${place.subject.groups}, last minute`, ...bars]
      : [`  busiest     ${busiestOf(figures)}`]
    ).map(cut),
    ...[...gap, ...list.map(cut), ...gap],
    ...[cut('  Try, in another terminal'), ...tries, ...gap],
    cut('  Ctrl-C stops it; the next start goes on from here.'),
  ];
}

function factsOf(figures: Figures, place: Place): string[] {
  const { late, deadLetters, duplicates, restarts, running, instances, lastError } = figures;
  const news = place.news();
  const resumed = place.resumedEvents > 0 ? `, ${grouped(place.resumedEvents)} before this start` : '';
  return [
    `  events      ${grouped(figures.rate)} per second, ${grouped(figures.events)} so far${resumed}`,
    `              late ${grouped(late)}   dead letters ${grouped(deadLetters)}   duplicates ${grouped(duplicates)}`,
    `  stages      ${running} of ${instances} run   restarts ${restarts}${lastError === undefined ? '' : `   last: ${harmless(lastError)}`}`,
    `  event time  ${watermark(figures, place)}`,
    `  latency     ${latency(figures)}`,
    ...(news === undefined ? [] : [`  news        ${harmless(news)}`]),
  ];
}

const busiestOf = ({ busiest }: Figures): string =>
  busiest.map(([name, share]) => `${harmless(name)} ${(share * 100).toFixed(0)} %`).join(', ');

/** For a log, a pipe, a CI run. */
export function line(figures: Figures, subject: Subject): string {
  const { nowMs, events, rate, late, deadLetters, duplicates, restarts } = figures;
  return [
    new Date(nowMs).toISOString().slice(11, 19),
    `events ${grouped(events)} (${grouped(rate)}/s)`,
    `late ${grouped(late)}`,
    `dead letters ${grouped(deadLetters)}`,
    `duplicates ${grouped(duplicates)}`,
    `restarts ${restarts}`,
    `latency ${latency(figures)}`,
    topOf(figures, subject),
  ].join('  ');
}

function watermark({ watermarkMs, nowMs }: Figures, { watermarkDelayMs }: Place): string {
  if (watermarkMs === undefined) return 'no watermark yet';
  const behind = nowMs - watermarkMs;
  return `watermark ${instant(watermarkMs)}, ${duration(behind)} ago (delay ${duration(watermarkDelayMs)})`;
}

function latency({ latency: { p50Ms, p99Ms, count } }: Figures): string {
  if (count === 0) return 'nothing measured yet';
  return `event to list p50 ${duration(p50Ms)}, p99 ${duration(p99Ms)}`;
}

function barsOf(busiest: Figures['busiest']): string[] {
  const most = busiest[0]?.[1] ?? 1;
  return busiest.map(([name, share]) => {
    const bar = '█'.repeat(Math.max(1, Math.round((share / most) * BAR_WIDTH)));
    return `    ${harmless(name).padEnd(NAME_WIDTH)} ${bar.padEnd(BAR_WIDTH)} ${(share * 100).toFixed(0).padStart(3)} %`;
  });
}

const nameOf = ({ itemId, title }: ListRow, { showsTitles }: Subject): string =>
  showsTitles ? (title ?? itemId) : itemId;

function listOf({ user, list }: Figures, subject: Subject): string[] {
  const { presence, widths } = subject;
  if (user === undefined) return ['  Recommendations: as soon as someone does something'];
  const rows = list.map((row) => {
    const { rank, category = '–', score } = row;
    const texts = [nameOf(row, subject), category];
    const cells = texts.map((text, i) => shortened(harmless(text), widths[i]!).padEnd(widths[i]!));
    return `    ${String(rank).padStart(2)}  ${cells.join(' ')} ${score.toPrecision(3).padStart(8)}  ${moved(row)}`.trimEnd();
  });
  return [`  Recommendations of ${harmless(user)}, ${presence}`, ...rows];
}

function moved({ rank, before }: ListRow): string {
  if (before === undefined) return '';
  if (before === 0) return 'new';
  return before > rank ? `up from ${before}` : `down from ${before}`;
}

const topOf = ({ user, list }: Figures, subject: Subject): string =>
  user === undefined || list.length === 0
    ? ''
    : `${harmless(user)}: ${list
        .slice(0, 3)
        .map((row) => harmless(nameOf(row, subject)))
        .join(', ')}`;
