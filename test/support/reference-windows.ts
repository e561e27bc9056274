/** The watermark, lateness and windows of the reference model (rules R1 to R6 there). Imports its types only. */
import type {
  ReferenceEvent,
  ReferenceLateEvent,
  ReferenceOptions,
  ReferenceResult,
  ReferenceWindowKind,
  ReferenceWindowRow,
} from './reference-model.js';

const MINUTE_MS = 60_000;

interface OpenRow {
  readonly event: ReferenceEvent;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** The last epoch that counted an event here. */
  readonly touched: number;
}

export function referenceWindows(
  epochs: readonly (readonly ReferenceEvent[])[],
  options: ReferenceOptions,
): Pick<ReferenceResult, 'late' | 'windowRows'> {
  const { windowMs = 5 * MINUTE_MS, delayMs = 10 * MINUTE_MS, allowedLatenessMs = 0 } = options;
  const kind = options.windowKind ?? 'tumbling';
  const isSession = kind !== 'tumbling' && 'session' in kind;
  checkWindows(windowMs, kind);

  const late: ReferenceLateEvent[] = [];
  const windowRows: ReferenceResult['windowRows'][number][] = [];
  const open = new Map<string, OpenRow[]>(); // by the row key without the window
  let watermark = -Infinity; // W(n)
  let closedUpTo = -Infinity; // W(n − 1)

  epochs.forEach((events, epoch) => {
    for (const event of events.map(withoutEmpty)) {
      const stillOpen = windowsOf(event.time, windowMs, kind).filter(([, end]) => end + allowedLatenessMs > closedUpTo);
      if (stillOpen.length === 0) late.push({ epoch, ...event });
      const key = rowKey(event);
      for (const [start, end] of stillOpen) {
        const added = { event, start, end, count: 1, touched: epoch };
        open.set(key, countIn(open.get(key) ?? [], added, isSession));
      }
    }

    const all = [...open.values()].flat();
    const update = all.filter((row) => row.touched === epoch);
    const append = all.filter((row) => row.end + allowedLatenessMs <= watermark);
    windowRows.push({
      update: update.map((row) => windowRow(epoch, row)),
      append: append.map((row) => windowRow(epoch, row)),
    });

    const closing = new Set(append);
    for (const [key, rows] of open) {
      const kept = rows.filter((row) => !closing.has(row));
      if (kept.length === 0) open.delete(key);
      else open.set(key, kept);
    }
    closedUpTo = watermark;
    for (const event of events) watermark = Math.max(watermark, event.time - delayMs);
  });
  return { late, windowRows };
}

/** The windows that an event at `time` belongs to, as [start, end); a session is as yet the event alone. */
function windowsOf(time: number, windowMs: number, kind: ReferenceWindowKind): [start: number, end: number][] {
  if (kind !== 'tumbling' && 'session' in kind) return [[time, time + kind.session]];
  const slideMs = kind === 'tumbling' ? windowMs : kind.hopping;
  const windows: [number, number][] = [];
  for (let start = Math.floor(time / slideMs) * slideMs; start + windowMs > time; start -= slideMs) {
    windows.push([start, start + windowMs]);
  }
  return windows;
}

/** Rows of one key plus one event: into the row of the same window, or, for sessions, into every row that it overlaps. */
function countIn(rows: readonly OpenRow[], added: OpenRow, isSession: boolean): OpenRow[] {
  const meets = (row: OpenRow): boolean =>
    isSession ? row.start < added.end && added.start < row.end : row.start === added.start;
  const merged = [...rows.filter(meets), added];
  return [
    ...rows.filter((row) => !meets(row)),
    {
      event: added.event,
      start: Math.min(...merged.map((row) => row.start)),
      end: Math.max(...merged.map((row) => row.end)),
      count: merged.reduce((sum, row) => sum + row.count, 0),
      touched: added.touched,
    },
  ];
}

function windowRow(epoch: number, { event, start, end, count }: OpenRow): ReferenceWindowRow {
  const { user, item, type, category, brand, price } = event;
  const row = { epoch, windowStart: start, windowEnd: end, user, item, type, category, brand, price, count };
  return withoutEmpty(row as ReferenceWindowRow);
}

function checkWindows(windowMs: number, kind: ReferenceWindowKind): void {
  const lengths = kind === 'tumbling' ? [windowMs] : 'hopping' in kind ? [windowMs, kind.hopping] : [kind.session];
  if (lengths.some((ms) => !(ms > 0))) throw new RangeError('window, slide and gap must be > 0 ms');
  if (kind !== 'tumbling' && 'hopping' in kind && kind.hopping > windowMs) {
    throw new RangeError('a slide longer than the window leaves events without a window');
  }
}

function rowKey({ user, item, type, category, brand, price }: ReferenceEvent): string {
  return JSON.stringify([
    user,
    item,
    type,
    category ?? null,
    brand ?? null,
    price === undefined ? null : String(price),
  ]);
}

/** The same record without fields that are undefined or the empty string. */
export function withoutEmpty<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== '')) as T;
}
