/**
 * Checks that the saved streams can be restored, before the backup counts as complete: the server returns snapshots of damaged streams without an error.
 *
 *   each part that a saved manifest names exists, and matches its digest
 *   each stream returns as many messages as it reports
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { countMessages } from '../../../connectors/nats/log/read-through.js';
import type { SavedStream, StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { type ReplicaStore, readManifest } from '../../replication/store.js';
import { asError, fatal, reactionOf } from '../../contract/errors.js';
import { BUCKETS } from '../../node/buckets.js';
import { grouped } from '../terminal.js';

const unreadableCopy = (shard: string, what: string): Error =>
  fatal('BACKUP_COPY', `the copy of ${shard} cannot be backed up: ${what}`, {
    hint: `try again in a minute: the node that owns ${shard} (rivulet nodes) makes its copy anew; what is no shard's, rivulet repair --yes removes`,
  });

/** The failure of a leader looks like silence. */
const TRIES_MAX = 3;

export class Soundness {
  private parts: readonly { readonly shard: string; readonly name: string }[] = [];

  /** `copies`: absent if no node has made any. */
  constructor(
    private readonly connection: NatsConnection,
    private readonly archive: StreamArchive,
    private readonly copies: ReplicaStore | undefined,
  ) {}

  /** Records the parts that the saved manifests name. The caller checks that they have not changed since. Fatal BACKUP_COPY. */
  async manifestsSaved(): Promise<void> {
    const { copies } = this;
    if (copies === undefined) return;
    const shards = (await copies.manifests.entries()).map(({ key }) => key);
    const manifests = shards.map(async (shard) => {
      const { manifest, unreadable } = await readManifest(copies, shard);
      if (unreadable !== undefined) throw unreadableCopy(shard, unreadable);
      return (manifest?.parts ?? []).map(({ name }) => ({ shard, name }));
    });
    this.parts = (await Promise.all(manifests)).flat();
  }

  /** Fatal BACKUP_COPY, BACKUP_STREAM. */
  async mustBeSound(streams: readonly SavedStream[], signal: AbortSignal): Promise<void> {
    for (const { shard, name } of this.parts) await this.mustHoldPart(shard, name, signal);
    for (const stream of streams) await this.mustBeReadable(stream, signal);
  }

  private async mustHoldPart(shard: string, name: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of this.copies!.objects.get(name)) signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      throw fatal('BACKUP_COPY', `the copy of ${shard} cannot be backed up: ${asError(error).message}`, {
        cause: error,
        hint: `stop the node that owns ${shard} (rivulet nodes), delete the object ${name} of the bucket ${BUCKETS.objects} if it is there (nats object rm), and start the node again: it makes the copy anew`,
      });
    }
  }

  private async mustBeReadable(stream: SavedStream, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const count = await countMessages(this.connection, stream, signal);
        const lacks = stream.state.messages - (await this.archive.removedSince(stream)) - count;
        if (lacks <= 0) return;
        if (attempt < TRIES_MAX) continue;
        const { name, state } = stream;
        throw fatal(
          'BACKUP_STREAM',
          `NATS cannot read ${grouped(lacks)} of the ${grouped(state.messages)} messages that ${name} holds`,
          {
            hint: 'its files are damaged: see the log of nats-server, and its disk. With replicas, have that server make its copy of the stream anew; without, keep the last backup',
          },
        );
      } catch (error) {
        if (reactionOf(error) !== 'transient' || attempt === TRIES_MAX) throw error;
      }
    }
  }
}
