import { expect, it } from 'vitest';
import { fatal, transient } from '../../../runtime/contract/errors.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { FAILOVER_MS, Final, retry, retryThroughFailover } from '../../../runtime/supervision/retry.js';
import { settled, VirtualClock } from '../virtual-clock.js';

const away = transient('LOG_UNREACHABLE', 'away');

/** Time passes until the work is settled. */
async function outcome<T>(clock: VirtualClock, work: Promise<T>): Promise<T | Error> {
  let result: T | Error | undefined;
  void work.then(
    (value) => (result = value),
    (error: Error) => (result = error),
  );
  for (let step = 0; step < 1_000 && result === undefined; step++) {
    await settled();
    if (result === undefined) clock.wakeNext();
  }
  return result!;
}

it('tries Transient failures again, with pauses that double up to a bound, and reports each', async () => {
  const clock = new VirtualClock();
  const pauses: number[] = [];
  let left = 9;
  const work = (): Promise<string> => (left-- > 0 ? Promise.reject(away) : Promise.resolve('done'));
  const onRetry = (_: unknown, attempt: number, pauseMs: number): void => void (pauses[attempt - 1] = pauseMs);
  expect(await outcome(clock, retry(work, { clock, onRetry }))).toBe('done');
  expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
});

it('throws at once what is not Transient, and a Transient failure when it is not wanted any more', async () => {
  const clock = new VirtualClock();
  const broken = fatal('TOPOLOGY', 'broken');
  await expect(retry(() => Promise.reject(broken), { clock })).rejects.toBe(broken);
  await expect(retry(() => Promise.reject(away), { clock, isWanted: () => false })).rejects.toBe(away);
  expect(clock.sleeping).toBe(0);
});

it('goes through a failover for so long in all, whatever the wall clock does', async () => {
  const clock = new VirtualClock();
  const startedMs = clock.monotonicMs();
  const waits: unknown[] = [];
  const through = retryThroughFailover(clock, (error) => waits.push(error));
  clock.setWall(-8 * 3_600_000);
  expect(
    await outcome(
      clock,
      through(() => Promise.reject(away)),
    ),
  ).toBe(away);
  const tookMs = clock.monotonicMs() - startedMs;
  expect(tookMs).toBeGreaterThanOrEqual(FAILOVER_MS);
  expect(tookMs).toBeLessThan(FAILOVER_MS + 2_000);
  expect(waits).toEqual([away]);
});

it('a deadline ends when it should though the wall clock was set back', () => {
  const clock = new VirtualClock();
  const deadline = new Deadline(1_000, clock);
  clock.setWall(-3_600_000);
  clock.advance(600);
  expect(deadline.leftMs).toBe(400);
});

it('throws at once what the work says is final, although it is Transient', async () => {
  const clock = new VirtualClock();
  let attempts = 0;
  const work = (): Promise<never> => {
    attempts++;
    return Promise.reject(new Final(away));
  };
  expect(await outcome(clock, retry(work, { clock }))).toBe(away);
  expect(attempts).toBe(1);
});
