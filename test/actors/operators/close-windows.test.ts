import { map } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { expect, it } from 'vitest';
import { instant } from '../../../actors/maths/instant.js';
import { windowsOf, type FixedWindows } from '../../../actors/maths/window.js';
import { events } from '../../../actors/model.js';
import { closeWindows, type OutputMode } from '../../../actors/operators/close-windows.js';
import { epochLog } from '../../../actors/state/epoch-log.js';
import { FixedWindowRows, windowTables } from '../../../actors/state/fixed-windows.js';
import { frameOf, value } from '../../../runtime/contract/stage.js';
import { rowsOf } from '../../../runtime/frames/frame.js';

/** Epoch 0 sees 600, 601; epoch 1, with W = 600, sees 700, 900; epoch 2, with W = 900, nothing; epoch 3, with W = 0, sees 1000. */
function run(output: OutputMode, marbles: string, expected: Record<string, string[]>) {
  const cells = {
    epoch: epochLog({ paneMs: 300, counted: false }).create(),
    closedUpTo: value(() => -Infinity, instant).create(),
  };
  const open = new FixedWindowRows(
    windowTables().create(),
    windowsOf({ kind: 'tumbling', sizeMs: 300 }, 0) as FixedWindows,
  );
  const times = [[600, 601], [700, 900], [], [1000]];
  const watermarks = [-Infinity, 600, 900, 0];
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    const ends = hot('0-1-2-3|').pipe(
      map(Number),
      map((epoch) => {
        if (times[epoch]!.length > 0)
          cells.epoch.add(
            frameOf(
              events,
              times[epoch]!.map((time) => ({ time, user: 'u' })),
            ),
          );
        return { epoch, watermarkMs: watermarks[epoch]!, asOfMs: -Infinity };
      }),
    );
    const rows = ends.pipe(
      closeWindows(cells, open, output),
      map((frame) => rowsOf(frame).map((row) => `${row.windowStart} ${row.count} +${row.added}`)),
    );
    expectObservable(rows).toBe(marbles, expected);
  });
  expect(cells.closedUpTo.get()).toBe(900);
}

it('update passes on what each epoch changed', () => {
  run('update', 'x-y---z|', { x: ['600 2 +2'], y: ['600 3 +1', '900 1 +1'], z: ['900 2 +1'] });
});

it('append passes on what each end closes', () => {
  run('append', '----x--|', { x: ['600 3 +3'] });
});

it('complete passes on all that was open', () => {
  const [x, y, z, w] = [['600 2 +2'], ['600 3 +1', '900 1 +1'], ['600 3 +0', '900 1 +0'], ['900 2 +1']] as const;
  run('complete', 'x-y-z-w|', { x: [...x], y: [...y], z: [...z], w: [...w] });
});
