/** The watch over a node's health: what it tells, and how often. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GRACE_MS, type Health } from '../../../runtime/supervision/health.js';
import { HealthWatch, readHealthNote } from '../../../runtime/node/health.js';
import { newStatus } from '../../../runtime/telemetry/status.js';
import { settled, VirtualClock } from '../virtual-clock.js';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-health-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

it('tells the façade at each look, the log and the doctor when something changes', async () => {
  const clock = new VirtualClock();
  const status = newStatus('sum', 0);
  status.sinceMs = clock.nowMs();
  const applied: boolean[] = [];
  const lines: string[] = [];
  const note = (_: object, message: string): void => void lines.push(message);
  const watch = HealthWatch.start({
    ...{ dataDir, clock, logger: { debug: note, info: note, warn: note, error: note }, listens: undefined },
    vitals: () => ({
      ...{ instances: [status], threads: [], nowMs: clock.nowMs() },
      ...{ natsUnreachableSinceMs: undefined, outOfTouchSinceMs: undefined },
    }),
    apply: ({ serving }: Health) => applied.push(serving),
    ask: () => undefined,
  });
  const looks = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      clock.wakeNext();
      await settled();
    }
  };
  const is = (state: typeof status.state): void => {
    status.state = state;
    status.sinceMs = clock.nowMs();
  };
  await looks(3);
  is('running');
  await looks(3);
  expect([applied, lines]).toEqual([
    [false, false, false, false, true, true, true],
    ['not serving yet', 'serving'],
  ]);
  status.failingSinceMs = clock.nowMs();
  is('backoff');
  await looks(8);
  expect(lines).toHaveLength(2);
  while (clock.nowMs() <= status.failingSinceMs + GRACE_MS) await looks(1);
  await looks(5);
  expect([applied.at(-1), lines.slice(2)]).toEqual([false, ['not serving']]);
  await expect.poll(() => readHealthNote(dataDir)).toMatchObject({ serving: false, process: process.pid });
  // To the second for the doctor; the log has heard of it.
  for (const seconds of [7, 30]) {
    while (clock.nowMs() < status.failingSinceMs + seconds * 1_000) await looks(1);
    await expect.poll(() => readHealthNote(dataDir)!.reasons[0]).toMatch(new RegExp(`^sum\\.0 fails for ${seconds} s`));
  }
  expect(lines).toHaveLength(3);
  status.failingSinceMs = undefined;
  is('running');
  await looks(2);
  expect([applied.at(-1), lines.slice(3), watch.health?.serving]).toEqual([true, ['serving'], true]);
  status.refusal = { sinceMs: clock.nowMs() - GRACE_MS - 1, reason: 'LOG_FULL' };
  await looks(2);
  expect([applied.at(-1), lines.slice(4), watch.health?.takesEvents]).toEqual([
    true,
    ['serving, and taking no events'],
    false,
  ]);
  await watch.stop();
  expect(readHealthNote(dataDir)).toBeUndefined();
});

it('logs a warning about answers once, whatever its figures do, and again when it comes back', async () => {
  const clock = new VirtualClock();
  const status = Object.assign(newStatus('sum', 0), { state: 'running', sinceMs: clock.nowMs() });
  let warnings: string[] = [];
  const warned: string[] = [];
  const ignore = (): void => undefined;
  const watch = HealthWatch.start({
    ...{ dataDir, clock, listens: undefined },
    logger: { debug: ignore, info: ignore, warn: (_, message) => void warned.push(message), error: ignore },
    vitals: () => ({
      ...{ instances: [status], threads: [], nowMs: clock.nowMs(), warnings },
      ...{ natsUnreachableSinceMs: undefined, outOfTouchSinceMs: undefined },
    }),
    ...{ apply: ignore, ask: ignore },
  });
  const shows = async (now: string[]): Promise<void> => {
    warnings = now;
    clock.wakeNext();
    await settled();
  };
  await shows(['62 % of the 1204 lists of the last 5 minutes are fallback: why?']);
  await shows(['64 % of the 980 lists of the last 5 minutes are fallback: why?']);
  expect(warned).toEqual(['62 % of the 1204 lists of the last 5 minutes are fallback: why?']);
  expect(watch.health).toMatchObject({ serving: true, warnings });
  await shows([]);
  await shows(['7 % of the 980 lists of the last 5 minutes are empty: why?']);
  expect(warned).toHaveLength(2);
  await watch.stop();
});

describe('the note for the doctor', () => {
  let clock: VirtualClock;
  let warnings: string[];
  let status: ReturnType<typeof newStatus>;
  beforeEach(() => {
    clock = new VirtualClock();
    warnings = [];
    status = newStatus('sum', 0);
    status.sinceMs = clock.nowMs();
  });
  const started = (directory: string): HealthWatch =>
    HealthWatch.start({
      ...{ dataDir: directory, clock, listens: undefined },
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: (_, message) => void warnings.push(message),
        error: () => undefined,
      },
      vitals: () => ({
        ...{ instances: [status], threads: [], nowMs: clock.nowMs() },
        ...{ natsUnreachableSinceMs: undefined, outOfTouchSinceMs: undefined },
      }),
      ...{ apply: () => undefined, ask: () => undefined },
    });
  const file = (): string => join(dataDir, 'health.json');

  it('keeps no look waiting for the disk, and the newest one stays', async () => {
    const watch = started(dataDir);
    expect(existsSync(file())).toBe(false);
    status.state = 'running';
    clock.wakeNext();
    await settled();
    expect(watch.health).toMatchObject({ serving: true });
    await expect.poll(() => readHealthNote(dataDir)).toMatchObject({ serving: true });
    await watch.stop();
  });

  it('is not written again by a write that was under way when the watch stopped', async () => {
    await started(dataDir).stop();
    expect([existsSync(file()), existsSync(`${file()}.new`)]).toEqual([false, false]);
  });

  it('is missing without harm where it cannot be written, which the log says once', async () => {
    const noDirectory = join(dataDir, 'file');
    writeFileSync(noDirectory, '');
    const watch = started(noDirectory);
    await expect.poll(() => warnings).toHaveLength(1);
    status.state = 'running';
    for (const state of ['running', 'backoff', 'running'] as const) {
      status.state = state;
      clock.wakeNext();
      await settled();
    }
    await watch.stop();
    expect(warnings).toEqual(['cannot write health.json: rivulet doctor knows less', 'cannot remove health.json']);
  });
});
