/** The watermark stage: by hand, against a plain oracle, through crashes, and in frames of any size. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CART, events, PURCHASE, VIEW } from '../../actors/model.js';
import { type Trigger, watermark } from '../../actors/watermark.js';
import { frameOf, type Progress } from '../../runtime/contract/stage.js';
import { type Said, StageDriver } from '../support/stage-driver.js';
import { exact, playExactly } from '../support/window-replay.js';
import { cutsOf, framesOf, type Step } from './script.js';

const SEED = 20191001;
const DELAY = 10;
const IDLE_AFTER = 60;
const EVERY = 25;
const TRIGGERS: Readonly<Record<Trigger['kind'], Trigger>> = {
  frame: { kind: 'frame' },
  file: { kind: 'file' },
  interval: { kind: 'interval', everyMs: EVERY },
};

const event = (time: number, type = VIEW) => ({ time, type, user: 'u', item: '1' });
const stageOf = (trigger: Trigger['kind'], purchases = true, engagements?: Uint8Array) =>
  watermark({
    ...{ trigger: TRIGGERS[trigger], purchases, delayMs: DELAY, idleAfterMs: IDLE_AFTER },
    ...(engagements === undefined ? {} : { engagements }),
  });

/** Output and number of rows of each frame. */
const sizes = (said: Said): string[] => said.frames.map(({ output, frame }) => `${output} ${frame.rows}`);
const ALL_EMPTY = ['rows 0', 'purchases 0', 'engagements 0'];

describe('rows', () => {
  it('pass as they are, not copied', () => {
    const frame = frameOf(events, [event(1), event(2)]);
    const { frames } = new StageDriver(stageOf('frame')).feed('events', frame);
    expect(frames.map(({ output }) => output)).toEqual(['rows']);
    expect(frames[0]!.frame).toBe(frame);
  });

  it('of type purchase also go to their own output, where wanted', () => {
    const rows = [event(1), event(2, PURCHASE), event(3, CART), event(4, PURCHASE)];
    expect(new StageDriver(stageOf('frame')).feed('events', rows).rows['purchases']).toEqual([
      expect.objectContaining(event(2, PURCHASE)),
      expect.objectContaining(event(4, PURCHASE)),
    ]);
    expect(sizes(new StageDriver(stageOf('frame', false)).feed('events', rows))).toEqual(['rows 4']);
    expect(sizes(new StageDriver(stageOf('file')).feed('events', [event(1), event(2, CART)]))).toEqual(['rows 2']);
  });

  describe('also go to trending, with what it looks at', () => {
    const engagements = Uint8Array.from([1, 0, 1, 0, 0, 0]);
    const looked = [
      { time: 1, type: VIEW, item: '1' },
      { time: 2, type: CART, item: '1' },
      { time: 3, type: VIEW, item: '1', category: 'kids' },
    ];
    const rows = [event(1), event(2, CART), { ...event(3), category: 'kids' }];

    it('at once of files, where it counts any of them', () => {
      const driver = new StageDriver(stageOf('file', true, engagements));
      expect(driver.feed('events', rows).rows).toMatchObject({ engagements: looked });
      expect(sizes(driver.feed('events', [event(4, CART)]))).toEqual(['rows 1']);
    });

    it('live at the next tick, once, whatever crashes there are', () => {
      const driver = new StageDriver(stageOf('frame', true, engagements));
      expect(sizes(driver.feed('events', rows.slice(0, 1)))).toEqual(['rows 1']);
      driver.snapshot();
      driver.feed('events', rows.slice(1));
      driver.crash();
      expect(sizes(driver.feed('events', rows.slice(1)))).toEqual(['rows 2']);
      expect(driver.tick(1_000).rows['engagements']).toEqual(looked);
      driver.snapshot();
      driver.crash();
      expect(driver.tick(2_000).rows['engagements']).toEqual([]);
    });

    it('live before the tick when there are very many', () => {
      const driver = new StageDriver(stageOf('frame', true, engagements));
      const many = Array.from({ length: 5_000 }, (_, i) => event(i));
      expect(sizes(driver.feed('events', many))).toEqual(['rows 5000']);
      expect(sizes(driver.feed('events', many))).toEqual(['rows 5000', 'engagements 10000']);
      expect(driver.tick(1_000).rows['engagements']).toEqual([]);
    });
  });

  it('that are none are nothing', () => {
    const driver = new StageDriver(stageOf('frame'));
    expect(driver.feed('events', []).frames).toEqual([]);
    expect(driver.tick(1).progress[0]).not.toHaveProperty('watermarkMs');
  });
});

