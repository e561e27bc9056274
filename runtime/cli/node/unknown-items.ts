/** `rivulet items unknown`: items that events are about and that the catalogue does not have. */
import type { JsonOptions } from '../settings.js';
import { grouped, harmless, instant, table } from '../terminal.js';
import { nodeRequests } from './node-status.js';

export interface UnknownItemsOptions extends JsonOptions {
  readonly limit: number;
}

interface Page {
  readonly items: readonly { readonly item_id: string; readonly events: number; readonly last_event_time: string }[];
  readonly next_cursor?: string;
}

/** As many as a request may ask for. */
const PAGE_MAX = 200;

export async function listUnknownItems({ limit, json, ...options }: UnknownItemsOptions): Promise<void> {
  const ask = await nodeRequests(options, 'list unknown items');
  const items: Page['items'][number][] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined && items.length < limit;) {
    const more = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: Page = await ask<Page>(`/items/unknown?limit=${Math.min(PAGE_MAX, limit - items.length)}${more}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  if (json === true) process.stdout.write(`${JSON.stringify(items, undefined, 2)}\n`);
  else if (items.length === 0) process.stdout.write('No unknown items: the catalogue has all, or it is empty.\n');
  else {
    const rows = items.map(({ item_id: item, events, last_event_time: time }) => [
      ...[harmless(item), grouped(events), instant(Date.parse(time))],
    ]);
    process.stdout.write(`${table(['ITEM', 'EVENTS', 'LAST EVENT'], rows, new Set([1]))}\n`);
  }
}
