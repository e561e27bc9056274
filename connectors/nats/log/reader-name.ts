/** Names of consumers show which process they belong to, also after that process was killed. */
import { nuid } from '@nats-io/transport-node';

/** Occurs neither in process ids nor in what the client appends. */
const BETWEEN = '_';

/** Prefix for the consumers of one reader: the client appends a number that rises each time it recreates the consumer. */
export const readerPrefix = (process: string): string => `${process}${BETWEEN}${nuid.next()}`;

/** The process that a consumer reads for; absent: unknown. */
export function processOfReader(consumer: string): string | undefined {
  const parts = consumer.split(BETWEEN);
  return parts.length === 3 ? parts[0] : undefined;
}