describe('trigger frame, by hand', () => {
  it('ends an epoch with each frame; W never moves back', () => {
    const driver = new StageDriver(stageOf('frame'));
    const said = (...times: number[]) =>
      driver.feed(
        'events',
        times.map((time) => event(time)),
      ).progress;
    expect(said(100, 70)).toEqual([{ watermarkMs: 90, asOfMs: 100, endsEpoch: true }]);
    expect(said(80)).toEqual([{ watermarkMs: 90, asOfMs: 100, endsEpoch: true }]);
    expect(said(101)).toEqual([{ watermarkMs: 91, asOfMs: 101, endsEpoch: true }]);
  });

  it('says with purchases what it says with rows', () => {
    const { frames, progress } = new StageDriver(stageOf('frame')).feed('events', [event(100, PURCHASE)]);
    expect(frames.map(({ output }) => output)).toEqual(['rows', 'purchases']);
    expect(progress[1]).toEqual(progress[0]);
  });

  it('at each tick tells all partitions of all outputs', () => {
    const driver = new StageDriver(stageOf('frame'));
    const beforeAny = driver.tick(1_000);
    expect(sizes(beforeAny)).toEqual(ALL_EMPTY);
    const nothing: Progress = { tickMs: 1_000, idle: false, endsEpoch: true, everywhere: true };
    expect(beforeAny.progress).toEqual([nothing, nothing, nothing]);
    driver.feed('events', [event(100)]);
    const told: Progress = { ...nothing, tickMs: 1_001, watermarkMs: 90, asOfMs: 100 };
    expect(driver.tick(1_001).progress).toEqual([told, told, told]);
  });

  it('is idle when no rows came since a tick long enough ago, and awake everywhere with the next rows', () => {
    const driver = new StageDriver(stageOf('frame'));
    const idleAt = (timeMs: number) => [...new Set(driver.tick(timeMs).progress.map(({ idle }) => idle))];
    driver.tick(1_000);
    driver.feed('events', [event(100)]);
    // Silent since the tick 1 010: the rows came before it.
    expect(idleAt(1_010)).toEqual([false]);
    expect(idleAt(1_069)).toEqual([false]);
    expect(idleAt(1_070)).toEqual([true]);
    const woken = driver.feed('events', [event(101)]);
    expect(sizes(woken)).toEqual(['rows 1', 'purchases 0', 'engagements 0']);
    const awake: Progress = { watermarkMs: 91, asOfMs: 101, endsEpoch: true, idle: false, everywhere: true };
    expect(woken.progress).toEqual([awake, awake, awake]);
    expect(sizes(driver.feed('events', [event(102)]))).toEqual(['rows 1']);
    expect(idleAt(1_080)).toEqual([false]);
  });

  it('is idle though no rows ever came', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.tick(1_000);
    expect(driver.tick(1_060).progress[0]).toMatchObject({ idle: true });
  });

  it('says nothing at the end of an epoch of its own', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.feed('events', [event(1)]);
    expect(driver.endEpoch().frames).toEqual([]);
  });
});

describe('trigger file, by hand', () => {
  it('says W at the end of a file only; ticks are nothing', () => {
    const driver = new StageDriver(stageOf('file'));
    expect(driver.feed('events', [event(100, PURCHASE)]).progress).toEqual([]);
    expect(driver.tick(1_000).frames).toEqual([]);
    const end = driver.endEpoch();
    expect(sizes(end)).toEqual(ALL_EMPTY);
    const marker: Progress = { watermarkMs: 90, asOfMs: 100, everywhere: true };
    expect(end.progress).toEqual([marker, marker, marker]);
    driver.tick(9_000);
    expect(driver.feed('events', [event(50)]).progress).toEqual([]);
    expect(driver.endEpoch().progress).toEqual([marker, marker, marker]);
  });

  it('has an end also for a file without rows', () => {
    expect(new StageDriver(stageOf('file')).endEpoch().progress).toEqual([
      { everywhere: true },
      { everywhere: true },
      { everywhere: true },
    ]);
  });
});

