/** Reading the views of this node (composition). */
import { transient } from '../contract/errors.js';
import type { MailboxProcessor } from '../actor/processor.js';
import type { Host } from '../shards/host.js';

/**
 * Readers of a view by partition, of its current state; during a restart, of its state before. Throws Transient VIEW_RESTORING before the first state.
 */
export function readersOf<R>(host: () => Host, stage: string, make: (processor: MailboxProcessor) => R) {
  const latest = new Map<number, MailboxProcessor>();
  const readers = new WeakMap<MailboxProcessor, R>();
  return (partition: number): { readonly processor: MailboxProcessor; readonly reader: R } => {
    const processor = host().actor(stage, partition)?.processor ?? latest.get(partition);
    if (processor === undefined) throw transient('VIEW_RESTORING', `partition ${partition} of ${stage} is restarting`);
    let reader = readers.get(processor);
    if (reader === undefined) {
      latest.set(partition, processor);
      readers.set(processor, (reader = make(processor)));
    }
    return { processor, reader };
  };
}
