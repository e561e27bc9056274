/** The trending list as text, as JSON, and as a page that marks changes. */
import type { TrendingUpdate } from '../../../connectors/grpc/client/client.js';
import type { PageLine } from '../screen.js';
import { grouped, harmless, instant, table } from '../terminal.js';

/** By their names on the command line. */
export const WINDOWS = { '1h': 'hour', '24h': 'day', 'last-hour': 'last-hour' } as const;

/** The requested list. */
export interface Listing {
  readonly window: keyof typeof WINDOWS;
  readonly ranking: string;
  readonly category: string | undefined;
}

/** How long a change is marked. */
const MARK_MS = 6_000;

interface Passing {
  readonly text: string;
  readonly untilMs: number;
}

const NO_NEWS: Passing = { text: '', untilMs: -Infinity };

/** The newest list, with marks of recent changes and the state of the connection. */
export class Board {
  latest: TrendingUpdate | undefined;
  private readonly marks = new Map<string, Passing>();
  private news = NO_NEWS;

  take(update: TrendingUpdate, nowMs: number): void {
    this.latest = update;
    // The node responds again.
    this.news = NO_NEWS;
    const untilMs = nowMs + MARK_MS;
    for (const itemId of update.left) this.marks.delete(itemId);
    for (const itemId of update.entered) this.marks.set(itemId, { text: 'new', untilMs });
    for (const { itemId, from, to } of update.moved) {
      this.marks.set(itemId, { text: to < from ? `▲ ${from - to}` : `▼ ${to - from}`, untilMs });
    }
  }

  /** Shown until the next attempt is due; if that fails, there is a newer message. */
  tell(text: string, nowMs: number, retryMs: number): void {
    this.news = { text, untilMs: nowMs + retryMs + MARK_MS };
  }

  markOf(itemId: string, nowMs: number): string {
    return textAt(this.marks.get(itemId), nowMs);
  }

  newsAt(nowMs: number): string {
    return textAt(this.news, nowMs);
  }
}

const textAt = (passing: Passing | undefined, nowMs: number): string =>
  passing === undefined || passing.untilMs <= nowMs ? '' : passing.text;

/** With `markOf`: a column with the marks. */
export function textOf(listing: Listing, update: TrendingUpdate, markOf?: (itemId: string) => string): string {
  const { items, asOfMs } = update;
  const head = headOf(listing, update);
  if (items.length === 0) {
    const why =
      asOfMs === undefined ? 'Nothing yet: the node has not seen an event.' : 'Nothing: no item is in this list.';
    return `${head}\n\n${why}`;
  }
  const hasTitles = items.some(({ title }) => title !== undefined);
  const rows = items.map(({ rank, itemId, title, category, score, views, clicks, velocity }) => [
    ...[String(rank), ...(markOf ? [markOf(itemId)] : []), harmless(itemId)],
    ...[...(hasTitles ? [harmless(title ?? '')] : []), harmless(category ?? '–')],
    ...[decimal(score), grouped(views), grouped(clicks), `${velocity > 0 ? '+' : ''}${decimal(velocity)}`],
  ]);
  const header = ['#', ...(markOf ? ['MOVE'] : []), 'ITEM', ...(hasTitles ? ['TITLE'] : [])];
  header.push('CATEGORY', 'SCORE', 'VIEWS', 'CLICKS', 'VELOCITY');
  const first = header.indexOf('SCORE');
  return `${head}\n\n${table(header, rows, new Set([0, first, first + 1, first + 2, first + 3]))}`;
}

/** The list with the marks of its own change, for output that is appended, not redrawn. */
export function changeOf(listing: Listing, update: TrendingUpdate): string {
  const board = new Board();
  board.take(update, 0);
  return textOf(listing, update, (itemId) => board.markOf(itemId, 0));
}

export function pageOf(listing: Listing, board: Board, nowMs: number): PageLine[] {
  if (board.latest === undefined) return [];
  const text = textOf(listing, board.latest, (itemId) => board.markOf(itemId, nowMs));
  return [...text.split('\n'), '', harmless(board.newsAt(nowMs)), 'Ctrl-C ends it.'].map((line) => ({ text: line }));
}

const decimal = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));

function headOf({ window, ranking, category }: Listing, { window: span, asOfMs }: TrendingUpdate): string {
  const of = category === undefined ? '' : ` in ${harmless(category)}`;
  const since = span === undefined ? `, ${window}` : ` since ${instant(span.startMs)}`;
  return `Trending${of}${since}, by ${ranking}   as of ${instant(asOfMs)}`;
}

/** As JSON, for programs. */
export function listOf({ window, ranking, category }: Listing, update: TrendingUpdate): object {
  const { revision, asOfMs, window: span, items } = update;
  return {
    ...{ window, ranking, category: category ?? null, revision, as_of: isoOf(asOfMs) },
    ...{ window_start: isoOf(span?.startMs), window_end: isoOf(span?.endMs) },
    items: items.map(({ itemId, rank, score, views, clicks, category: of, velocity, title, brand, price }) => ({
      ...{ item_id: itemId, rank, score, views, clicks, category: of, velocity, title, brand, price },
    })),
  };
}

/** The list and its changes, as one line of JSON. */
export function lineOf(listing: Listing, update: TrendingUpdate): string {
  const { entered, left } = update;
  const moved = update.moved.map(({ itemId, from, to }) => ({ item_id: itemId, from, to }));
  return JSON.stringify({ ...listOf(listing, update), entered, moved, left });
}

const isoOf = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
