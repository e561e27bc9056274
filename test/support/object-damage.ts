/** Damages an object of a real bucket: takes its last piece away, behind its description's back. */
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';

export async function takePieceAway(connection: NatsConnection, bucket: string, name: string): Promise<void> {
  const manager = await jetstreamManager(connection);
  const found = await (await new Objm(connection).open(bucket)).info(name);
  const last = await manager.streams.getMessage(`OBJ_${bucket}`, { last_by_subj: `$O.${bucket}.C.${found!.nuid}` });
  await manager.streams.deleteMessage(`OBJ_${bucket}`, last!.seq);
}
