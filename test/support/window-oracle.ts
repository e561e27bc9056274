/**
 * The window stage as a plain batch computation over all epochs at once: no tables, no frames, nothing kept but the events themselves.
 *
 *   C(n) = max of the W that ended epochs < n      an event of epoch n counts in those of its windows with end + lateness > C(n)
 */
import type { OutputMode } from '../../actors/operators/close-windows.js';

export interface OracleEvent {
  readonly time: number;
  readonly type: number;
  readonly user: string;
  readonly item: string;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

export interface OracleEpoch {
  readonly events: readonly OracleEvent[];
  /** W known at its start. */
  readonly watermarkMs: number;
}

export type OracleKind =
  | { readonly kind: 'fixed'; readonly sizeMs: number; readonly slideMs: number }
  | { readonly kind: 'session'; readonly gapMs: number };

interface Counted extends OracleEvent {
  readonly epoch: number;
}

/** Events of one key in one window. */
interface OpenWindow {
  readonly start: number;
  readonly end: number;
  readonly events: readonly Counted[];
}

export interface OracleAnswer {
  /** Rows as sorted text. */
  readonly rows: readonly string[];
  readonly late: readonly OracleEvent[];
}

export function windowOracle(
  epochs: readonly OracleEpoch[],
  kind: OracleKind,
  latenessMs: number,
  output: OutputMode,
): OracleAnswer[] {
  let closedUpTo = -Infinity;
  let open: OpenWindow[] = [];
  return epochs.map(({ events, watermarkMs }, epoch) => {
    const late: OracleEvent[] = [];
    for (const event of events) {
      const fits = windowsOf(event, kind).filter(({ end }) => end + latenessMs > closedUpTo);
      if (fits.length === 0) late.push(event);
      for (const { start, end } of fits) open.push({ start, end, events: [{ ...event, epoch }] });
    }
    open = united(open, kind);
    const closes = ({ end }: OpenWindow): boolean => end + latenessMs <= watermarkMs;
    const isNew = (event: Counted): boolean => event.epoch === epoch;
    const says = {
      update: () =>
        open
          .filter(({ events: all }) => all.some(isNew))
          .map((w) => rowText(w, w.events.filter(isNew), w.events.filter(isNew))),
      append: () => open.filter(closes).map((w) => rowText(w, w.events, w.events)),
      complete: () => open.map((w) => rowText(w, w.events.filter(isNew), w.events)),
    };
    const rows = says[output]().sort();
    open = open.filter((window) => !closes(window));
    closedUpTo = Math.max(closedUpTo, watermarkMs);
    return { rows, late };
  });
}

function windowsOf({ time }: OracleEvent, kind: OracleKind): { start: number; end: number }[] {
  if (kind.kind === 'session') return [{ start: time, end: time + kind.gapMs }];
  const windows = [];
  for (let k = Math.floor((time - kind.sizeMs) / kind.slideMs); k * kind.slideMs <= time; k++) {
    const start = k * kind.slideMs;
    if (time < start + kind.sizeMs) windows.push({ start, end: start + kind.sizeMs });
  }
  return windows;
}

/** Windows of one key that are the same, or as sessions overlap, made one: again and again until none do. */
function united(windows: readonly OpenWindow[], kind: OracleKind): OpenWindow[] {
  const meet = (a: OpenWindow, b: OpenWindow): boolean =>
    kind.kind === 'session' ? a.start < b.end && b.start < a.end : a.start === b.start;
  const done: OpenWindow[] = [];
  for (let window of windows) {
    for (let at = 0; at < done.length; at++) {
      const other = done[at]!;
      if (keyOf(other.events[0]!) !== keyOf(window.events[0]!) || !meet(other, window)) continue;
      done.splice(at, 1);
      const start = Math.min(window.start, other.start);
      window = { start, end: Math.max(window.end, other.end), events: [...other.events, ...window.events] };
      at = -1;
    }
    done.push(window);
  }
  return done;
}

export const keyOf = ({ user, item, type, category, brand, price }: OracleEvent): string =>
  [user, item, type, category ?? '-', brand ?? '-', price ?? '-'].join(' ');

function rowText({ start, end, events }: OpenWindow, added: readonly Counted[], timed: readonly Counted[]): string {
  const time = Math.max(...timed.map((event) => event.time));
  return `${start}-${end} ${keyOf(events[0]!)}: ${events.length} +${added.length} @${time}`;
}
