/**
 * Windows as a plain batch computation over all epochs at once: no tables, no frames. The window stage is compared with it, and the reference
 * model counts with it.
 *
 *   C(n) = max of the W that ended epochs < n      an event of epoch n counts in those of its windows with end + lateness > C(n)
 *
 * Hopping: an event counts in those of its windows that are open, and is late only if none is.
 * Session: an event opens [time, time + gap) and is late iff *that* is closed, whatever it might have merged with, which keeps lateness
 * independent of order. Sessions of one key merge while events are closer than gap; the merged count is one row, and the rows that it replaces
 * are gone without a row of their own. A closed session merges no more. Events exactly gap apart stay two sessions, as [start, end) says; Spark
 * and Flink would merge them (the only difference that runs against Spark showed).
 */
export type OracleKind =
  | { readonly kind: 'fixed'; readonly sizeMs: number; readonly slideMs: number }
  | { readonly kind: 'session'; readonly gapMs: number };

export interface OracleEpoch<E> {
  readonly events: readonly E[];
  /** W that closes windows at its end. */
  readonly watermarkMs: number;
}

/** Events of one key in one window, [start, end). */
export interface OracleRow<E> {
  /** The first event of the key. */
  readonly event: E;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Latest time of its events. */
  readonly time: number;
  /** The last epoch that counted an event here, how many it counted, and their latest time. */
  readonly epoch: number;
  readonly added: number;
  readonly addedTime: number;
}

export interface OracleAnswer<E> {
  readonly late: readonly E[];
  /** Rows that the epoch changed. */
  readonly update: readonly OracleRow<E>[];
  /** Rows that close at its end. */
  readonly append: readonly OracleRow<E>[];
  /** Rows that were open before its end. */
  readonly complete: readonly OracleRow<E>[];
}

interface OracleOptions<E> {
  readonly kind: OracleKind;
  readonly latenessMs: number;
  /** The part of a row's key that is not the window. */
  readonly keyOf: (event: E) => string;
}

export function windowOracle<E extends { readonly time: number }>(
  epochs: readonly OracleEpoch<E>[],
  { kind, latenessMs, keyOf }: OracleOptions<E>,
): OracleAnswer<E>[] {
  const open = new Map<string, readonly OracleRow<E>[]>();
  let closedUpTo = -Infinity;
  return epochs.map(({ events, watermarkMs }, epoch) => {
    const late: E[] = [];
    for (const event of events) {
      const windows = windowsOf(event.time, kind).filter(([, end]) => end + latenessMs > closedUpTo);
      if (windows.length === 0) late.push(event);
      const [key, { time }] = [keyOf(event), event];
      for (const [start, end] of windows) {
        const row = { event, start, end, count: 1, time, epoch, added: 1, addedTime: time };
        open.set(key, withRow(open.get(key) ?? [], row, kind));
      }
    }
    const closes = ({ end }: OracleRow<E>): boolean => end + latenessMs <= watermarkMs;
    const complete = [...open.values()].flat();
    for (const [key, rows] of open) {
      const left = rows.filter((row) => !closes(row));
      if (left.length === 0) open.delete(key);
      else open.set(key, left);
    }
    closedUpTo = Math.max(closedUpTo, watermarkMs);
    return { late, update: complete.filter((row) => row.epoch === epoch), append: complete.filter(closes), complete };
  });
}

/** The windows of a time; a session is as yet the event alone. */
function windowsOf(time: number, kind: OracleKind): (readonly [start: number, end: number])[] {
  if (kind.kind === 'session') return [[time, time + kind.gapMs]];
  const windows = [];
  for (let start = Math.floor(time / kind.slideMs) * kind.slideMs; start + kind.sizeMs > time; start -= kind.slideMs) {
    windows.push([start, start + kind.sizeMs] as const);
  }
  return windows;
}

/** Rows of one key with one more: merged with the row of the same window, or, of sessions, with every row that it overlaps. */
function withRow<E>(rows: readonly OracleRow<E>[], row: OracleRow<E>, { kind }: OracleKind): OracleRow<E>[] {
  const meets = ({ start, end }: OracleRow<E>): boolean =>
    kind === 'session' ? start < row.end && row.start < end : start === row.start;
  const met = [...rows.filter(meets), row];
  const added = met.filter(({ epoch }) => epoch === row.epoch);
  return [
    ...rows.filter((one) => !meets(one)),
    {
      ...row,
      start: Math.min(...met.map(({ start }) => start)),
      end: Math.max(...met.map(({ end }) => end)),
      count: met.reduce((sum, one) => sum + one.count, 0),
      time: Math.max(...met.map(({ time }) => time)),
      added: added.reduce((sum, one) => sum + one.added, 0),
      addedTime: Math.max(...added.map(({ addedTime }) => addedTime)),
    },
  ];
}
