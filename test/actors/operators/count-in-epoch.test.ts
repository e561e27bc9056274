import { TestScheduler } from 'rxjs/testing';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { instant } from '../../../actors/maths/instant.js';
import { windowsOf } from '../../../actors/maths/window.js';
import { events } from '../../../actors/model.js';
import { countInEpoch } from '../../../actors/operators/count-in-epoch.js';
import { epochLog } from '../../../actors/state/epoch-log.js';
import { frameOf, value } from '../../../runtime/contract/stage.js';
import { rowsOf } from '../../../runtime/frames/frame.js';

const frame = (...times: number[]) =>
  frameOf(
    events,
    times.map((time) => ({ time, user: 'u', item: '1' })),
  );
const windows = windowsOf({ kind: 'tumbling', sizeMs: 300 }, 0);

/** Late times by marble, times counted on time, and the counters. */
function run(
  marbles: string,
  frames: Record<string, ReturnType<typeof frame>>,
  expected: string,
  late: Record<string, number[]>,
  closedUpToMs: number,
) {
  const cells = {
    epoch: epochLog({ paneMs: 300, counted: false }).create(),
    closedUpTo: value(() => closedUpToMs, instant).create(),
  };
  const counts = { on_time: 0, late: 0 };
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    const refused = hot(marbles, frames).pipe(
      countInEpoch(cells, windows, (counter, n) => {
        counts[counter as keyof typeof counts] += n;
      }),
      map((of) => [...of.columns.time]),
    );
    expectObservable(refused).toBe(expected, late);
  });
  const onTime = cells.epoch.take();
  return { onTime: onTime === undefined ? [] : rowsOf(onTime).map(({ time }) => time), counts };
}

describe('countInEpoch', () => {
  it('takes what is on time and passes on what is late', () => {
    const { onTime, counts } = run(
      '-a--b-|',
      { a: frame(601, 900), b: frame(299, 602, 0) },
      '----x-|',
      { x: [299, 0] },
      600,
    );
    expect(onTime).toEqual([601, 900, 602]);
    expect(counts).toEqual({ on_time: 3, late: 2 });
  });

  it('passes nothing on while no window is closed', () => {
    const { onTime } = run('a|', { a: frame(-1e9, 5) }, '-|', {}, -Infinity);
    expect(onTime).toEqual([-1e9, 5]);
  });

  it('takes nothing of a frame that is late altogether', () => {
    const { onTime, counts } = run('a|', { a: frame(1, 2) }, 'x|', { x: [1, 2] }, 600);
    expect(onTime).toEqual([]);
    expect(counts).toEqual({ on_time: 0, late: 2 });
  });

  it('takes a frame without rows for nothing', () => {
    expect(run('a|', { a: frame() }, '-|', {}, 600)).toEqual({ onTime: [], counts: { on_time: 0, late: 0 } });
  });
});
