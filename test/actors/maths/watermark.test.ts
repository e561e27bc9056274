import { describe, expect, it } from 'vitest';
import { afterRows, afterTick, isIdle, type SourceState } from '../../../actors/maths/watermark.js';

describe('W', () => {
  it('is the latest event time minus the delay, and never moves back', () => {
    const first = afterRows({}, 100, 10);
    expect(first).toEqual({ maxTimeMs: 100, watermarkMs: 90 });
    expect(afterRows(first, 99, 10)).toEqual(first);
    expect(afterRows(first, 101, 10)).toEqual({ maxTimeMs: 101, watermarkMs: 91 });
  });

  it('stays where it is when the delay has grown since the snapshot', () => {
    expect(afterRows({ maxTimeMs: 100, watermarkMs: 90 }, 110, 50)).toEqual({ maxTimeMs: 110, watermarkMs: 90 });
  });

  it('is before 1970 where events are', () => {
    expect(afterRows({}, -5, 10)).toEqual({ maxTimeMs: -5, watermarkMs: -15 });
  });
});

describe('idle', () => {
  const ticked = (...ticks: number[]): SourceState => ticks.reduce(afterTick, {});

  it.each([
    ['before any tick', {}, false],
    ['at the first tick', ticked(7), false],
    ['just before the time is over', ticked(7, 66), false],
    ['when the time is over', ticked(7, 67), true],
    ['with rows after the last tick', afterRows(ticked(7, 67), 0, 0), false],
    ['with the first tick after rows', afterTick(afterRows(ticked(7, 67), 0, 0), 90), false],
    ['again, later', afterTick(afterTick(afterRows(ticked(7, 67), 0, 0), 90), 150), true],
  ])('%s', (_, state, expected) => {
    expect(isIdle(state, 60)).toBe(expected);
  });

  it('takes a clock that goes back for one that stands still', () => {
    expect(ticked(50, 20)).toEqual({ tickMs: 50, quietSinceMs: 50 });
  });
});
