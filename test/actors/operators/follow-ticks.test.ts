import { TestScheduler } from 'rxjs/testing';
import { expect, it } from 'vitest';
import type { SourceState } from '../../../actors/maths/watermark.js';
import { followTicks } from '../../../actors/operators/follow-ticks.js';
import { value } from '../../../runtime/contract/stage.js';

it('followTicks keeps the latest tick, and since when it is quiet', () => {
  const cell = value<SourceState>(() => ({ watermarkMs: 5 })).create();
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    const ticks = hot('-a-b--c-|', { a: { timeMs: 10 }, b: { timeMs: 20 }, c: { timeMs: 15 } });
    expectObservable(ticks.pipe(followTicks(cell))).toBe('-x-y--y-|', {
      x: { watermarkMs: 5, tickMs: 10, quietSinceMs: 10 },
      y: { watermarkMs: 5, tickMs: 20, quietSinceMs: 10 },
    });
  });
  expect(cell.get()).toEqual({ watermarkMs: 5, tickMs: 20, quietSinceMs: 10 });
});
