/** `rivulet events tail`: valid events, from parse's output to the next stage. */
import { EVENT_TYPES, parsedEvents } from '../../../actors/model.js';
import { rowsOf } from '../../frames/frame.js';
import { frameIn } from '../../frames/codec.js';
import { partsIn } from '../../frames/joined.js';
import { streamOf } from '../../contract/graph.js';
import type { LogMessage } from '../../contract/ports.js';
import { withLog } from '../nats-link.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { harmless, instant } from '../terminal.js';

export interface TailOptions extends SettingOptions {
  readonly user?: string;
  readonly type?: string;
  readonly number?: number;
  readonly json?: true;
}

const NEXT = 'watermark';
const SUBJECTS = `rivulet.${NEXT}.*.parse.*`;
const TAKE_MESSAGES = 64;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function tailEvents(options: TailOptions): Promise<void> {
  const { config } = settingsOf(options);
  const { user, type, number = Infinity, json } = options;
  await withLog(config, 'events', async (log) => {
    const { lastSequence } = await log.info(streamOf(NEXT));
    const reader = await log.read(streamOf(NEXT), { filters: [SUBJECTS], from: lastSequence + 1 });
    const onSignal = (): void => void reader.close();
    for (const signal of SIGNALS) process.once(signal, onSignal);
    process.stderr.write('waiting for events; Ctrl-C ends it\n');
    try {
      for (let left = number; left > 0;) {
        const messages = await reader.take(TAKE_MESSAGES);
        if (messages.length === 0) return;
        const wanted = messages
          .flatMap(eventsIn)
          .filter((one) => (user ?? one.user_id) === one.user_id && (type ?? one.event_type) === one.event_type)
          .slice(0, left);
        left -= wanted.length;
        for (const one of wanted) process.stdout.write(`${json === true ? JSON.stringify(one) : lineOf(one)}\n`);
      }
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      await reader.close();
    }
  });
}

type Taken = ReturnType<typeof eventsIn>[number];

function eventsIn({ data }: LogMessage) {
  const frames = partsIn(data).flatMap(({ body }) => frameIn(body, parsedEvents) ?? []);
  return frames.flatMap(rowsOf).map(({ time, type, user, item, category, brand, price, rating }) => ({
    event_time: time === undefined ? undefined : new Date(time).toISOString(),
    event_type: type === undefined ? undefined : EVENT_TYPES[type],
    ...{ user_id: user, item_id: item, category, brand, price, rating },
  }));
}

function lineOf({ event_time: time, event_type: type, user_id: user, item_id: item, ...rest }: Taken): string {
  const more = Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const head = [instant(time === undefined ? undefined : Date.parse(time)), (type ?? '').padEnd(16), user, item];
  return harmless([...head, ...more].join('  '));
}
