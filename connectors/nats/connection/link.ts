/**
 * Is NATS there? The client makes a lost connection anew by itself, and notices a server that is silent after minutes only. This asks, and says
 * since when there is no answer.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../../runtime/contract/ports.js';

const ASK_EVERY_MS = 500;
const ANSWER_MS = 1_000;

/** Gives since when NATS has not answered, epoch ms; undefined while it does. Ends with the connection. */
export function watchLink(connection: NatsConnection, clock: Clock): () => number | undefined {
  let awaySinceMs: number | undefined;
  const watch = async (): Promise<void> => {
    let answer: Promise<boolean> | undefined;
    while (!connection.isClosed()) {
      const askedMs = clock.nowMs();
      // One question at a time: those that a silent server has not answered stay in memory.
      answer ??= connection.rtt().then(
        () => true,
        () => false,
      );
      const enough = new AbortController();
      const late = clock.sleep(ANSWER_MS, enough.signal).then(() => undefined);
      const answered = await Promise.race([answer, late]);
      enough.abort();
      if (answered !== undefined) answer = undefined;
      awaySinceMs = answered === true ? undefined : (awaySinceMs ?? askedMs);
      await clock.sleep(ASK_EVERY_MS);
    }
  };
  void watch();
  return () => awaySinceMs;
}
