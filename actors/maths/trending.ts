/**
 * trending: how much an item is viewed and clicked in a window of event time.
 *
 *   score(i, w)    = a · views(i, w) + b · clicks(i, w)
 *   velocity(i, w) = score(i, w) / elapsed(w) − score(i, w') / |w|       per hour; w' the window of the same length before w
 *   decayed(i, w)  = Σ weight(event) · 2^(−(end(w) − time) / h)          of all events so far; h  half-life
 *
 *   hour       [k, k + 1 h)          closed(w) ⇔ end + 2 h − delay ≤ C      C  the highest W that has ended an epoch; W = latest event − delay
 *   day        [k − 23 h, k + 1 h)   closed(w) ⇔ end + 26 h − delay ≤ C
 *   last-hour  [s − 1 h, s)          never closed: it moves with s, the end of the step that contains the latest event
 *
 * Hours and days consist of panes of an hour (UTC), the last hour of steps. elapsed(w) is the part of w that has passed at s. A step is five
 * minutes: the events in the first seconds of an hour are no trend yet, and lists of several instances as of one step can be compared.
 */
import type { ClosingWindow, TrendingWindow } from '../model.js';
import { decay } from './decay.js';

export const HOUR_MS = 3_600_000;
const STEPS_PER_HOUR = 12;
export const STEP_MS = HOUR_MS / STEPS_PER_HOUR;
export const SIZE_MS: Readonly<Record<TrendingWindow, number>> = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  'last-hour': HOUR_MS,
};
/** The panes that a window consists of. */
export const PANE_MS: Readonly<Record<TrendingWindow, number>> = { hour: HOUR_MS, day: HOUR_MS, 'last-hour': STEP_MS };
/** The distance of W from the latest event, for each kind of window. */
const DELAY_MS: Readonly<Record<ClosingWindow, number>> = { hour: 2 * HOUR_MS, day: 26 * HOUR_MS };

export interface ScoreWeights {
  readonly viewWeight: number;
  readonly clickWeight: number;
}

export const scoreOf = (views: number, clicks: number, { viewWeight, clickWeight }: ScoreWeights): number =>
  views * viewWeight + clicks * clickWeight;

export const paneOf = (timeMs: number, paneMs: number): number => Math.floor(timeMs / paneMs) * paneMs;

/** The end of the step that contains an event time. */
export const stepOf = (timeMs: number): number => paneOf(timeMs, STEP_MS) + STEP_MS;

/** The start of the newest window as of a step: the one that ends with it, or with the pane that contains it. */
export const startOf = (window: TrendingWindow, stepMs: number): number =>
  paneOf(stepMs - 1, PANE_MS[window]) + PANE_MS[window] - SIZE_MS[window];

/** As of a step, neither the last hour nor the one before it has panes that begin earlier. */
export const recentFrom = (stepMs: number): number => startOf('last-hour', stepMs) - SIZE_MS['last-hour'];

/** `delayMs`: the distance of W from the latest event; if it exceeds the window's own delay, W alone closes the window. */
export const isClosed = (window: ClosingWindow, startMs: number, closedUpToMs: number, delayMs: number): boolean =>
  startMs + SIZE_MS[window] + Math.max(0, DELAY_MS[window] - delayMs) <= closedUpToMs;

/** Whether every window that contains an hour is closed. */
export const isPaneOver = (paneMs: number, closedUpToMs: number, delayMs: number): boolean =>
  isClosed('hour', paneMs, closedUpToMs, delayMs) && isClosed('day', paneMs, closedUpToMs, delayMs);

/** Score per hour, for a window as of a step in it or after it. */
export function velocity(score: number, before: number, startMs: number, sizeMs: number, stepMs: number): number {
  const [size, elapsed] = [sizeMs / STEP_MS, Math.min(sizeMs, stepMs - startMs) / STEP_MS];
  // One quotient of whole numbers: equal values are equal to the last bit, so that the item order breaks the tie.
  return ((score * size - before * elapsed) * STEPS_PER_HOUR) / (elapsed * size);
}

/** heat = log2 Σ weight · 2^(time / h): a decayed sum as a number that does not change over time, so that items keep their order. 0 without events. */
export function heated(heat: number, weight: number, timeMs: number, halfLifeMs: number): number {
  if (weight <= 0) return heat;
  const more = Math.log2(weight) + timeMs / halfLifeMs;
  if (heat === 0) return more;
  const [high, low] = heat > more ? [heat, more] : [more, heat];
  return high + Math.log2(1 + decay(high - low, 1));
}

/** The decayed sum at a time. */
export const heatAt = (heat: number, timeMs: number, halfLifeMs: number): number =>
  heat === 0 ? 0 : 2 ** (heat - timeMs / halfLifeMs);