describe('trigger interval, by hand', () => {
  it('ends epochs at the first tick past a multiple, as many as were passed', () => {
    const driver = new StageDriver(stageOf('interval'));
    const ticks = [1_003, 1_024, 1_026, 1_049, 1_050, 1_120, 1_124].map((timeMs) => {
      driver.feed('events', [event(timeMs - 1_000)]);
      return driver.tick(timeMs);
    });
    expect(ticks.map(sizes)).toEqual([ALL_EMPTY, [], ALL_EMPTY, [], ALL_EMPTY, ALL_EMPTY, []]);
    const marker = { idle: false, endsEpoch: true, everywhere: true };
    expect(ticks.flatMap(({ progress }) => progress.slice(0, 1))).toEqual([
      { ...marker, epochs: 40, tickMs: 1_003, watermarkMs: -7, asOfMs: 3 },
      { ...marker, tickMs: 1_026, watermarkMs: 16, asOfMs: 26 },
      { ...marker, tickMs: 1_050, watermarkMs: 40, asOfMs: 50 },
      { ...marker, epochs: 2, tickMs: 1_120, watermarkMs: 110, asOfMs: 120 },
    ]);
  });

  it('lets rows go without progress, but for those that wake it', () => {
    const driver = new StageDriver(stageOf('interval'));
    expect(driver.feed('events', [event(1)]).progress).toEqual([]);
    driver.tick(1_000);
    expect(driver.tick(1_060).progress[0]).toMatchObject({ idle: true });
    const awake: Progress = { idle: false, everywhere: true };
    expect(driver.feed('events', [event(2)]).progress).toEqual([awake, awake, awake]);
    expect(driver.feed('events', [event(3)]).progress).toEqual([]);
  });
});

type Played = { readonly feed: number[] } | { readonly tick: number } | { readonly end: true };

const played: fc.Arbitrary<Played[]> = fc.array(
  fc.oneof(
    fc.record({ feed: fc.array(fc.integer({ min: -50, max: 200 }), { maxLength: 4 }) }),
    fc.record({ tick: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ end: fc.constant(true as const) }),
  ),
  { maxLength: 25 },
);

const stepsOf = (steps: readonly Played[]): Step[] =>
  steps.map((step): Step => ('feed' in step ? { feed: 'events', rows: step.feed.map((time) => event(time)) } : step));

/** What is said beside the rows at each step, from all steps up to it. */
function oracle(steps: readonly Played[], trigger: Trigger['kind']): Progress[] {
  let ended = 0;
  return steps.flatMap((step, at): Progress[] => {
    const past = steps.slice(0, at + 1);
    const times = past.flatMap((one) => ('feed' in one ? one.feed : []));
    const known = times.length === 0 ? {} : { watermarkMs: Math.max(...times) - DELAY, asOfMs: Math.max(...times) };
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
    const times = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 }), (all, frameSizes) => {
        const rows = all.map((time) => event(time, time % 3));
        const end: Step[] = [{ tick: 1_000 }, { tick: 1_000 + EVERY }, { end: true }];
        const [whole, pieces] = [[], frameSizes].map((sizesOf) => {
          const { said } = playExactly(stageOf(trigger), [...framesOf('events', rows, sizesOf), ...end]);
          const of = (output: string) => said.flatMap((one) => one.rows[output] ?? []);
          return {
            rows: of('rows'),
            purchases: of('purchases'),
            ends: said.slice(-end.length).map(({ progress }) => progress),
          };
        });
        expect(pieces).toEqual(whole);
      }),
      { seed: SEED, numRuns: 100 },
    );
  });
});
