/** The watermark stage against a plain oracle, through crashes, and in frames of any size. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Trigger } from '../../actors/watermark.js';
import type { Progress } from '../../runtime/contract/stage.js';
import { cutsOf, exact, framesOf, playExactly, type Step } from './script.js';
import { DELAY, EVERY, IDLE_AFTER, SKEW, stageOf, stored, TRIGGERS } from './watermark-stage.js';

const SEED = 20191001;

/** Of an event of a time: by how much it is ahead of the clock of the log; 0 or less: it is not. */
type Ahead = readonly [time: number, aheadMs: number];
type Played = { readonly feed: readonly Ahead[] } | { readonly tick: number } | { readonly end: true };

const played: fc.Arbitrary<Played[]> = fc.array(
  fc.oneof(
    fc.record({
      feed: fc.array(fc.tuple(fc.integer({ min: -50, max: 200 }), fc.integer({ min: -9, max: 20 })), { maxLength: 4 }),
    }),
    fc.record({ tick: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ end: fc.constant(true as const) }),
  ),
  { maxLength: 25 },
);

const stepsOf = (steps: readonly Played[]): Step[] =>
  steps.map((step): Step =>
    'feed' in step ? { feed: 'events', rows: step.feed.map(([time, ahead]) => stored(time, time - ahead)) } : step,
  );

/** What is said beside the rows at each step, from all steps up to it. */
function oracle(steps: readonly Played[], trigger: Trigger['kind']): Progress[] {
  let ended = 0;
  return steps.flatMap((step, at): Progress[] => {
    const past = steps.slice(0, at + 1);
    const fed = past.flatMap((one) => ('feed' in one ? one.feed : []));
    const furthest = (skew: number): number =>
      Math.max(...fed.map(([time, ahead]) => Math.min(time, time - ahead + skew)));
    const known = fed.length === 0 ? {} : { watermarkMs: furthest(SKEW) - DELAY, asOfMs: furthest(0) };
    if ('end' in step) return trigger === 'file' ? [{ ...known, everywhere: true }] : [];
    if ('feed' in step) {
      if (step.feed.length === 0) return [];
      const awake = trigger !== 'file' && idleAt(past.slice(0, -1)) ? { idle: false, everywhere: true } : undefined;
      if (trigger === 'frame') return [{ ...known, endsEpoch: true, ...awake }];
      return awake === undefined ? [] : [awake];
    }
    const tickMs = Math.max(...past.flatMap((one) => ('tick' in one ? [one.tick] : [])));
    const crossed = Math.floor(tickMs / EVERY) - ended;
    ended += crossed;
    if (trigger === 'file' || (trigger === 'interval' && crossed === 0)) return [];
    const many = trigger === 'interval' && crossed > 1 ? { epochs: crossed } : {};
    return [{ ...known, tickMs, idle: idleAt(past), endsEpoch: true, ...many, everywhere: true }];
  });
}

/** Is the latest tick at least `IDLE_AFTER` past the first tick after the last rows? */
function idleAt(past: readonly Played[]): boolean {
  const lastRows = past.findLastIndex((one) => 'feed' in one && one.feed.length > 0);
  const ticks = past
    .map((one) => ('tick' in one ? one.tick : -Infinity))
    .map((_, i, all) => Math.max(...all.slice(0, i + 1)));
  const since = past.findIndex((one, i) => i > lastRows && 'tick' in one);
  return since >= 0 && ticks.at(-1)! - ticks[since]! >= IDLE_AFTER;
}

describe.each(Object.keys(TRIGGERS) as Trigger['kind'][])('trigger %s', (trigger) => {
  it('says what the oracle says', () => {
    fc.assert(
      fc.property(played, (steps) => {
        const { said } = playExactly(stageOf(trigger, false), stepsOf(steps));
        // One of three: the same is said on all outputs.
        const progress = said.flatMap(({ frames, progress: all }) =>
          all.filter((_, i) => frames[i]!.output === 'rows'),
        );
        expect(progress).toEqual(oracle(steps, trigger));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('says the same to the byte after a crash at any cut', () => {
    fc.assert(
      fc.property(
        played.chain((steps) => fc.tuple(fc.constant(stepsOf(steps)), cutsOf(steps.length))),
        ([steps, cuts]) => {
          const straight = playExactly(stageOf(trigger), steps);
          expect(playExactly(stageOf(trigger), steps, cuts).said.map(exact)).toEqual(straight.said.map(exact));
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('has the same W and the same rows however they are put into frames', () => {
    const time = fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: -9, max: 20 }));
    const times = fc.array(time, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 }), (all, frameSizes) => {
        const rows = all.map(([at, ahead]) => stored(at, at - ahead, at % 3));
        const end: Step[] = [{ tick: 1_000 }, { tick: 1_000 + EVERY }, { end: true }];
        const [whole, pieces] = [[], frameSizes].map((sizesOf) => {
          const { said } = playExactly(stageOf(trigger), [...framesOf('events', rows, sizesOf), ...end]);
          const of = (output: string) => said.flatMap((one) => one.rows[output] ?? []);
          return {
            rows: of('rows'),
            popularity: of('popularity'),
            ends: said.slice(-end.length).map(({ progress }) => progress),
          };
        });
        expect(pieces).toEqual(whole);
      }),
      { seed: SEED, numRuns: 100 },
    );
  });
});
