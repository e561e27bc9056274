/** Messages on subjects of the pipeline that it has not written (LOG_FOREIGN): found, and taken out. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { streamOf, type Topology } from '../contract/graph.js';
import { isForeign } from '../actor/outbox.js';
import type { Log } from '../contract/ports.js';
import { destinationsOf } from '../actor/router.js';
import { infoOf } from './repair/log-fit.js';

export interface ForeignMessage {
  readonly stream: string;
  readonly subject: string;
  readonly sequence: number;
}

/** Takes a message out of its stream. */
export type Remove = (message: ForeignMessage) => Promise<unknown>;

export async function removerOn(connection: NatsConnection): Promise<Remove> {
  const manager = await jetstreamManager(connection);
  return ({ stream, sequence }) => manager.streams.deleteMessage(stream, sequence);
}

/** The last one of each subject, which its writer would have to go on from; with `remove` all at its end, each taken out. */
export async function foreignMessages(log: Log, topology: Topology, remove?: Remove): Promise<ForeignMessage[]> {
  const found: ForeignMessage[] = [];
  const streams = new Set<string>();
  for (const { id } of [...topology.stages, ...topology.topics]) {
    if ((await infoOf(log, streamOf(id))) !== undefined) streams.add(streamOf(id));
  }
  for (const { id } of topology.stages) {
    for (let p = 0; p < topology.count(id); p++) {
      for (const { to, subject } of destinationsOf(topology, id, p)) {
        const stream = streamOf(to);
        if (!streams.has(stream)) continue;
        let last = await log.last(stream, subject);
        while (last !== undefined && isForeign(last)) {
          const message = { stream, subject, sequence: last.sequence };
          found.push(message);
          if (remove === undefined) break;
          await remove(message);
          last = await log.last(stream, subject);
        }
      }
    }
  }
  return found;
}
