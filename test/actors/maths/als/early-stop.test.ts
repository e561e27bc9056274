import { expect, it } from 'vitest';
import { EarlyStop } from '../../../../actors/maths/als/early-stop.js';

/** When it stops, and what was best, of values that come one after the other. */
function stopped(values: readonly number[], ...of: ConstructorParameters<typeof EarlyStop>) {
  const early = new EarlyStop<string>(...of);
  const at = values.findIndex((value, i) => early.next(i + 1, value, () => `found in ${i + 1}`) === 'stop') + 1;
  return { at, best: early.best };
}

it('stops when nothing was better for as many iterations as it waits, and keeps the best', () => {
  const best = { iteration: 3, value: 3, found: 'found in 3' };
  expect(stopped([5, 4, 3, 3, 3.5, 2], 2)).toEqual({ at: 5, best });
  expect(stopped([5, 4, 3, 3, 3.5, 2], 3)).toEqual({ at: 0, best: { iteration: 6, value: 2, found: 'found in 6' } });
});

it('takes no gain for better that is too small', () => {
  expect(stopped([100, 90, 89.95, 89.92], 2, 0.001)).toMatchObject({ at: 4, best: { iteration: 2 } });
  expect(stopped([-0.1, -0.2, -0.19], 1)).toMatchObject({ at: 3, best: { value: -0.2 } });
});
