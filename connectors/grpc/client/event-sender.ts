/** Sends events from a source on the stream of a call. */
import type { ClientWritableStream } from '@grpc/grpc-js';

/** Longer lists are split, so that a message stays well below the node's limit. */
const MESSAGE_EVENTS = 500;

/**
 * Writes what the source yields, list by list, no faster than the call accepts it. After the end of the call, at most one more item is read from
 * the source. When the source throws, the call is cancelled, and the promise rejects with that error.
 */
export async function sendEvents<E, M>(
  source: AsyncIterable<E | readonly E[]> | Iterable<E | readonly E[]>,
  call: ClientWritableStream<M>,
  message: (events: readonly E[]) => M,
): Promise<void> {
  let over = false;
  let proceed: (() => void) | undefined;
  call.on('drain', () => proceed?.());
  call.on('status', () => {
    over = true;
    proceed?.();
  });
  try {
    for await (const item of source) {
      const events: readonly E[] = Array.isArray(item) ? (item as readonly E[]) : [item as E];
      for (let from = 0; from < events.length && !over; from += MESSAGE_EVENTS) {
        const taken = call.write(message(events.slice(from, from + MESSAGE_EVENTS)));
        if (!taken && !over) await new Promise<void>((resolve) => (proceed = resolve));
      }
      if (over) return;
    }
    call.end();
  } catch (error) {
    call.cancel();
    throw error;
  }
}
