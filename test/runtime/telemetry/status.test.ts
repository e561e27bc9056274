/** What is made of what instances and threads report. */
import { describe, expect, it } from 'vitest';
import { lagSecondsOf, newStatus, recordLag, recordStep, STEP_BOUNDS } from '../../../runtime/telemetry/status.js';
import { Peak } from '../../../runtime/telemetry/thread-vitals.js';

const NOW = 1_000_000;

describe('lag in seconds', () => {
  const cases: [string, Parameters<typeof lagSecondsOf>[0], number | undefined][] = [
    ['nothing waits', { lagMessages: 0, lagSinceMs: undefined, lastStoredAtMs: NOW - 90_000 }, 0],
    ['the oldest is known', { lagMessages: 3, lagSinceMs: NOW - 40_000, lastStoredAtMs: NOW - 50_000 }, 40],
    ['it has not come yet', { lagMessages: 3, lagSinceMs: undefined, lastStoredAtMs: NOW - 50_000 }, 50],
    ['it restarts', { lagMessages: undefined, lagSinceMs: undefined, lastStoredAtMs: NOW - 50_000 }, 50],
    ['nothing is known', { lagMessages: undefined, lagSinceMs: undefined, lastStoredAtMs: 0 }, undefined],
    ['the log’s clock is ahead', { lagMessages: 1, lagSinceMs: NOW + 20, lastStoredAtMs: NOW }, 0],
  ];
  it.each(cases)('%s', (_, status, seconds) => {
    expect(lagSecondsOf(status, NOW)).toBe(seconds);
  });

  it('is not that of an instance that has gone since', () => {
    const status = newStatus('window', 0);
    recordLag(status, { messages: 3, oldestStoredAtMs: NOW });
    recordLag(status, undefined);
    expect([status.lagMessages, status.lagSinceMs]).toEqual([undefined, undefined]);
  });
});

it('steps are counted by time, rows and bytes; one without rows is no frame', () => {
  const status = newStatus('window', 0);
  recordStep(status, { messages: 1, rows: 10, bytes: 300, rowsOut: 7, ms: 0.1 });
  recordStep(status, { messages: 1, rows: 0, bytes: 40, rowsOut: 0, ms: 2 });
  recordStep(status, { messages: 5, rows: 1e6, bytes: 1e9, rowsOut: 1, ms: 5_000 });
  expect(status).toMatchObject({
    messagesIn: 7,
    rowsIn: 1_000_010,
    bytesIn: 1_000_000_340,
    busyMs: 5_002.1,
    rowsOut: 8,
  });
  const { seconds, rows, bytes } = status.steps;
  expect(rows.counts).toEqual([0, 1, 0, 0, 0, 1]);
  expect(bytes.counts).toEqual([1, 1, 0, 0, 0, 1]);
  expect(seconds.counts).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  expect(seconds.counts).toHaveLength(STEP_BOUNDS.seconds.length + 1);
  expect(seconds.sum).toBeCloseTo(5.0021);
});

it('a peak is that of the last 15 to 30 s, whoever asks', () => {
  let nowMs = 0;
  const peak = new Peak({ monotonicMs: () => nowMs });
  const record = (value: number, atMs: number): void => {
    nowMs = atMs;
    peak.record(value);
  };
  record(9, 0);
  record(2, 14_000);
  expect([peak.value, peak.value]).toEqual([9, 9]);
  record(3, 16_000);
  expect(peak.value).toBe(9);
  record(1, 32_000);
  expect(peak.value).toBe(3);
});
