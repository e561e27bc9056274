/** Reading the views of this node (composition). */
import { transient } from '../contract/errors.js';
import type { MailboxProcessor } from '../actor/processor.js';
import type { Host } from '../shards/host.js';

/**
 * The folds of a view by partition, as they stand; while one restarts, as it last stood. Throws Transient VIEW_RESTORING before it has stood at all.
 */
export function readersOf<R>(host: () => Host, stage: string, make: (fold: MailboxProcessor) => R) {
  const latest = new Map<number, MailboxProcessor>();
  const readers = new WeakMap<MailboxProcessor, R>();
  return (partition: number): { readonly fold: MailboxProcessor; readonly reader: R } => {
    const fold = host().actor(stage, partition)?.fold ?? latest.get(partition);
    if (fold === undefined) throw transient('VIEW_RESTORING', `partition ${partition} of ${stage} is restarting`);
    let reader = readers.get(fold);
    if (reader === undefined) {
      latest.set(partition, fold);
      readers.set(fold, (reader = make(fold)));
    }
    return { fold, reader };
  };
}
