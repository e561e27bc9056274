import { describe, expect, it } from 'vitest';
import { afterRows, afterTick, isIdle, reachedBy, type SourceState } from '../../../actors/maths/watermark.js';

/** Rows whose latest time is this one, none of them ahead of the log's clock. */
const upTo = (timeMs: number) => ({ asOfMs: timeMs, withSkewMs: timeMs });

describe('what rows move time to', () => {
  it.each([
    ['the latest event time', [[3], [7], [5]], { asOfMs: 7, withSkewMs: 7 }],
    [
      'when it was stored, and the skew past that, of an event from far ahead',
      [[100, 10]],
      { asOfMs: 10, withSkewMs: 15 },
    ],
    ['its own time with skew, of an event from little ahead', [[13, 10]], { asOfMs: 10, withSkewMs: 13 }],
    ['the furthest of all', [[100, 10], [12], [14, 13]], { asOfMs: 13, withSkewMs: 15 }],
  ])('%s', (_, rows, expected) => {
    const column = (n: number) => Float64Array.from(rows as number[][], (row) => row[n] ?? NaN);
    expect(reachedBy(column(0), column(1), 5)).toEqual(expected);
  });
});

describe('W', () => {
  it('is the latest event time minus the delay, and never moves back', () => {
    const first = afterRows({}, upTo(100), 10);
    expect(first).toEqual({ maxTimeMs: 100, watermarkMs: 90 });
    expect(afterRows(first, upTo(99), 10)).toEqual(first);
    expect(afterRows(first, upTo(101), 10)).toEqual({ maxTimeMs: 101, watermarkMs: 91 });
  });

  it('stays where it is when the delay has grown since the snapshot', () => {
    expect(afterRows({ maxTimeMs: 100, watermarkMs: 90 }, upTo(110), 50)).toEqual({ maxTimeMs: 110, watermarkMs: 90 });
  });

  it('follows an event from ahead no further than the skew', () => {
    expect(afterRows({}, { asOfMs: 100, withSkewMs: 105 }, 10)).toEqual({ maxTimeMs: 100, watermarkMs: 95 });
  });

  it('is before 1970 where events are', () => {
    expect(afterRows({}, upTo(-5), 10)).toEqual({ maxTimeMs: -5, watermarkMs: -15 });
  });
});

describe('idle', () => {
  const ticked = (...ticks: number[]): SourceState => ticks.reduce(afterTick, {});

  it.each([
    ['before any tick', {}, false],
    ['at the first tick', ticked(7), false],
    ['just before the time is over', ticked(7, 66), false],
    ['when the time is over', ticked(7, 67), true],
    ['with rows after the last tick', afterRows(ticked(7, 67), upTo(0), 0), false],
    ['with the first tick after rows', afterTick(afterRows(ticked(7, 67), upTo(0), 0), 90), false],
    ['again, later', afterTick(afterTick(afterRows(ticked(7, 67), upTo(0), 0), 90), 150), true],
  ])('%s', (_, state, expected) => {
    expect(isIdle(state, 60)).toBe(expected);
  });

  it('takes a clock that goes back for one that stands still', () => {
    expect(ticked(50, 20)).toEqual({ tickMs: 50, quietSinceMs: 50 });
  });
});
