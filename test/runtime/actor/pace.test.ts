/** When the next batch of publishers' messages begins, by the CPU time that the process takes. */
import { describe, expect, it } from 'vitest';
import { Pace } from '../../../runtime/actor/pace.js';

const MS_MAX = 20;
const CORES = 2;

/** A stream that never pauses, on a process that takes `share` of all cores: the pauses between batches, one after the other. */
function bed(withCpu = true) {
  let nowMs = 1_000;
  let cpuMs = 0;
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.resolve(),
    ...(withCpu ? { cpuMs: () => cpuMs, cores: CORES } : {}),
  };
  const pace = new Pace(clock, MS_MAX);
  const pass = (ms: number, share: number): void => {
    nowMs += ms;
    cpuMs += ms * CORES * share;
  };
  const batches = (count: number, share: number): number => {
    for (let i = 0; i < count; i++) {
      pace.began();
      pass(Math.max(1, pace.waitMs), share);
    }
    pace.began();
    return pace.waitMs;
  };
  return { pace, pass, batches };
}

describe('the pause between batches of events', () => {
  it('is none while the process takes little', () => {
    expect(bed().batches(1_000, 0.05)).toBe(0);
  });

  it('grows while the process takes much, up to its bound, and shrinks again to none', () => {
    const { batches } = bed();
    expect(batches(10_000, 0.9)).toBe(MS_MAX);
    expect(batches(10_000, 0.05)).toBe(0);
  });

  it('is never waited for after a pause of the stream', () => {
    const { pace, pass, batches } = bed();
    batches(10_000, 0.9);
    pass(MS_MAX, 0.9);
    expect(pace.waitMs).toBeLessThanOrEqual(0);
  });

  it('is the longest where CPU time is not measured: a run on a virtual clock depends on its clock alone', () => {
    expect(bed(false).batches(10, 0)).toBe(MS_MAX);
  });
});
