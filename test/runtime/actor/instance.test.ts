/** A stage instance (STAGE-1, STAGE-2, STAGE-4): what a pipeline may not do is noticed. */
import { catchError, delay, EMPTY, map, merge, mergeMap, NEVER, type Observable, of, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { frameOf, frameType, rowsOf } from '../../../runtime/frames/frame.js';
import { StageInstance } from '../../../runtime/actor/instance.js';
import { type Emission, input, keyed, stage, type StageContext, value } from '../../../runtime/contract/stage.js';

const rows = frameType('rows', { n: 'f64' });
const inputs = { a: input(rows), b: input(rows) };
const outputs = { rows, other: rows };
const state = { sum: value(() => 0), seen: keyed<number>() };
type Context = StageContext<typeof inputs, typeof outputs, typeof state>;

const instanceOf = (pipeline: (context: Context) => Observable<Emission>): StageInstance =>
  new StageInstance(stage({ id: 'toy', key: 'user', version: 1, inputs, outputs, state, pipeline }), 3);
const frame = (...ns: readonly number[]) =>
  frameOf(
    rows,
    ns.map((n) => ({ n })),
  );
const said = (emissions: readonly Emission[]): unknown[] =>
  emissions.map(({ output, frame: one }) => [output, rowsOf(one).map(({ n }) => n)]);

describe('an instance', () => {
  it('gives what each input causes, in order', () => {
    const instance = instanceOf(({ inputs: { a, b }, out, epochEnds, ticks, partition }) =>
      merge(
        a.pipe(mergeMap((one) => [out.rows(one), out.other(one)])),
        b.pipe(mergeMap(() => EMPTY)),
        epochEnds.pipe(map(({ epoch, watermarkMs }) => out.rows(frame(epoch, watermarkMs)))),
        ticks.pipe(map(({ timeMs }) => out.other(frame(timeMs, partition), { everywhere: true }))),
      ),
    );
    expect(said(instance.take('a', frame(1, 2)))).toEqual([
      ['rows', [1, 2]],
      ['other', [1, 2]],
    ]);
    expect(said(instance.take('b', frame(1)))).toEqual([]);
    expect(said(instance.endEpoch({ epoch: 0, watermarkMs: 7, asOfMs: 9 }))).toEqual([['rows', [0, 7]]]);
    expect(instance.tick(9)).toMatchObject([{ output: 'other', progress: { everywhere: true } }]);
    expect(() => instance.take('c', frame())).toThrow('stage toy has no input c');
  });

  it('keeps counters as state, beside the stage’s cells', () => {
    const instance = instanceOf(({ inputs: { a }, count }) =>
      a.pipe(
        mergeMap((one) => {
          count('events', one.rows);
          count('late', 0);
          return EMPTY;
        }),
      ),
    );
    instance.take('a', frame(1, 2, 3));
    expect(instance.counts()).toMatchObject({ events: 3, late: 0 });
    expect([...instance.cut()].map(({ state }) => state)).toEqual(['$counters']);
    expect([...instance.cut()]).toEqual([]);
  });

  it('throws what the pipeline throws, and goes on throwing: it must be made anew (STAGE-4)', () => {
    const instance = instanceOf(({ inputs: { a, b }, out }) =>
      merge(
        a.pipe(
          map((one) => {
            if (one.rows === 2) throw new RangeError('two');
            return out.rows(one);
          }),
        ),
        b.pipe(map((one) => out.rows(one))),
      ),
    );
    expect(instance.take('a', frame(1))).toHaveLength(1);
    expect(() => instance.take('a', frame(1, 2))).toThrow(RangeError);
    expect(() => instance.take('b', frame(1))).toThrow(RangeError);
  });

  it('notices what is emitted outside of an input (STAGE-1)', async () => {
    const instance = instanceOf(({ inputs: { a }, out }) =>
      a.pipe(
        delay(0),
        map((one) => out.rows(one)),
      ),
    );
    expect(instance.take('a', frame(1))).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(() => instance.take('a', frame(1))).toThrow('stage toy emitted rows outside of an input (rule STAGE-1)');
  });

  it.each<[string, (context: Context) => Observable<Emission>]>([
    [
      'takes one',
      ({ inputs: { a }, out }) =>
        a.pipe(
          take(1),
          map((one) => out.rows(one)),
        ),
    ],
    ['is complete from the start', () => EMPTY],
    [
      'swallows its own error',
      ({ inputs: { a } }) =>
        a.pipe(
          map((): Emission => {
            throw new Error('swallowed');
          }),
          catchError(() => EMPTY),
        ),
    ],
  ])('notices a pipeline that completes, which would swallow every later input (STAGE-4): %s', (_, pipeline) => {
    const instance = instanceOf(pipeline);
    expect(() => {
      instance.take('a', frame(1));
      instance.take('a', frame(2));
    }).toThrow('the pipeline of stage toy has completed (rule STAGE-4)');
  });

  it('may be silent for ever, and emit at once when it is built', () => {
    expect(instanceOf(() => NEVER).take('a', frame(1))).toEqual([]);
    expect(() => instanceOf(({ out }) => merge(of(out.rows(frame(1))), NEVER)).take('a', frame(1))).toThrow(
      /rule STAGE-1/,
    );
  });

  it('is silent after stop', () => {
    const instance = instanceOf(({ inputs: { a }, out }) => a.pipe(map((one) => out.rows(one))));
    instance.stop();
    expect(instance.take('a', frame(1))).toEqual([]);
  });
});
