/** Is the connection there? The client makes it anew by itself; here is since when it has been trying. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../runtime/ports.js';

/** Gives since when the connection is lost, epoch ms; undefined while it is there. */
export function watchLink(connection: NatsConnection, clock: Pick<Clock, 'nowMs'>): () => number | undefined {
  let awaySinceMs: number | undefined;
  const watch = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') awaySinceMs ??= clock.nowMs();
      else if (type === 'reconnect') awaySinceMs = undefined;
    }
  };
  void watch();
  return () => awaySinceMs;
}
