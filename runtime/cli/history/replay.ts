/**
 * `rivulet history replay`: publishes the events of the history into another deployment, in the order in which they were accepted.
 *
 * Duplicates are left out: the other deployment would drop them too. Events of the past are published as such.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { PROTOBUF_TYPES } from '../../../actors/formats/protobuf-event.js';
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../../connectors/nats/key-value.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { EventBatchSchema, type EventSchema } from '../../../proto/gen/rivulet/v1/event_pb.js';
import type { Config } from '../../config/config.js';
import { systemClock } from '../../contract/clock.js';
import { streamOf } from '../../contract/graph.js';
import type { Log } from '../../contract/ports.js';
import { streamInfo } from '../../contract/streams.js';
import { rowsOf } from '../../frames/frame.js';
import { BUCKETS } from '../../node/buckets.js';
import { usage } from '../exit.js';
import { importsIn, unfinished } from '../import/place.js';
import { natsIfAny, withLog } from '../nats-link.js';
import { historyProgress } from '../progress.js';
import { BoundedPublisher, type PublishCounts } from '../publish/bounded-publisher.js';
import { MessageBatch } from '../publish/message-batch.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';
import type { HistoryRow } from './fields.js';
import { historyPieces } from '../../training/history.js';

export interface ReplayHistoryOptions extends SettingOptions {
  readonly from?: number;
  readonly to?: number;
  /** A NATS URL, or the data directory of a node. */
  readonly into: string;
  readonly json?: true;
}

const [PRESENT, PAST] = ['rivulet.events.history', 'rivulet.events.past'];
const CONTENT_TYPE = 'application/x-protobuf;type=EventBatch';

export async function replayHistory({ from, to, into, json, ...options }: ReplayHistoryOptions): Promise<void> {
  const { config } = settingsOf(options);
  const progress = historyProgress('events published');
  let events = 0;
  let counts: PublishCounts = { published: 0, rejected: 0, uncertain: 0 };
  const startedMs = performance.now();
  try {
    await withLog(config, 'history', async (source) => {
      const connection = await connectNats(targetOf(into, config), 'rivulet-history-into');
      const target = await openNatsLog(connection);
      try {
        await mustBeOther(source, target);
        // Of a file that was broken off events are sent again: what this publishes would make parse forget their ids.
        const { begun } = importsIn((await entriesOfBucket(connection, BUCKETS.deployment)) ?? []);
        if (begun !== undefined) throw unfinished(begun);
        // One in flight: what is sent again stays in order.
        const { signal } = progress;
        const publisher = new BoundedPublisher({ log: target, clock: systemClock, signal, inFlightMax: 1 });
        const batch = new MessageBatch();
        let subject = PRESENT;
        const send = async (message: Uint8Array | undefined): Promise<void> => {
          if (message !== undefined) await publisher.publish(subject, message, CONTENT_TYPE);
        };
        for await (const { events: frame, share } of historyPieces(source, { from, to }, signal)) {
          for (const row of rowsOf(frame)) {
            if (row.duplicate === 1) continue;
            const next = row.past === 1 ? PAST : PRESENT;
            if (next !== subject) await send(batch.take());
            subject = next;
            await send(batch.add(encoded(row)));
            events++;
          }
          progress.update(share, events);
        }
        await send(batch.take());
        await publisher.settled();
        ({ counts } = publisher);
      } finally {
        await target.close();
      }
    });
  } finally {
    progress.end();
  }
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(3));
  const { published: messages, rejected, uncertain } = counts;
  if (rejected > 0) process.exitCode = 1;
  const remarks = [
    ...(rejected > 0 ? [`${grouped(rejected)} messages were rejected`] : []),
    ...(uncertain > 0 ? [`${grouped(uncertain)} were sent twice, since NATS did not answer the first time`] : []),
  ];
  process.stdout.write(
    json === true
      ? `${JSON.stringify({ events, messages, rejected_messages: rejected, uncertain, seconds })}\n`
      : `published ${grouped(events)} events in ${grouped(messages)} messages in ${seconds.toFixed(1)} s${remarks.map((one) => `; ${one}`).join('')}\n` +
          'What the other deployment refuses, by a strict schema for example, is in its dead letters: rivulet dlq ls\n',
  );
}

/** An EventBatch of one event; one after another they are one of all. */
const encoded = (row: HistoryRow): Uint8Array =>
  toBinary(EventBatchSchema, create(EventBatchSchema, { events: [eventOf(row)] }));

/** As protobuf, whose fields every schema understands, whatever its names. */
const eventOf = (row: HistoryRow): MessageInitShape<typeof EventSchema> => ({
  eventType: PROTOBUF_TYPES[row.type!]!,
  eventTime: timestampFromMs(row.time!),
  ...{ userId: row.user!, itemId: row.item! },
  ...{ eventId: row.eventId, categoryCode: row.category, brand: row.brand, price: row.price },
  ...{ rating: row.rating, sessionId: row.session, pageUrl: row.pageUrl, deviceType: row.deviceType },
  ...{ clickType: row.clickType, referrer: row.referrer, reviewText: row.reviewText },
  ...{ position: row.position, model: row.model, arm: row.arm },
});

/** A URL, with the credentials of the configuration, or a data directory. */
const targetOf = (into: string, config: Config): NatsOptions => {
  const isUrl = /^(nats|tls|wss?):\/\//.test(into);
  const { natsUrl: _, ...others } = config;
  const target = natsIfAny(isUrl ? { ...others, natsUrl: into } : { ...others, dataDir: into });
  if (target !== undefined) return target;
  throw usage(`no running node found in ${into}`, 'start one there, or give the URL of its NATS with --into');
};

/** In the same deployment every event would count twice. */
async function mustBeOther(source: Log, target: Log): Promise<void> {
  const [from, into] = await Promise.all([source, target].map((log) => streamInfo(log, streamOf('history'))));
  if (from !== undefined && from.identity === into?.identity)
    throw usage(
      'this would publish the events into the deployment that they come from',
      'name another one with --into',
    );
}
