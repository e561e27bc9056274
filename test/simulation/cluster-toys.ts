/**
 * The live toys with a view, for nodes that share them:
 *
 *   publishers ─▶ read ─▶ sum ─▶ rank ─▶ (totals)
 *                  └─▶ (dead-letter)  └─▶ recommendations: the view, on every node
 */
import { ignoreElements, tap } from 'rxjs';
import { defineTopology, edge, source, topic, type Topology } from '../../runtime/contract/graph.js';
import type { MailboxProcessor } from '../../runtime/actor/processor.js';
import type { ShardSpec } from '../../runtime/shards/shard-spec.js';
import { deadLetters, input, type Keyed, keyed, rowsOf, stage } from '../../runtime/contract/stage.js';
import { rank, read, sum, totals } from '../runtime/toy-stages.js';

/** What toy-jobs.ts publishes. */
const ITEMS = [0, 1, 2, 3, 4, 5].flatMap((user) => [...'abcd'].map((item) => `u${user}.${item}`));
const PARTITIONS = { source: 1, user: 2, item: 2 };

/** The last row of each item. */
const view = stage({
  id: 'recommendations',
  key: 'item',
  version: 1,
  inputs: { rows: input(totals) },
  outputs: {},
  state: { items: keyed<string>(undefined, { cachedBytesMax: 1000 }) },
  pipeline: ({ inputs, state }) =>
    inputs.rows.pipe(
      tap((frame) => {
        for (const row of rowsOf(frame)) state.items.set(row.item!, JSON.stringify(row));
      }),
      ignoreElements(),
    ),
});

export function sharedToys(): Topology {
  const [entry, adder] = [read(), sum()];
  const out = topic('totals', totals, 'item', { browsable: false });
  const bad = topic('dead-letter', deadLetters, 'source', { browsable: true });
  return defineTopology({
    partitions: PARTITIONS,
    stages: [entry, adder, rank, view],
    topics: [out, bad],
    edges: [
      edge(source('events'), entry.in.events, { by: 'source' }),
      edge(entry.out.rows, adder.in.rows, { by: 'user' }),
      edge(adder.out.rows, rank.in.rows, { by: 'item' }),
      edge(rank.out.rows, out.in.rows, { by: 'item' }),
      edge(rank.out.rows, view.in.rows, { by: 'item' }),
      edge(entry.out.deadLetters, bad.in.rows, { by: 'source' }),
    ],
    aligned: new Set(),
  });
}

/** Item → its row, as a view holds it now. */
export function viewOf({ instance }: MailboxProcessor): Record<string, string | undefined> {
  const { items } = instance.states() as unknown as { readonly items: Keyed<string> };
  return Object.fromEntries(ITEMS.map((item) => [item, items.get(item)]));
}

/** Two stages that share a store are copied together. */
export const SHARED_UNITS: readonly ShardSpec[] = [
  { name: 'source-0', partition: 0, stages: ['read'] },
  ...[0, 1].flatMap((partition) => [
    { name: `user-${partition}`, partition, stages: ['sum', 'rank'] },
    { name: `view-${partition}`, partition, stages: ['recommendations'], everywhere: true },
  ]),
];
