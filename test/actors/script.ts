/**
 * A stage's inputs as a list, played through a StageDriver: straight, or with snapshots and crashes at given cuts.
 */
import fc from 'fast-check';
import type { AnyStage } from '../../runtime/contract/stage.js';
import { encodeFrame } from '../../runtime/frames/codec.js';
import { type Said, StageDriver } from '../support/stage-driver.js';

export type Rows = readonly object[];
type Value = string | number | undefined;

export interface Fed {
  readonly feed: string;
  readonly rows: Rows;
}

export type Step =
  | Fed
  | { readonly end: true; readonly watermarkMs?: number; readonly asOfMs?: number }
  | { readonly tick: number }
  | { readonly over: true };

/** What a step made the stage say. */
export type Saying = Said['rows'];

/** After step `at`: take a snapshot, or lose everything since the last one. */
export interface Cut {
  readonly at: number;
  readonly kind: 'snapshot' | 'crash';
}

/** What each step said when nothing went wrong. */
export const play = (stage: AnyStage, steps: readonly Step[], driver = new StageDriver(stage)): Saying[] =>
  steps.map((step) => perform(driver, step).rows);

/** As `playExactly`, of which only the rows are wanted. */
export const playWithCrashes = (stage: AnyStage, steps: readonly Step[], cuts: readonly Cut[]): Saying[] =>
  playExactly(stage, steps, cuts).said.map(({ rows }) => rows);

/**
 * What each step said the last time it was played. Every cut happens once; after a crash the steps since the last snapshot are played
 * again, and must say again what they said before, byte by byte: rows, their order, their dictionaries and the progress beside them. The
 * runtime cuts a long answer by all of these.
 */
export function playExactly(
  stage: AnyStage,
  steps: readonly Step[],
  cuts: readonly Cut[] = [],
): { readonly said: readonly Said[]; readonly driver: StageDriver } {
  const driver = new StageDriver(stage);
  const said: Said[] = [];
  const open = new Set(cuts);
  let stored = 0;
  for (let at = 0; at < steps.length; at++) {
    const now = perform(driver, steps[at]!);
    const before = said[at];
    if (before !== undefined && exact(before) !== exact(now))
      throw new Error(`step ${at}: ${exact(now)}, before the crash ${exact(before)}`);
    said[at] = now;
    for (const cut of cuts) {
      if (cut.at !== at || !open.delete(cut)) continue;
      if (cut.kind === 'snapshot') {
        driver.snapshot();
        stored = at + 1;
      } else {
        driver.crash();
        at = stored - 1;
        break;
      }
    }
  }
  return { said, driver };
}

/** All that was said, to the byte. */
export const exact = ({ frames, progress }: Said): string =>
  JSON.stringify([
    frames.map(({ output, frame }) => [output, Buffer.from(encodeFrame(frame)).toString('latin1')]),
    progress,
  ]);

export const cutsOf = (steps: number): fc.Arbitrary<Cut[]> =>
  fc.array(
    fc.record({
      at: fc.nat({ max: Math.max(0, steps - 1) }),
      kind: fc.constantFrom('snapshot' as const, 'crash' as const),
    }),
    { maxLength: 8 },
  );

/** The rows in frames of random sizes, as steps. */
export function framesOf(feed: string, rows: Rows, sizes: readonly number[]): Step[] {
  const steps: Step[] = [];
  for (let start = 0, i = 0; start < rows.length; i++) {
    const size = Math.max(1, sizes[i % Math.max(1, sizes.length)] ?? rows.length);
    steps.push({ feed, rows: rows.slice(start, start + size) });
    start += size;
  }
  return steps;
}

/** All rows of one output, over all steps. */
export const rowsSaid = (said: readonly Saying[], output: string): Readonly<Record<string, Value>>[] =>
  said.flatMap((saying) => saying[output] ?? []);

/** Rows as plain objects on one input; columns that are left out are absent. */
export const feed = (driver: StageDriver, input: string, rows: Rows): Said => driver.feed(input, rows as never);

function perform(driver: StageDriver, step: Step): Said {
  if ('feed' in step) return feed(driver, step.feed, step.rows);
  if ('over' in step) return driver.endInput();
  return 'tick' in step ? driver.tick(step.tick) : driver.endEpoch(step.watermarkMs, step.asOfMs);
}
