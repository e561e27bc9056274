/** The supervision strategy as a table: failures in, directives out. */
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_STRATEGY,
  type Directive,
  type Failure,
  type Strategy,
  FailureCount,
} from '../../../runtime/supervision/strategy.js';

const STRATEGY: Strategy = { restartsMax: 3, windowMs: 1_000, backoffFirstMs: 10, backoffMaxMs: 50, poisonAfter: 2 };

const bug = (sequence?: number, message = 'boom'): Failure => ({ reaction: 'bug', message, sequence });
const away: Failure = { reaction: 'transient', message: 'away', sequence: undefined };
const restart = (attempt: number, delayMs: number): Directive => ({ kind: 'restart', attempt, delayMs });
const bury = (sequence: number, attempt: number, delayMs: number): Directive => ({
  kind: 'bury',
  sequence,
  attempt,
  delayMs,
});
const escalate = (reason: string) => ({ kind: 'escalate', reason: expect.stringContaining(reason) });

interface Case {
  readonly name: string;
  /** Failures, each with the time and what is decided; 'recovered' in between. */
  readonly steps: readonly (readonly [failure: Failure | 'recovered', nowMs: number, decided?: unknown])[];
}

const CASES: readonly Case[] = [
  {
    name: 'a fatal failure escalates at once',
    steps: [[{ reaction: 'fatal', message: 'no way', sequence: 1 }, 0, escalate('no way')]],
  },
  {
    name: 'a bug restarts, each time after twice the delay up to the most, and past the budget escalates',
    steps: [
      [bug(), 0, restart(1, 10)],
      [bug(), 1, restart(2, 20)],
      [bug(), 2, restart(3, 40)],
      [bug(), 3, escalate('more than 3 restarts within 1 s: boom')],
    ],
  },
  {
    name: 'bugs far enough apart never use up the budget',
    steps: [0, 500, 1_001, 1_502, 2_003, 2_504].map((at, i) => [bug(), at, restart(i + 1, Math.min(50, 10 * 2 ** i))]),
  },
  {
    name: 'the delay starts anew after it has worked for a while; the budget does not',
    steps: [
      [bug(), 0, restart(1, 10)],
      [bug(), 1, restart(2, 20)],
      ['recovered', 2],
      [bug(), 3, restart(1, 10)],
      [bug(), 4, escalate('more than 3')],
    ],
  },
  {
    name: 'transient failures restart without end and cost no budget',
    steps: [
      ...Array.from({ length: 30 }, (_, i) => [away, i, restart(i + 1, Math.min(50, 10 * 2 ** i))] as const),
      [bug(), 40, restart(31, 50)],
    ],
  },
  {
    name: 'one input that fails the same way twice is buried',
    steps: [
      [bug(7), 0, restart(1, 10)],
      [bug(7), 1, bury(7, 2, 20)],
    ],
  },
  {
    name: 'a buried input costs the budget only what was tried before; the next one counts from the start',
    steps: [
      [bug(7), 0, restart(1, 10)],
      [bug(7), 1, bury(7, 2, 20)],
      [bug(8), 2, restart(3, 40)],
      [bug(8), 3, bury(8, 4, 50)],
    ],
  },
  {
    name: 'another input, or another failure, in between starts the count anew',
    steps: [
      [bug(7), 0, restart(1, 10)],
      [bug(8), 1, restart(2, 20)],
      [bug(7), 600, restart(3, 40)],
      [bug(7, 'bang'), 1_200, restart(4, 50)],
    ],
  },
  {
    name: 'a transient failure in between does not',
    steps: [
      [bug(7), 0, restart(1, 10)],
      [away, 1, restart(2, 20)],
      [bug(7), 2, bury(7, 3, 40)],
    ],
  },
  {
    name: 'the same failure of no input is never buried',
    steps: [
      [bug(), 0, restart(1, 10)],
      [bug(), 1, restart(2, 20)],
      [bug(), 2, restart(3, 40)],
    ],
  },
  {
    name: 'what says that it is poison is buried at once, where it is an input',
    steps: [
      [{ reaction: 'poison', message: 'bad', sequence: 4 }, 0, bury(4, 1, 10)],
      [{ reaction: 'poison', message: 'bad', sequence: undefined }, 1, restart(2, 20)],
    ],
  },
];

describe('a tally', () => {
  it.each(CASES)('$name', ({ steps }) => {
    const tally = new FailureCount(STRATEGY);
    for (const [failure, nowMs, decided] of steps) {
      if (failure === 'recovered') tally.recovered();
      else expect(tally.decide(failure, nowMs), `at ${nowMs}`).toEqual(decided);
    }
  });

  it('belongs to one child: budgets are not shared', () => {
    const [one, other] = [new FailureCount(STRATEGY), new FailureCount(STRATEGY)];
    for (let i = 0; i < 4; i++) one.decide(bug(), i);
    expect(other.decide(bug(), 5)).toEqual(restart(1, 10));
  });

  it('has defaults that bound everything', () => {
    const tally = new FailureCount(DEFAULT_STRATEGY);
    const delays = Array.from({ length: 40 }, (_, i) => tally.decide(away, i)).map((one) =>
      one.kind === 'restart' ? one.delayMs : NaN,
    );
    expect(Math.max(...delays)).toBe(5_000);
    expect(delays.slice(0, 3)).toEqual([50, 100, 200]);
  });
});
