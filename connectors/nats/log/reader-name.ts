/** Names of consumers: whose they are can be told from outside, also of those that a process that was killed has left behind. */
import { nuid } from '@nats-io/transport-node';

/** Not in ids of processes, not in what the client appends. */
const BETWEEN = '_';

/** What the client makes the names of one reader of: it appends a number that rises each time that it makes the consumer anew. */
export const readerPrefix = (process: string): string => `${process}${BETWEEN}${nuid.next()}`;

/** The process that a consumer reads for; absent: it was not said. */
export function processOfReader(consumer: string): string | undefined {
  const parts = consumer.split(BETWEEN);
  return parts.length === 3 ? parts[0] : undefined;
}
