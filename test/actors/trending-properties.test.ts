/** Trending against a batch oracle: any order within an epoch, any frames, snapshots and crashes anywhere. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trending } from '../../actors/trending.js';
import {
  type Engagement,
  HOUR,
  type Kind,
  type OracleRow,
  rowOf,
  ranked,
  trendingOracle,
} from '../support/trending-oracle.js';
import { type Cut, cutsOf, framesOf, play, playWithCrashes, rowsSaid, type Step } from './script.js';

const DELAY = 600_000;
const STEP = HOUR / 12;
const SIZE: Readonly<Record<Kind, number>> = { hour: HOUR, day: 24 * HOUR };
const NIGHT = Date.UTC(2019, 9, 1);

/** Around midnight, over more hours than the hour's delay and, now and then, more than the day's; at the edges of hours in particular. */
const timeArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: -4, max: 4 }), fc.constantFrom(-1, 0, 1)).map(([h, d]) => h * HOUR + d),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: -14, max: 14 }), fc.constantFrom(-1, 0, 1)).map(([s, d]) => s * STEP + d),
  },
  { weight: 1, arbitrary: fc.integer({ min: -30 * HOUR, max: 60 * HOUR }) },
);
const engagement: fc.Arbitrary<Engagement> = fc.record({
  time: timeArbitrary.map((ms) => NIGHT + ms),
  type: fc.constantFrom('view', 'view', 'click', 'cart', 'purchase', 'remove_from_cart', 'rating'),
  item: fc.integer({ min: 1, max: 12 }).map(String),
  category: fc.constantFrom(undefined, 'kids.toys', 'kids', 'auto.car', 'auto.car|kids'),
});
const epochsArbitrary = fc.array(fc.array(engagement, { maxLength: 25 }), { minLength: 1, maxLength: 6 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

/** The steps of a bounded job: W moves at the end of an epoch, and is told at the end of the next. */
function stepsOf(epochs: readonly (readonly Engagement[])[], frames: readonly number[]): Step[] {
  let known = -Infinity;
  const steps = epochs.flatMap((events): Step[] => {
    const end: Step = { end: true, watermarkMs: known - DELAY };
    known = Math.max(known, ...events.map(({ time }) => time));
    return [...framesOf('events', events.map(rowOf), frames), end];
  });
  return [...steps, { over: true }];
}

const text = ({ start, end, item, views, clicks, score, rank }: OracleRow): string =>
  [start, end, item, views, clicks, score, rank].join();
const expectedOf = (epochs: readonly (readonly Engagement[])[], kind: Kind): string[] =>
  trendingOracle(epochs, kind).map(text).sort();

/** What was said of a kind of window at each step, as lines. */
function run(steps: readonly Step[], cuts: readonly Cut[], kind: Kind): string[] {
  const stage = trending({ published: 'closed', delayMs: DELAY });
  const said = cuts.length === 0 ? play(stage, steps) : playWithCrashes(stage, steps, cuts);
  const rows = rowsSaid(said, kind === 'hour' ? 'hours' : 'days') as unknown as OracleRow[];
  return rows.map((row) => text({ ...row, end: row.start + SIZE[kind] }));
}

describe('closed windows', () => {
  it('are those of the oracle, whatever crashes and frames there are', () => {
    fc.assert(
      fc.property(epochsArbitrary, sizes, cutsOf(60), (epochs, frames, cuts) => {
        const steps = stepsOf(epochs, frames);
        for (const kind of ['hour', 'day'] as const) {
          const rows = run(
            steps,
            cuts.filter(({ at }) => at < steps.length),
            kind,
          );
          expect(rows.sort()).toEqual(expectedOf(epochs, kind));
        }
      }),
    );
  });

  it('do not depend on the order of events within an epoch', () => {
    const shuffled = epochsArbitrary.chain((epochs) =>
      fc.tuple(
        fc.constant(epochs),
        ...epochs.map((events) => fc.shuffledSubarray(events, { minLength: events.length })),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([epochs, ...mixed]) => {
        const rows = (of: readonly (readonly Engagement[])[]): string[][] =>
          (['hour', 'day'] as const).map((kind) => run(stepsOf(of, [100]), [], kind));
        expect(rows(mixed)).toEqual(rows(epochs));
      }),
    );
  });
});

describe('live', () => {
  it('the newest hour, day and last hour are those of a sort of all events that are not too late, after any crashes', () => {
    fc.assert(
      fc.property(fc.array(engagement, { minLength: 1, maxLength: 60 }), sizes, cutsOf(80), (events, frames, cuts) => {
        const steps = [...framesOf('events', events.map(rowOf), frames).flatMap((step): Step[] => [step, { tick: 1 }])];
        const stage = trending({ published: 'live', delayMs: DELAY });
        const said = playWithCrashes(
          stage,
          steps,
          cuts.filter(({ at }) => at < steps.length),
        );
        const counted = events.filter(({ type }) => !['rating', 'remove_from_cart'].includes(type));
        if (counted.length === 0) return;
        const latest = Math.max(...counted.map(({ time }) => time));
        const pane = Math.floor(latest / HOUR) * HOUR;
        const step = Math.floor(latest / STEP + 1) * STEP;
        for (const [window, start, end] of [
          [0, pane, pane + HOUR],
          [1, pane - 23 * HOUR, pane + HOUR],
          [2, step - HOUR, step],
        ] as const) {
          // The last list over all that was said of the window.
          const last = said
            .map((saying) =>
              rowsSaid([saying], 'tops').filter(
                (r) => r['window'] === window && r['category'] === undefined && r['start'] === start,
              ),
            )
            .filter((rows) => rows.length > 0)
            .at(-1)!;
          const inside = counted.filter(({ time }) => time >= start && time < end);
          expect(last.map(({ item, views, clicks, score }) => ({ item, views, clicks, score }))).toEqual(
            ranked(inside, 0, 0).map(({ item, views, clicks, score }) => ({ item, views, clicks, score })),
          );
        }
      }),
    );
  });
});
