/**
 * What a backup contains, and in which order it is taken so that it is consistent although the deployment runs on.
 *
 * Each stream is saved as it is at one moment of its own. The order: the manifests of the copies, at t₀; the copies; then mailboxes and topics, each
 * after all that it feeds, parse last of them. Write X → Y when stage X writes to the mailbox of Y; then t₀ < t(Y) < t(X). Nothing is removed from
 * any of them between before t₀ and its own save (checked, see backup.ts). A restored instance x of X goes on from its copy, which includes
 * its mailbox up to S, and reads from S + 1. Then
 *
 * BACKUP-ORDER-1  The mailbox of X contains all that x has to read: it was trimmed only behind copies with a stored manifest (SNAPSHOTTER-3, REPLICA-1), so
 *                 at most up to S at t₀, and not since.
 * BACKUP-ORDER-2  The outputs that x has recorded are stored: a snapshot is written when the outputs of all inputs ≤ S are (SNAPSHOTTER-1). They were in Y
 *                 before t₀ < t(Y), and by BACKUP-ORDER-1 for Y they still are, or the copy of Y includes them.
 * BACKUP-ORDER-3  The inputs behind all that Y has received of x are in the mailbox of x: an output at position n was stored in Y before t(Y), its input n in X
 *                 before that, so before t(X). Published again it is dropped (OUTBOX-1), and messages after the restore get new sequences, behind all positions.
 *
 * Last, at t(R), the records of trims and quarantined messages (actor/quarantine.ts). A skip is recorded before it happens, and so is a trim; so with
 *
 * BACKUP-ORDER-4  t(R) after all others, the records include each skip that a copy or an output depends on, and each trim. Further records refer to
 *                 messages that are not in the backup, and are ignored; or to one that is: it is skipped there too.
 *
 * So is the record of files of a watched folder, last of all: what it has of chunks that the saved mailbox of parse lacks counts as unread (FILE-RECORD-2).
 *
 * The places of imports are in the bucket of the deployment, which is saved first, so none is ahead of the messages: nothing is left out after a restore.
 * An import waits while the hold stands, so what it sends again is no more than parse remembers (cli/import/import.ts).
 *
 * In the other order BACKUP-ORDER-3 fails: Y has received inputs up to n, X ends at m < n, and the outputs of x for the new messages m + 1 … n would be
 * dropped as duplicates (a node that starts there refuses with LOG_BEHIND).
 *
 * Thus the backup is the deployment as it was when parse's mailbox was saved, with some work pending; it does not include events published later.
 */
import { BUCKETS } from '../../node/buckets.js';
import { isSource, QUARANTINE, streamOf, type Topology } from '../../contract/graph.js';

export interface StreamToSave {
  readonly name: string;
  /** A deployment without it is incomplete; otherwise it may not exist yet. */
  readonly needed: boolean;
  /** What it may lose while the backup runs. `replaced`: old values of a table, which is then saved again; `oldest`: messages of browsable logs. */
  readonly loses: 'nothing' | 'replaced' | 'oldest';
}

const bucket = (name: string, loses: StreamToSave['loses']): StreamToSave => ({ name, needed: false, loses });

/** The settings fixed for the deployment. */
const DEPLOYMENT_STREAM = `KV_${BUCKETS.deployment}`;
/** The manifests of the copies of all snapshots, and the copies. */
export const COPIES_STREAM = `KV_${BUCKETS.manifests}`;
const FILES_STREAM = `KV_${BUCKETS.files}`;
const STATE_STREAM = `OBJ_${BUCKETS.objects}`;

export function streamsToSave(topology: Topology): StreamToSave[] {
  // A deployment may be without what has a retention of its own.
  const own = new Set(topology.topics.filter(({ retention }) => retention !== undefined).map(({ id }) => id));
  const browsableLogs = new Set(topology.topics.filter(({ browsable }) => browsable).map(({ id }) => id));
  return [
    bucket(DEPLOYMENT_STREAM, 'replaced'),
    bucket(COPIES_STREAM, 'replaced'),
    bucket(STATE_STREAM, 'nothing'),
    ...downstreamFirst(topology).map((id): StreamToSave => ({
      name: streamOf(id),
      needed: !own.has(id),
      loses: browsableLogs.has(id) ? 'oldest' : 'nothing',
    })),
    { name: streamOf(QUARANTINE), needed: false, loses: 'replaced' },
    bucket(FILES_STREAM, 'replaced'),
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
