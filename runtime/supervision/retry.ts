/** Work that has to wait for a NATS cluster which is electing its leaders: again after a pause, for as long as it is wanted. */
import { reactionOf } from '../contract/errors.js';
import type { Clock } from '../contract/ports.js';

const PAUSE_MS = 500;

/** Gives up, with the error, on what is not Transient, and when `isWanted` says so. */
export async function outlasting<T>(
  work: () => Promise<T>,
  { clock, isWanted, onWait }: { clock: Clock; isWanted: () => boolean; onWait: (error: unknown) => void },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (reactionOf(error) !== 'transient' || !isWanted()) throw error;
      if (attempt === 1) onWait(error);
    }
    await clock.sleep(PAUSE_MS);
  }
}

/** The death of a leader and the election of another, with room. */
const PATIENCE_MS = 30_000;

/** For what there is no going on without: waits for as long in all, over everything that is done with it. */
export function patience(clock: Clock, onWait: (error: unknown) => void) {
  const endMs = clock.nowMs() + PATIENCE_MS;
  const isWanted = (): boolean => clock.nowMs() < endMs;
  return <T>(work: () => Promise<T>): Promise<T> => outlasting(work, { clock, isWanted, onWait });
}
