/** Restart intensity as a table: failures in, directives out; and what a stage may say of its own. */
import { describe, expect, it } from 'vitest';
import {
  type Directive,
  RestartCount,
  STAGE_STRATEGY,
  type StageStrategy,
  type Strategy,
  strategyProblems,
} from '../../../runtime/supervision/strategy.js';

const STRATEGY: Strategy = { restartsMax: 3, windowMs: 1_000, backoffFirstMs: 10, backoffMaxMs: 50 };

const restart = (attempt: number, delayMs: number): Directive => ({ kind: 'restart', attempt, delayMs });
const escalate: Directive = { kind: 'escalate', reason: 'more than 3 restarts within 1 s' };

interface Case {
  readonly name: string;
  /** Failures, each with the time and what is decided. `free` ones do not count. */
  readonly steps: readonly (readonly [
    failure: 'counted' | 'free' | 'recovered' | 'closer',
    nowMs: number,
    decided?: Directive,
  ])[];
}

const CASES: readonly Case[] = [
  {
    name: 'each restart waits twice as long, up to the most; past the intensity it escalates',
    steps: [
      ['counted', 0, restart(1, 10)],
      ['counted', 1, restart(2, 20)],
      ['counted', 2, restart(3, 40)],
      ['counted', 3, escalate],
    ],
  },
  {
    name: 'failures far enough apart never exceed the intensity',
    steps: [0, 500, 1_001, 1_502, 2_003, 2_504].map((at, i) => [
      'counted',
      at,
      restart(i + 1, Math.min(50, 10 * 2 ** i)),
    ]),
  },
  {
    name: 'the delay starts anew after it has worked for a while; the count does not',
    steps: [
      ['counted', 0, restart(1, 10)],
      ['counted', 1, restart(2, 20)],
      ['recovered', 2],
      ['counted', 3, restart(1, 10)],
      ['counted', 4, escalate],
    ],
  },
  {
    name: 'what does not count restarts without end',
    steps: [
      ...Array.from({ length: 30 }, (_, i) => ['free', i, restart(i + 1, Math.min(50, 10 * 2 ** i))] as const),
      ['counted', 40, restart(31, 50)],
    ],
  },
  {
    name: 'one that comes closer to the cause is restarted soon',
    steps: [
      ['counted', 0, restart(1, 10)],
      ['counted', 1, restart(2, 20)],
      ['closer', 2, restart(1, 10)],
    ],
  },
];

describe('the restarts of a child', () => {
  it.each(CASES)('$name', ({ steps }) => {
    const count = new RestartCount(STRATEGY);
    for (const [failure, nowMs, decided] of steps) {
      if (failure === 'recovered') count.recovered();
      else if (failure === 'closer') expect(count.progress()).toEqual(decided);
      else expect(count.next(failure === 'counted', nowMs), `at ${nowMs}`).toEqual(decided);
    }
  });

  it('are its own', () => {
    const [one, other] = [new RestartCount(STRATEGY), new RestartCount(STRATEGY)];
    for (let i = 0; i < 4; i++) one.next(true, i);
    expect(other.next(true, 5)).toEqual(restart(1, 10));
  });
});

describe('a strategy of a stage', () => {
  it('may be any part of the default', () => {
    expect(strategyProblems('window', {})).toEqual([]);
    expect(strategyProblems('window', { restartsMax: 0, backoffMaxMs: STAGE_STRATEGY.backoffFirstMs })).toEqual([]);
  });

  it.each([
    [{ restartsMax: -1 }, 'strategies.window.restartsMax must be a whole number from 0, not -1'],
    [{ poisonAfter: 0 }, 'strategies.window.poisonAfter must be a whole number from 1, not 0'],
    [{ windowMs: 0.5 }, 'strategies.window.windowMs must be a whole number from 1, not 0.5'],
    [{ backoffMaxMs: 1 }, 'strategies.window.backoffMaxMs (1) must be at least backoffFirstMs (50)'],
    [
      { restarts: 3 },
      'strategies.window.restarts is not one of restartsMax, windowMs, backoffFirstMs, backoffMaxMs, poisonAfter',
    ],
  ])('%o is refused', (own, problem) => {
    expect(strategyProblems('window', own as Partial<StageStrategy>)).toEqual([problem]);
  });
});
