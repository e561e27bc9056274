import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FixedWindows,
  isLate,
  rowsByWindow,
  startsOf,
  type WindowKind,
  windowsOf,
} from '../../../actors/maths/window.js';

const fixed = (sizeMs: number, slideMs: number): FixedWindows =>
  windowsOf({ kind: 'hopping', sizeMs, slideMs }, 0) as FixedWindows;

describe('windowsOf', () => {
  it.each<[WindowKind, object]>([
    [{ kind: 'tumbling' }, { kind: 'fixed', sizeMs: 300_000, slideMs: 300_000, paneMs: 300_000 }],
    [
      { kind: 'tumbling', sizeMs: 7 },
      { kind: 'fixed', sizeMs: 7, slideMs: 7, paneMs: 7 },
    ],
    [
      { kind: 'hopping', sizeMs: 10, slideMs: 5 },
      { kind: 'fixed', sizeMs: 10, slideMs: 5, paneMs: 5 },
    ],
    [
      { kind: 'hopping', sizeMs: 10, slideMs: 4 },
      { kind: 'fixed', sizeMs: 10, slideMs: 4, paneMs: 2 },
    ],
    [
      { kind: 'session', gapMs: 6 },
      { kind: 'session', paneMs: 6 },
    ],
  ])('completes %j', (kind, expected) => {
    expect(windowsOf(kind, 3)).toEqual({ ...expected, latenessMs: 3 });
  });

  it.each<[WindowKind, number, string]>([
    [{ kind: 'tumbling', sizeMs: 0 }, 0, 'size'],
    [{ kind: 'tumbling', sizeMs: NaN }, 0, 'size'],
    [{ kind: 'hopping', sizeMs: 5, slideMs: 1.5 }, 0, 'slide'],
    [{ kind: 'hopping', sizeMs: 5, slideMs: 6 }, 0, 'longer'],
    [{ kind: 'session', gapMs: -1 }, 0, 'gap'],
    [{ kind: 'tumbling' }, NaN, 'lateness'],
  ])('refuses %j with lateness %d', (kind, latenessMs, reason) => {
    expect(() => windowsOf(kind, latenessMs)).toThrow(reason);
  });
});

describe('startsOf', () => {
  it.each([
    ['tumbling', fixed(10, 10), 20, [20]],
    ['hopping', fixed(10, 5), 20, [15, 20]],
    ['hopping, before 1970', fixed(10, 5), -5, [-10, -5]],
    // Slides of 4: 12-22 and 16-26 hold 20-22, and so does 20-30; 22-24 is only in 16-26 and 20-30.
    ['hopping unevenly', fixed(10, 4), 20, [12, 16, 20]],
    ['hopping unevenly, the next pane', fixed(10, 4), 22, [16, 20]],
  ])('%s', (_, windows, pane, expected) => {
    expect(startsOf(pane, windows)).toEqual(expected);
  });

  it('gives a pane exactly the windows of every moment in it', () => {
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(size, size, fc.integer({ min: -200, max: 200 }), (a, b, time) => {
        const windows = fixed(Math.max(a, b), Math.min(a, b));
        const { sizeMs, slideMs, paneMs } = windows;
        const holding = [];
        for (let k = -400; k <= 400; k++) {
          if (k * slideMs <= time && time < k * slideMs + sizeMs) holding.push(k * slideMs);
        }
        expect(startsOf(Math.floor(time / paneMs) * paneMs, windows)).toEqual(holding);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('isLate', () => {
  it.each([
    ['tumbling: its window ends after C', windowsOf({ kind: 'tumbling', sizeMs: 10 }, 0), 9, 9.9, false],
    ['tumbling: its window ends at C', windowsOf({ kind: 'tumbling', sizeMs: 10 }, 0), 0, 10, true],
    ['tumbling: C and the lateness', windowsOf({ kind: 'tumbling', sizeMs: 10 }, 5), 9, 14, false],
    ['tumbling: C and the whole lateness', windowsOf({ kind: 'tumbling', sizeMs: 10 }, 5), 9, 15, true],
    [
      'hopping: the last of its windows is open',
      windowsOf({ kind: 'hopping', sizeMs: 10, slideMs: 5 }, 0),
      9,
      14,
      false,
    ],
    ['hopping: none is', windowsOf({ kind: 'hopping', sizeMs: 10, slideMs: 5 }, 0), 9, 15, true],
    ['session: less than the gap before C', windowsOf({ kind: 'session', gapMs: 5 }, 0), 9, 13, false],
    ['session: the gap before C', windowsOf({ kind: 'session', gapMs: 5 }, 0), 9, 14, true],
    ['nothing was closed yet', windowsOf({ kind: 'tumbling' }, 0), -1e15, -Infinity, false],
  ])('%s', (_, windows, timeMs, closedUpToMs, expected) => {
    expect(isLate(timeMs, windows, closedUpToMs)).toBe(expected);
  });
});

it('rowsByWindow gives each window its rows, both ascending', () => {
  const panes = Float64Array.of(20, 20, 10, 30, 20);
  const rows = rowsByWindow(panes, (pane) => [pane - 10, pane]).map(({ start, rows: of }) => [start, ...of]);
  expect(rows).toEqual([
    [0, 2],
    [10, 0, 1, 2, 4],
    [20, 0, 1, 3, 4],
    [30, 3],
  ]);
  expect(rowsByWindow(panes, () => [])).toEqual([]);
});
