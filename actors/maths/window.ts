/**
 * window: the windows of an event, and which of them are closed.
 *
 *   tumbling   [k·size, (k + 1)·size)
 *   hopping    [k·slide, k·slide + size)     an event is in each that contains its time
 *   session    [first, last + gap)           events of one key that are closer than gap share a session
 *
 *   closed(end) ⇔ end + lateness ≤ C         C  the highest W that has ended an epoch before this one
 *   late(t)     ⇔ closed(the last end of t)  the end of its last window; for sessions t + gap: the event alone
 *
 *   pane(t) = ⌊t / π⌋ · π                    π = gcd(size, slide), or gap
 *
 * A pane is the longest span of time whose events of one key can be counted together before they are assigned to windows: they are in the same windows,
 * or in one session. Times are epoch ms, lengths whole ms.
 */
export type WindowKind =
  | { readonly kind: 'tumbling'; readonly sizeMs?: number }
  | { readonly kind: 'hopping'; readonly sizeMs: number; readonly slideMs: number }
  | { readonly kind: 'session'; readonly gapMs: number };

/** Tumbling windows are hopping ones that slide by their size. */
export interface FixedWindows {
  readonly kind: 'fixed';
  readonly sizeMs: number;
  readonly slideMs: number;
  /** π */
  readonly paneMs: number;
  readonly latenessMs: number;
}

export interface SessionWindows {
  readonly kind: 'session';
  /** π, the gap. */
  readonly paneMs: number;
  readonly latenessMs: number;
}

export type Windows = FixedWindows | SessionWindows;

const SIZE_MS = 300_000;

/** Validated and completed. Throws RangeError on lengths that leave events without a window. */
export function windowsOf(kind: WindowKind, latenessMs: number): Windows {
  if (!(latenessMs >= 0)) throw new RangeError(`allowed lateness must be 0 ms or more, not ${latenessMs}`);
  if (kind.kind === 'session') return { kind: 'session', paneMs: whole('gap', kind.gapMs), latenessMs };
  const sizeMs = whole('size', kind.sizeMs ?? SIZE_MS);
  const slideMs = kind.kind === 'hopping' ? whole('slide', kind.slideMs) : sizeMs;
  if (slideMs > sizeMs) throw new RangeError(`a slide of ${slideMs} ms is longer than the window of ${sizeMs} ms`);
  return { kind: 'fixed', sizeMs, slideMs, paneMs: greatestCommonDivisor(sizeMs, slideMs), latenessMs };
}

function whole(name: string, lengthMs: number): number {
  if (Number.isSafeInteger(lengthMs) && lengthMs > 0) return lengthMs;
  throw new RangeError(`the ${name} of a window must be a whole number of ms from 1, not ${lengthMs}`);
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Starts of the windows that contain a pane, ascending. */
export function startsOf(pane: number, { sizeMs, slideMs }: FixedWindows): number[] {
  const starts: number[] = [];
  for (let start = Math.floor(pane / slideMs) * slideMs; start > pane - sizeMs; start -= slideMs) starts.push(start);
  return starts.reverse();
}

/** The same, of windows that are not closed. */
export const openStartsOf =
  (windows: FixedWindows, closedUpToMs: number) =>
  (pane: number): number[] =>
    startsOf(pane, windows).filter((start) => !isClosed(start + windows.sizeMs, windows, closedUpToMs));

export const isClosed = (endMs: number, { latenessMs }: Windows, closedUpToMs: number): boolean =>
  endMs + latenessMs <= closedUpToMs;

/** Monotonic in the event time: if an event is on time, so are all newer ones. */
export const isLate = (timeMs: number, windows: Windows, closedUpToMs: number): boolean =>
  isClosed(lastEndOf(timeMs, windows), windows, closedUpToMs);

const lastEndOf = (timeMs: number, windows: Windows): number =>
  windows.kind === 'session'
    ? timeMs + windows.paneMs
    : Math.floor(timeMs / windows.slideMs) * windows.slideMs + windows.sizeMs;

export interface RowsOfWindow {
  readonly start: number;
  /** Row numbers, ascending. */
  readonly rows: Uint32Array;
}

/** The rows of each window, given the pane of each row and the windows of a pane; windows ascending. */
export function rowsByWindow(panes: Float64Array, startsOfPane: (pane: number) => readonly number[]): RowsOfWindow[] {
  const windows = new Map<number, { size: number; filled: number; rows: Uint32Array }>();
  const windowOf = (start: number) => {
    const window = windows.get(start) ?? { size: 0, filled: 0, rows: NO_ROWS };
    windows.set(start, window);
    return window;
  };
  const windowsOfPane = new Map<number, readonly ReturnType<typeof windowOf>[]>();
  const runs = runsOf(panes);
  for (const { pane, from, to } of runs) {
    const taking = windowsOfPane.get(pane) ?? startsOfPane(pane).map(windowOf);
    windowsOfPane.set(pane, taking);
    for (const window of taking) window.size += to - from;
  }
  for (const window of windows.values()) window.rows = new Uint32Array(window.size);
  for (const { pane, from, to } of runs) {
    for (const window of windowsOfPane.get(pane)!) {
      for (let row = from; row < to; row++) window.rows[window.filled++] = row;
    }
  }
  return [...windows].map(([start, { rows }]) => ({ start, rows })).sort((a, b) => a.start - b.start);
}

const NO_ROWS = new Uint32Array(0);

/** Runs [from, to) of equal panes. */
function runsOf(panes: Float64Array): { readonly pane: number; readonly from: number; readonly to: number }[] {
  const runs: { pane: number; from: number; to: number }[] = [];
  for (let from = 0, to = 0; from < panes.length; from = to) {
    const pane = panes[from]!;
    while (to < panes.length && panes[to] === pane) to++;
    runs.push({ pane, from, to });
  }
  return runs;
}
