/** Events published to live nodes to the end, and the lists that they then give: the same ones whatever has become of the nodes meanwhile. */
import { expect } from 'vitest';
import type { RivuletClient } from '../../connectors/grpc/client/client.js';
import { liveEvent, type LiveEvents } from './live-events.js';
import type { LiveNode } from './live-nodes.js';
import { until } from './nats-cluster.js';
import type { Event, StubbornPublisher } from './stubborn-publisher.js';

export type Lists = ReadonlyMap<string, number>;

/** Interests fade with the time of the frame that brought them: frames cut elsewhere move scores a little. */
const SCORE_TOLERANCE = 1e-3;
/** Enough for each partition of users, and of items, to have some. */
const MARKS = Array.from({ length: 8 }, (_, i) => i);
const MARK_TIME_MS = Date.UTC(2026, 0, 1, 12, 4);
/** Of an item that a user has for what the user did: who is not known yet is given what is bought most, marks too. */
const OWN = 'streaming_category_popularity';
const LOOK_MS = 1_500;
const FAST = 1_000;
const AT_A_TIME = 16;

/** Publishes the last views when all else is in, and gives the lists of each node when these are in too. */
export async function finished(
  nodes: readonly LiveNode[],
  publisher: StubbornPublisher,
  { users, last }: LiveEvents,
): Promise<{ readonly lists: readonly Lists[]; readonly marks: number }> {
  const clients = await Promise.all(nodes.map((node) => node.connect()));
  try {
    const before = await marked(clients, publisher, 'before');
    await publisher.publish(last, FAST);
    const after = await marked(clients, publisher, 'after');
    return { lists: await Promise.all(clients.map((client) => listsOf(client, users))), marks: before + after };
  } finally {
    for (const client of clients) client.close();
  }
}

/**
 * Items that nobody knows are bought, and users who nobody knows look at them: when their lists have these items, on every node, then all that
 * was stored before has gone the same ways, through each partition of users and of items. Gives the number of events that it took.
 */
async function marked(clients: readonly RivuletClient[], publisher: StubbornPublisher, name: string): Promise<number> {
  const item = (i: number) => ({ item_id: `mark-${name}-${i}`, category_code: `marks-${name}.all` });
  const buy = MARKS.map((i) =>
    liveEvent(`${name}-b${i}`, 'purchase', `marker-${i}`, { ...item(i), price: 1 }, MARK_TIME_MS),
  );
  await publisher.publish(buy, FAST);
  let events = buy.length;
  for (let round = 0; ; round++) {
    // Other users each time: when these have their lists, no look of an earlier round is on its way any more.
    const user = (i: number): string => `mark-${name}-${round}-${i}`;
    const look = MARKS.map((i) => liveEvent(`${name}-${round}-l${i}`, 'view', user(i), item(i), MARK_TIME_MS));
    await publisher.publish(look, FAST);
    events += look.length;
    const hasAll = async (client: RivuletClient, i: number): Promise<boolean> => {
      const { items } = await client.getRecommendations({
        userId: user(i),
        limit: 100,
        strategy: 'category-popularity',
      });
      return MARKS.every((m) => items.some(({ itemId, type }) => itemId === item(m).item_id && type === OWN));
    };
    // A list is made when its user does something: an item that is not there soon may come with the next look.
    const seen = await within(LOOK_MS, async () => {
      const all = await Promise.all(clients.flatMap((client) => MARKS.map((i) => hasAll(client, i))));
      return all.every(Boolean);
    });
    if (seen) return events;
  }
}

async function within(ms: number, look: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if (await look().catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function listsOf(client: RivuletClient, users: readonly string[]): Promise<Lists> {
  const lists = new Map<string, number>();
  for (let at = 0; at < users.length; at += AT_A_TIME) {
    const some = users.slice(at, at + AT_A_TIME);
    const answers = await Promise.all(
      some.map((userId) => client.getRecommendations({ userId, limit: 100, strategy: 'category-popularity' })),
    );
    for (const { userId, items } of answers) {
      for (const { itemId, type, score } of items) lists.set(`${userId} ${itemId} ${type}`, score);
    }
  }
  return new Map([...lists].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function expectSameLists(found: Lists, expected: Lists, what: string): void {
  expect([...found.keys()], what).toEqual([...expected.keys()]);
  const differ = [...expected].filter(([key, score]) => Math.abs(found.get(key)! - score) > score * SCORE_TOLERANCE);
  // All of them: whether one user's list is wrong or everybody's says where to look.
  expect(
    differ.map(([key, score]) => `${key}: ${found.get(key)!} instead of ${score}`),
    what,
  ).toEqual([]);
}

/** Publishes a share of the events at the pace; for a load that goes on while something happens. */
export class Load {
  private readonly publishing: Promise<void>;
  private done = false;

  constructor(
    private readonly publisher: StubbornPublisher,
    private readonly events: readonly Event[],
    perSecond: number,
  ) {
    this.publishing = publisher.publish(events, perSecond).finally(() => (this.done = true));
  }

  /** Resolves when this share of it is acknowledged. */
  async at(share: number): Promise<void> {
    await until(`${share} of the load`, async () =>
      this.done || this.publisher.acked >= this.events.length * share ? true : undefined,
    );
  }

  get isOver(): boolean {
    return this.done;
  }

  end(): Promise<void> {
    return this.publishing;
  }
}
