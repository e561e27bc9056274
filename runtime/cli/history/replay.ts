/**
 * `rivulet history replay`: publishes the events of the history into another deployment, in the order in which they were accepted.
 *
 * Duplicates are left out: the other deployment would drop them too. Many events go in one message, as JSON lines.
 */
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { systemClock } from '../../contract/clock.js';
import { utf8 } from '../../contract/stage.js';
import type { Log } from '../../contract/ports.js';
import { streamOf } from '../../contract/graph.js';
import { rowsOf } from '../../frames/frame.js';
import { loadConfig } from '../../config/config.js';
import { natsOf, withLog } from '../nats-link.js';
import { BoundedPublisher } from '../publish/bounded-publisher.js';
import { usage } from '../exit.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';
import { eventOf, HISTORY_FIELDS } from './fields.js';
import { HistoryProgress } from './progress.js';
import { historyPieces } from './read.js';

export interface ReplayHistoryOptions extends SettingOptions {
  readonly from?: number;
  readonly to?: number;
  /** A NATS URL, or the data directory of a node. */
  readonly into: string;
  readonly json?: true;
}

const SUBJECT = 'rivulet.events.history';
const CONTENT_TYPE = 'application/x-ndjson';
/** Well below the size of one message that a node reads (pipeline.messageBytesMax), and the number of events in it. */
const MESSAGE_BYTES = 128 * 1024;
const MESSAGE_EVENTS = 1_000;

export async function replayHistory({ from, to, into, json, ...options }: ReplayHistoryOptions): Promise<void> {
  const { config } = settingsOf(options);
  const progress = new HistoryProgress('events published');
  let [events, messages, rejected] = [0, 0, 0];
  const startedMs = performance.now();
  try {
    await withLog(config, 'history', async (source) => {
      const target = await openNatsLog(await connectNats(targetOf(into), 'rivulet-history-into'));
      try {
        await mustBeOther(source, target);
        const publisher = new BoundedPublisher({
          log: target,
          clock: systemClock,
          signal: progress.signal,
          inFlightMax: 64,
        });
        let lines: string[] = [];
        let bytes = 0;
        const send = async (): Promise<void> => {
          if (lines.length > 0) await publisher.publish(SUBJECT, utf8(lines.join('\n')), CONTENT_TYPE);
          [lines, bytes] = [[], 0];
        };
        const range = { fromMs: from ?? -Infinity, toMs: to ?? Infinity };
        for await (const { events: frame, share } of historyPieces(source, range, progress.signal)) {
          for (const row of rowsOf(frame)) {
            if (row.duplicate === 1) continue;
            const line = JSON.stringify(eventOf(row, HISTORY_FIELDS));
            if (bytes + line.length > MESSAGE_BYTES || lines.length === MESSAGE_EVENTS) await send();
            lines.push(line);
            bytes += line.length * 3;
            events++;
          }
          progress.update(share, events);
        }
        await send();
        await publisher.settled();
        ({ published: messages, rejected } = publisher.counts);
      } finally {
        await target.close();
      }
    });
  } finally {
    progress.end();
  }
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(3));
  if (rejected > 0) process.exitCode = 1;
  process.stdout.write(
    json === true
      ? `${JSON.stringify({ events, messages, rejected_messages: rejected, seconds })}\n`
      : `published ${grouped(events)} events in ${grouped(messages)} messages in ${seconds.toFixed(1)} s${rejected > 0 ? `; ${grouped(rejected)} messages were rejected` : ''}\n`,
  );
}

/** A URL or a data directory. */
const targetOf = (into: string): NatsOptions => {
  const isUrl = /^(nats|tls|wss?):\/\//.test(into);
  const key = isUrl ? 'natsUrl' : 'dataDir';
  return natsOf(loadConfig({ env: {}, flags: [{ key, value: into, bySet: false }] }).config);
};

/** In the same deployment every event would count twice. */
async function mustBeOther(source: Log, target: Log): Promise<void> {
  const [a, b] = await Promise.all([source, target].map((log) => log.info(streamOf('history')).catch(() => undefined)));
  if (a !== undefined && a.identity === b?.identity)
    throw usage(
      'this would publish the events into the deployment that they come from',
      'name another one with --into',
    );
}
