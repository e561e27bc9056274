import { describe, expect, it } from 'vitest';
import { CLIENTS_MAX, RateLimit } from '../../../../connectors/facade/admission/rate-limit.js';

function limit(perSecond: number, burst: number) {
  const clock = { now: 0 };
  return { clock, rate: new RateLimit(perSecond, burst, { monotonicMs: () => clock.now }) };
}

const takes = (rate: RateLimit, client: string, calls: number): number[] =>
  Array.from({ length: calls }, () => rate.take(client));

describe('the rate of a client', () => {
  it('allows a burst, then so many per second, and says how long to wait', () => {
    const { clock, rate } = limit(4, 3);
    expect(takes(rate, 'a', 4)).toEqual([0, 0, 0, 250]);
    clock.now = 100;
    expect(rate.take('a')).toBe(150);
    clock.now = 250;
    expect(takes(rate, 'a', 2)).toEqual([0, 250]);
    clock.now = 1_000_000;
    expect(takes(rate, 'a', 4)).toEqual([0, 0, 0, 250]);
  });

  it('is that of no other', () => {
    const { rate } = limit(1, 1);
    expect([rate.take('a'), rate.take('b'), rate.take('a')]).toEqual([0, 0, 1000]);
  });

  it('may be less than one per second', () => {
    const { clock, rate } = limit(0.1, 1);
    expect(takes(rate, 'a', 2)).toEqual([0, 10_000]);
    clock.now = 10_000;
    expect(rate.take('a')).toBe(0);
  });
});

it('clients are remembered up to a bound: who was silent longest is forgotten', () => {
  const { rate } = limit(1, 1);
  rate.take('first');
  for (let i = 1; i < CLIENTS_MAX; i++) rate.take(`c${i}`);
  expect(rate.take('first')).toBe(1000);
  rate.take('one more');
  expect(rate.clients).toBe(CLIENTS_MAX);
  expect(rate.take('first')).toBe(1000);
  expect(rate.take('c1')).toBe(0);
});
