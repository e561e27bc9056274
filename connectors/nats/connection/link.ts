/**
 * Detects whether NATS responds. The client reconnects by itself, but notices a silent server only after minutes. This sends pings and reports since
 * when there has been no answer.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../../runtime/contract/ports.js';

const ASK_EVERY_MS = 500;
const ANSWER_MS = 1_000;

/** Returns since when NATS has not answered, epoch ms; undefined while it answers. Ends with the connection. */
export function watchLink(connection: NatsConnection, clock: Clock): () => number | undefined {
  let unreachableSinceMs: number | undefined;
  const watch = async (): Promise<void> => {
    let answer: Promise<boolean> | undefined;
    while (!connection.isClosed()) {
      const askedMs = clock.nowMs();
      // One ping at a time: unanswered pings stay in memory.
      answer ??= connection.rtt().then(
        () => true,
        () => false,
      );
      const enough = new AbortController();
      const late = clock.sleep(ANSWER_MS, enough.signal).then(() => undefined);
      const answered = await Promise.race([answer, late]);
      enough.abort();
      if (answered !== undefined) answer = undefined;
      unreachableSinceMs = answered === true ? undefined : (unreachableSinceMs ?? askedMs);
      await clock.sleep(ASK_EVERY_MS);
    }
  };
  void watch();
  return () => unreachableSinceMs;
}
