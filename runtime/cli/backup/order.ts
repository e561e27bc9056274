/**
 * What a backup holds, and in which order it is taken so that it is consistent although everything goes on meanwhile.
 *
 * Each stream is saved as it is at one moment of its own. The order: the manifests of the copies, at t₀; the copies; then mailboxes and topics, each
 * after all that it feeds, parse last of them. Write X → Y when stage X writes to the mailbox of Y; then t₀ < t(Y) < t(X). Nothing is removed from
 * any of them between before t₀ and its own save (checked, see backup.ts). A restored instance x of X goes on from its copy, which includes
 * its mailbox up to S, and reads from S + 1. Then
 *
 *   BACKUP-ORDER-1  The mailbox of X holds all that x has to read: it was trimmed only behind copies whose manifest was stored (SNAPSHOTTER-3, REPLICA-1), so at most up to S when
 *                   t₀ came, and not since.
 *   BACKUP-ORDER-2  What x knows it has said: a snapshot is written when the outputs of all inputs ≤ S are stored (SNAPSHOTTER-1). They were in Y before t₀ < t(Y), and
 *                   by BACKUP-ORDER-1 for Y they are there still, or in what the copy of Y includes.
 *   BACKUP-ORDER-3  What Y has heard of x, x finds in its mailbox: an output with tag n was stored in Y before t(Y), its input n in X before that, so before t(X). When
 *                   x says it again it is dropped (rule 5), and messages that come after the restore get sequences that no tag has covered.
 *
 * Last, at t(R), the records of what was trimmed and buried (actor/quarantine.ts). A skip is recorded before it is skipped, a trim before it is trimmed; so with
 *
 *   BACKUP-ORDER-4  t(R) after all others, the records know of each skip that a copy or an output stands on, and of each trim. What they know beyond that refers to
 *                   messages that are not in the backup, and is not heeded; or to one that is: it is skipped there too.
 *
 * In the other order BACKUP-ORDER-3 fails: Y has heard of inputs up to n, X ends at m < n, and what x says of the new messages m + 1 … n would be dropped as
 * said already (a node that starts there refuses with LOG_BEHIND).
 *
 * The backup thus is the deployment as it was when parse's mailbox was saved, with some work still to do; events published later are not in it.
 */
import { BUCKETS } from '../../node/buckets.js';
import { isSource, POISON, streamOf, type Topology } from '../../contract/graph.js';

export interface StreamToSave {
  readonly name: string;
  /** A deployment without it is none; absent, it has not been made yet. */
  readonly needed: boolean;
  /** What may leave it while the backup runs. `replaced`: values of a table, so that it is saved anew; `oldest`: of what people read. */
  readonly loses: 'nothing' | 'replaced' | 'oldest';
}

const bucket = (name: string, loses: StreamToSave['loses']): StreamToSave => ({ name, needed: false, loses });

/** What is fixed for the deployment. */
const DEPLOYMENT_STREAM = `KV_${BUCKETS.deployment}`;
/** The manifests of the copies of all snapshots, and the copies. */
export const COPIES_STREAM = `KV_${BUCKETS.manifests}`;
const STATE_STREAM = `OBJ_${BUCKETS.objects}`;

export function streamsToSave(topology: Topology): StreamToSave[] {
  const browsableLogs = new Set(topology.topics.filter(({ browsable }) => browsable).map(({ id }) => id));
  return [
    bucket(DEPLOYMENT_STREAM, 'replaced'),
    bucket(COPIES_STREAM, 'replaced'),
    bucket(STATE_STREAM, 'nothing'),
    ...downstreamFirst(topology).map((id): StreamToSave => ({
      name: streamOf(id),
      needed: true,
      loses: browsableLogs.has(id) ? 'oldest' : 'nothing',
    })),
    { name: streamOf(POISON), needed: false, loses: 'replaced' },
  ];
}

/** Stages and topics, each after all that it feeds. */
function downstreamFirst({ stages, topics, edges }: Topology): string[] {
  const ordered = new Set<string>();
  const visit = (id: string): void => {
    if (ordered.has(id)) return;
    for (const { from, to } of edges) if (!isSource(from) && from.stage === id) visit(to.stage);
    ordered.add(id);
  };
  for (const { id } of [...topics, ...stages]) visit(id);
  return [...ordered];
}
