/** `rivulet newcomer`: how the list of a new user follows what the user does, and how soon. */
import { randomUUID } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { AnswerItem, RivuletClient } from '../../../connectors/grpc/client/client.js';
import { EventSchema, EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
import { usage } from '../exit.js';
import { type LinkOptions, withNode } from '../node-link.js';
import { harmless, table } from '../terminal.js';

export interface NewcomerOptions extends LinkOptions {
  readonly items?: readonly string[];
  readonly type: keyof typeof CODES;
  readonly rating: number;
  readonly number: number;
  readonly strategy?: string;
}

type List = readonly AnswerItem[];

const CODES = { rating: EventType.RATING, view: EventType.VIEW, purchase: EventType.PURCHASE } as const;
const DONE = { rating: 'rated', view: 'viewed', purchase: 'bought' } as const;
const ITEMS = 3;
const LOOK_EVERY_MS = 2;
const GIVE_UP_MS = 10_000;

export async function newcomer(options: NewcomerOptions): Promise<void> {
  const { type, rating, number: limit, strategy = '' } = options;
  const userId = `newcomer-${randomUUID().slice(0, 8)}`;
  await withNode(options, async (client) => {
    const ask = async (): Promise<List> =>
      (await client.getRecommendations({ userId, limit, strategy, explain: true })).items;
    let list = await ask();
    const given: readonly Begun[] | undefined = options.items?.map((itemId) => ({ itemId }));
    const items = given ?? (await itemsToBegin(client, userId));
    process.stdout.write(`${userId}, of whom nothing is known:\n\n${asTable(list)}\n`);
    for (const { itemId, title } of items) {
      const eventTime = timestampFromMs(Date.now());
      const event = { eventType: CODES[type], userId, itemId, eventTime, ...(type === 'rating' && { rating }) };
      const { errors } = await client.publishEvents([create(EventSchema, event)]);
      for (const { reason } of errors) throw usage(reason, 'give other --items, or another --rating');
      const startedMs = performance.now();
      const next = await changed(ask, list);
      const took = `${Math.round(performance.now() - startedMs)} ms later`;
      const what = next === undefined ? `the list is the same after ${GIVE_UP_MS / 1000} s` : took;
      process.stdout.write(
        `\n${userId} ${DONE[type]} ${harmless(title ?? itemId)}; ${what}:\n\n${asTable(next ?? list)}\n`,
      );
      list = next ?? list;
    }
  });
}

interface Begun {
  readonly itemId: string;
  readonly title?: string | undefined;
}

/** The most popular item, and what is most similar to it. */
async function itemsToBegin(client: RivuletClient, userId: string): Promise<readonly Begun[]> {
  const { items } = await client.getRecommendations({ userId, limit: 1, strategy: 'category-popularity' });
  const [first] = items;
  if (first === undefined) {
    throw usage('the node has not seen an event', 'publish or import events first, or give --items');
  }
  return [first, ...(await client.similarItems({ itemId: first.itemId, limit: ITEMS - 1 }))];
}

/** The first list that has other items; absent: it stays as it is. */
async function changed(ask: () => Promise<List>, before: List): Promise<List | undefined> {
  const textOf = (list: List): string => list.map(({ itemId }) => itemId).join('\n');
  const untilMs = performance.now() + GIVE_UP_MS;
  while (performance.now() < untilMs) {
    const list = await ask();
    if (textOf(list) !== textOf(before)) return list;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return undefined;
}

const asTable = (list: List): string =>
  table(
    ['#', 'ITEM', 'TITLE', 'CATEGORY', 'WHY'],
    list.map(({ rank, itemId, title = '', category = '–', reason = '' }) => [
      ...[String(rank), harmless(itemId), harmless(title), harmless(category), harmless(reason)],
    ]),
    new Set([0]),
  );
