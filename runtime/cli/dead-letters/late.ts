/** `rivulet late ls`: events that arrived after their window was closed. */
import { systemClock } from '../../contract/clock.js';
import { lateEventsOf } from '../../node/dead-letters.js';
import { withLog } from '../nats-link.js';
import { pipelineOptions } from '../node/node-options.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { harmless, instant, table } from '../terminal.js';

export interface LateOptions extends SettingOptions {
  readonly limit: number;
  readonly json?: true;
}

export async function listLateEvents({ limit, json, ...options }: LateOptions): Promise<void> {
  const { config } = settingsOf(options);
  const { kind } = pipelineOptions(config).window;
  const late = await withLog(config, 'late', async (log) => {
    const browsable = lateEventsOf(log, systemClock, kind);
    const { events, next } = await browsable.page({ limit, before: undefined });
    // A page may be incomplete: the rest is on the following pages.
    const found = [...events];
    for (let before = next; before !== undefined && found.length < limit;) {
      const page = await browsable.page({ limit: limit - found.length, before });
      found.push(...page.events);
      before = page.next;
    }
    return found;
  });
  if (json === true) {
    const rows = late.map(({ eventTimeMs, userId, itemId, eventType, window, storedAtMs, ...rest }) => ({
      ...{ ...rest, event_time: iso(eventTimeMs), user_id: userId, item_id: itemId, event_type: eventType },
      ...{ window_start: iso(window?.startMs), window_end: iso(window?.endMs), stored_at: iso(storedAtMs) },
    }));
    process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  } else if (late.length === 0) process.stdout.write('No late events.\n');
  else {
    const rows = late.map(({ id, storedAtMs, eventTimeMs, eventType, userId, itemId, window }) => [
      ...[id, instant(storedAtMs), instant(eventTimeMs), eventType ?? '–', harmless(userId ?? '–')],
      ...[harmless(itemId ?? '–'), instant(window?.endMs)],
    ]);
    const header = ['ID', 'STORED', 'EVENT TIME', 'TYPE', 'USER', 'ITEM', 'WINDOW ENDED'];
    process.stdout.write(`${table(header, rows)}\n`);
  }
}

const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
