/** The demo's publisher: sends the shop's events over real NATS, as any service would. */
import type { Clock, Log } from '../../contract/ports.js';
import { eventSubject } from '../../node/publisher.js';
import { utf8 } from '../../frames/bytes.js';
import { BoundedPublisher } from '../publish/bounded-publisher.js';
import { titleOf } from './catalogue.js';
import { createShop, type Shop, type ShopEvent, type ShopOptions } from './shop.js';

export interface FeedOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly shop: Required<ShopOptions>;
}

const STEP_MS = 100;
/** The history that the first start begins with, so that there are recommendations at once. */
const HISTORY_MS = 30 * 60_000;
const HISTORY_EVENTS_PER_SECOND = 3;
const HISTORY_STEP_MS = 4_000;

/** A category's count halves in this time: it measures current activity. */
const BUSY_HALF_LIFE_MS = 60_000;
/** A user without events for this long is not shown any more. */
const QUIET_MS = 45_000;
const USERS_WATCHED_MAX = 5_000;

const ITEMS = 'rivulet.items.demo';
const ITEMS_PER_MESSAGE = 500;

const TYPE = /"event_type":"(\w+)"/;
const CATEGORY = /"category_code":"([^".]+)/;

interface Activity {
  events: number;
  lastMs: number;
}

export class DemoFeed {
  private readonly publisher: BoundedPublisher;
  private readonly categories = new Map<string, { count: number; atMs: number }>();
  private readonly users = new Map<string, Activity>();
  private watched: string | undefined;

  constructor(private readonly options: FeedOptions) {
    this.publisher = new BoundedPublisher(options);
  }

  get published(): number {
    return this.publisher.counts.published;
  }

  /** Publishes the shop's items to the catalogue. Repeating known items changes nothing. */
  async nameItems(): Promise<number> {
    const { items } = createShop(this.options.shop);
    const publisher = new BoundedPublisher(this.options);
    for (let at = 0; at < items.length; at += ITEMS_PER_MESSAGE) {
      const some = items.slice(at, at + ITEMS_PER_MESSAGE);
      const said = some.map((item) => {
        const { id: item_id, category, brand, price } = item;
        return { item_id, title: titleOf(item), category, brand, price };
      });
      await publisher.publish(ITEMS, utf8(JSON.stringify(said)));
    }
    await publisher.settled();
    return items.length;
  }

  /** Some thousand events of the last half hour. */
  async warmUp(): Promise<number> {
    const { clock, shop } = this.options;
    const until = clock.nowMs();
    const past = createShop({ ...shop, eventsPerSecond: HISTORY_EVENTS_PER_SECOND });
    let events = 0;
    for (let at = until - HISTORY_MS; at < until; at += HISTORY_STEP_MS) events += await this.send(past, at);
    await this.publisher.settled();
    return events;
  }

  /** Publishes until stopped; rejects on failure. */
  async run(): Promise<void> {
    const { clock, shop, signal } = this.options;
    const live = createShop(shop);
    while (!signal.aborted) {
      await this.send(live, clock.nowMs());
      await clock.sleep(STEP_MS, signal);
    }
  }

  /** Main categories by their share of current events, busiest first. */
  busiest(): readonly (readonly [category: string, share: number])[] {
    const nowMs = this.options.clock.nowMs();
    const counts = [...this.categories].map(([name, { count, atMs }]) => [name, faded(count, nowMs - atMs)] as const);
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    return counts.map(([name, count]) => [name, count / Math.max(total, 1e-9)] as const).sort((a, b) => b[1] - a[1]);
  }

  /** A user to show: the busiest, until it is quiet. */
  favourite(): string | undefined {
    const nowMs = this.options.clock.nowMs();
    const current = this.watched === undefined ? undefined : this.users.get(this.watched);
    if (current !== undefined && nowMs - current.lastMs < QUIET_MS) return this.watched;
    let best: Activity | undefined;
    for (const [id, activity] of this.users) {
      if (nowMs - activity.lastMs > QUIET_MS || activity.events <= (best?.events ?? 0)) continue;
      [best, this.watched] = [activity, id];
    }
    return this.watched;
  }

  private async send(shop: Shop, nowMs: number): Promise<number> {
    const events = shop.next(nowMs);
    for (const event of events) {
      this.note(event, nowMs);
      await this.publisher.publish(
        eventSubject(TYPE.exec(event.text)?.[1] ?? 'unknown', event.userId),
        utf8(event.text),
      );
    }
    return events.length;
  }

  private note({ text, userId }: ShopEvent, nowMs: number): void {
    const category = CATEGORY.exec(text)?.[1];
    if (category !== undefined) {
      const busy = this.categories.get(category) ?? { count: 0, atMs: nowMs };
      this.categories.set(category, { count: faded(busy.count, nowMs - busy.atMs) + 1, atMs: nowMs });
    }
    const activity = this.users.get(userId) ?? { events: 0, lastMs: nowMs };
    this.users.delete(userId);
    this.users.set(userId, { events: activity.events + 1, lastMs: nowMs });
    // The user who has been quiet for the longest is the first.
    if (this.users.size > USERS_WATCHED_MAX) this.users.delete(this.users.keys().next().value!);
  }
}

const faded = (count: number, ageMs: number): number => count * 2 ** (-Math.max(0, ageMs) / BUSY_HALF_LIFE_MS);
