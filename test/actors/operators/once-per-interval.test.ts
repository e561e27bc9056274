import { map } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { afterTick, type SourceState } from '../../../actors/maths/watermark.js';
import { oncePerInterval } from '../../../actors/operators/once-per-interval.js';
import { value } from '../../../runtime/stage.js';

function run(marbles: string, ticks: Record<string, number>, expected: string, initial: SourceState = {}) {
  const cell = value<SourceState>(() => initial).create();
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    const states = hot(marbles, ticks).pipe(
      map((timeMs) => {
        cell.set(afterTick(cell.get(), timeMs));
        return cell.get();
      }),
    );
    const passed = states.pipe(
      oncePerInterval(cell, 10),
      map(({ tickMs }) => tickMs),
    );
    expectObservable(passed).toBe(expected, ticks);
  });
  return cell.get().epochTickMs;
}

describe('oncePerInterval', () => {
  it('passes the first tick past each multiple', () => {
    expect(run('abcde|', { a: 3, b: 9, c: 10, d: 19, e: 21 }, '--c-e|')).toBe(21);
  });

  it('passes one tick for several multiples', () => {
    expect(run('abc|', { a: 3, b: 35, c: 36 }, '-b-|')).toBe(35);
  });

  it('only counts from the first tick', () => {
    expect(run('a|', { a: 30 }, '-|')).toBe(30);
  });

  it('goes on where a snapshot left it', () => {
    run('ab|', { a: 29, b: 30 }, '-b|', { epochTickMs: 21 });
    run('a|', { a: 30 }, 'a|', { epochTickMs: 3 });
  });
});
