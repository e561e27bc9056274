/** What feeds a world: publishers that repeat themselves, and writers that are broken off and go on. */
import { reactionOf } from '../../runtime/contract/errors.js';
import type { Feed } from './job.js';

const SAID_TWICE = 0.05;
const BROKEN_OFF = 0.7;
const BROKEN_OFF_WITHIN_MS = 300;

/** Again until it is done; a publisher that got no answer says it again. */
async function untilDone(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await work();
      return;
    } catch (error) {
      if (reactionOf(error) !== 'transient' && (error as Error).message !== 'broken off') throw error;
    }
  }
}

export interface Publication {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Each publisher's messages in order; some of them are sent twice for no reason. */
export async function publishAll(
  { world, log, signal }: Feed,
  publishers: readonly (readonly Publication[])[],
): Promise<void> {
  const sending = publishers.map(async (publications) => {
    for (const { subject, data } of publications) {
      const times = !world.calm && world.schedule.chance(SAID_TWICE) ? 2 : 1;
      for (let i = 0; i < times; i++) await untilDone(signal, () => log.publish(subject, data));
    }
  });
  await Promise.all(sending);
}

/** Runs a writer that is broken off now and then, and goes on behind what it has said. */
export function again({ world, signal }: Feed, write: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { schedule } = world;
  return untilDone(signal, () => {
    const abort = new AbortController();
    const breakOff = (): void => {
      abort.abort(new Error('broken off'));
    };
    signal.addEventListener('abort', breakOff, { signal: abort.signal });
    if (!world.calm && schedule.chance(BROKEN_OFF)) {
      void schedule.clock.sleep(schedule.random() * BROKEN_OFF_WITHIN_MS).then(breakOff);
    }
    return write(abort.signal).finally(breakOff);
  });
}
