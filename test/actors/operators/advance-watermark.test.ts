import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import type { SourceState } from '../../../actors/maths/watermark.js';
import { parsedEvents } from '../../../actors/model.js';
import { advanceWatermark } from '../../../actors/operators/advance-watermark.js';
import { frameOf, value } from '../../../runtime/contract/stage.js';

/** Each a time, or a time from ahead and when it was stored. */
const frame = (...times: (number | readonly [time: number, storedAt: number])[]) =>
  frameOf(
    parsedEvents,
    times.map((at) => (typeof at === 'number' ? { time: at } : { time: at[0], storedAt: at[1] })),
  );

function run(
  marbles: string,
  frames: Record<string, ReturnType<typeof frame>>,
  expected: string,
  initial: SourceState = {},
) {
  const cell = value<SourceState>(() => initial).create();
  const woken = (name: string) => ({ frame: frames[name.toLowerCase()]!, woke: name === name.toUpperCase() });
  const values = Object.fromEntries([...expected].filter((c) => /\w/.test(c)).map((name) => [name, woken(name)]));
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    expectObservable(
      hot(marbles, frames).pipe(advanceWatermark(cell, { delayMs: 10, skewMs: 5, idleAfterMs: 60 })),
    ).toBe(expected, values);
  });
  return cell.get();
}

// A capital is a frame that woke the source.
describe('advanceWatermark', () => {
  it('passes frames as they are and keeps the latest time and W', () => {
    const state = run('-a--b-|', { a: frame(3, 70, 5), b: frame(40) }, '-a--b-|');
    expect(state).toEqual({ maxTimeMs: 70, watermarkMs: 60 });
  });

  it('keeps the same however times are put into frames', () => {
    const frames = { a: frame(3), b: frame(70), c: frame(5, 40) };
    expect(run('abc|', frames, 'abc|')).toEqual(run('d|', { d: frame(3, 70, 5, 40) }, 'd|'));
  });

  it('follows an event from ahead no further than the time at which it was stored, and the skew', () => {
    const frames = { a: frame(3, [70, 20]), b: frame(21), c: frame([22, 20]) };
    expect(run('a|', frames, 'a|')).toEqual({ maxTimeMs: 20, watermarkMs: 15 });
    const all = { maxTimeMs: 21, watermarkMs: 15 };
    expect(run('abc|', frames, 'abc|')).toEqual(all);
    expect(run('d|', { d: frame(3, [70, 20], 21, [22, 20]) }, 'd|')).toEqual(all);
  });

  it('tells which frame woke an idle source', () => {
    const state = run('a-b|', { a: frame(3), b: frame(4) }, 'A-b|', { tickMs: 100, quietSinceMs: 40 });
    expect(state).toEqual({ tickMs: 100, maxTimeMs: 4, watermarkMs: -6 });
  });

  it('takes a frame without rows for nothing', () => {
    const idle: SourceState = { tickMs: 100, quietSinceMs: 40 };
    expect(run('a|', { a: frame() }, 'a|', idle)).toEqual(idle);
  });

  it('passes an error on', () => {
    run('a-#', { a: frame(1) }, 'a-#');
  });
});
