import { map } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { afterTick, type SourceState } from '../../../actors/maths/watermark.js';
import { intervalEnds } from '../../../actors/operators/interval-ends.js';
import { value } from '../../../runtime/contract/stage.js';

function run(
  marbles: string,
  ticks: Record<string, number>,
  expected: string,
  epochs: Record<string, number>,
  initial: SourceState = {},
) {
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
      intervalEnds(cell, 10),
      map((end) => end.epochs),
    );
    expectObservable(passed).toBe(expected, epochs);
  });
  return cell.get().epochTickMs;
}

describe('intervalEnds', () => {
  it('tells of the first tick past each multiple', () => {
    expect(run('abcde|', { a: 3, b: 9, c: 10, d: 19, e: 21 }, '--c-e|', { c: 1, e: 1 })).toBe(21);
  });

  it('counts all multiples that one tick has passed', () => {
    expect(run('abc|', { a: 3, b: 35, c: 36 }, '-b-|', { b: 3 })).toBe(35);
  });

  it('counts from 1970, so that sources that begin later are in the same epoch', () => {
    expect(run('ab|', { a: 10_009, b: 10_011 }, 'ab|', { a: 1_000, b: 1 })).toBe(10_011);
  });

  it('goes on where a snapshot left it', () => {
    run('ab|', { a: 29, b: 30 }, '-b|', { b: 1 }, { epochTickMs: 21 });
    run('a|', { a: 30 }, 'a|', { a: 3 }, { epochTickMs: 3 });
  });
});
