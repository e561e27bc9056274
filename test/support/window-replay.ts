/**
 * Plays a stage's steps with snapshots and crashes, and holds what it says again after a crash against what it said before, byte by byte: rows,
 * their order, their dictionaries and the progress beside them. The runtime cuts a long answer by all of these.
 */
import { encodeFrame } from '../../runtime/frames/codec.js';
import type { AnyStage } from '../../runtime/contract/stage.js';
import type { Cut, Step } from '../actors/script.js';
import { type Said, StageDriver } from './stage-driver.js';

export interface Played {
  /** What each step said the last time it was played. */
  readonly said: readonly Said[];
  readonly driver: StageDriver;
}

export function playExactly(stage: AnyStage, steps: readonly Step[], cuts: readonly Cut[] = []): Played {
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

function perform(driver: StageDriver, step: Step): Said {
  if ('feed' in step) return driver.feed(step.feed, step.rows);
  if ('over' in step) return driver.endInput();
  return 'tick' in step ? driver.tick(step.tick) : driver.endEpoch(step.watermarkMs);
}
