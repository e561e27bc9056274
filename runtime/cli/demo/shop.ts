/**
 * demo-shop: a simulation of the visitors of a shop, for `rivulet demo`. Pure: the same seed and times give the same events.
 *
 * Visitors return, each with two or three preferred main categories. A session goes view → cart → purchase, with clicks, remove_from_cart and ratings
 * on the way. About one event in 500 is bad, so that there are dead letters to show; a few are duplicates or late.
 */
import { DemoCatalogue, type Item, MAIN_CATEGORIES, pick, type Random, seededRandom } from './catalogue.js';

export interface ShopOptions {
  readonly seed: number;
  /** On average; default 50. */
  readonly eventsPerSecond?: number;
  readonly users?: number;
  readonly items?: number;
}

/** How an event is bad: each violates another rule of parse. */
export const FAULTS = [
  'missing_field',
  'negative_price',
  'rating_too_high',
  'bad_time',
  'not_json',
  'unknown_type',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface ShopEvent {
  /** The published text: canonical JSON, unless its flaw is `not_json`. */
  readonly text: string;
  readonly userId: string;
  /** The deliberate flaw. */
  readonly flaw: Fault | 'duplicate' | 'late' | undefined;
}

export interface Shop {
  /** The items of the shop. */
  readonly items: readonly Item[];
  /**
   * The events since the last call, in order of arrival; the first call starts the simulation. After a pause of more than a few seconds (a suspended
   * laptop) only the last few seconds are simulated.
   */
  next(nowMs: number): ShopEvent[];
}

export function createShop(options: ShopOptions): Shop {
  return new DemoShop({ eventsPerSecond: 50, users: 2_000, items: 500, ...options });
}

interface User {
  readonly id: string;
  /** Preferred main categories, in order of preference. */
  readonly tastes: readonly string[];
  visiting: boolean;
}

interface Session {
  readonly id: string;
  readonly user: User;
  /** The item that is viewed, and the one that was clicked and will be viewed next. */
  viewed: Item | undefined;
  clicked: Item | undefined;
  readonly cart: Item[];
  readonly bought: Item[];
}

interface Action {
  readonly type: string;
  readonly item: Item;
  readonly rating?: number;
}

const CATCH_UP_MS_MAX = 5_000;
/** The mean time between the actions of a visitor. */
const THINK_S = 8;
const TASTE_WEIGHTS = [0.55, 0.85, 0.95];
/** Above 1: some visitors come more often than others. */
const LOYALTY = 1.8;

const TO_CART = 0.13;
const TO_PURCHASE = 0.15;
const TO_REMOVE = 0.05;
const TO_RATING = 0.08;
const TO_CLICK = 0.12;
const LEAVES = 0.1;
const LEAVES_CART = 0.04;
const STAYS_IN_CATEGORY = 0.5;

const IS_BAD = 1 / 500;
const IS_LATE = 1 / 300;
const COMES_TWICE = 1 / 400;
const LATE_MS = { min: 20 * 60_000, max: 60 * 60_000 };
const TWICE_MS_MAX = 8_000;

class DemoShop implements Shop {
  private readonly random: Random;
  private readonly catalogue: DemoCatalogue;
  private readonly users: readonly User[];
  private readonly sessions: Session[] = [];
  private readonly repeats: { readonly atMs: number; readonly event: ShopEvent }[] = [];
  /** Ids of events and sessions differ between runs, or the events of a second run would count as duplicates. */
  private run = '';
  private dueMs: number | undefined;
  private events = 0;
  private visits = 0;

  constructor(private readonly options: Required<ShopOptions>) {
    this.random = seededRandom(options.seed);
    this.catalogue = new DemoCatalogue(this.random, options.items);
    this.users = Array.from({ length: options.users }, (_, i) => this.user(i));
  }
  get items(): readonly Item[] {
    return this.catalogue.items;
  }

  next(nowMs: number): ShopEvent[] {
    if (this.dueMs === undefined) {
      this.dueMs = nowMs;
      this.run = `${this.options.seed.toString(36)}-${Math.round(nowMs).toString(36)}`;
    }
    this.dueMs = Math.max(this.dueMs, nowMs - CATCH_UP_MS_MAX);
    const events: ShopEvent[] = [];
    while (this.dueMs <= nowMs) {
      this.catalogue.drift(this.dueMs);
      while (this.repeats.length > 0 && this.repeats[0]!.atMs <= this.dueMs) events.push(this.repeats.shift()!.event);
      events.push(this.event(this.dueMs));
      this.dueMs += (-Math.log(1 - this.random()) * 1000) / this.options.eventsPerSecond;
    }
    return events;
  }

  private user(i: number): User {
    const tastes: string[] = [];
    const count = this.random() < 0.5 ? 2 : 3;
    while (tastes.length < count) {
      const main = pick(this.random, MAIN_CATEGORIES);
      if (!tastes.includes(main)) tastes.push(main);
    }
    return { id: `user-${String(i).padStart(4, '0')}`, tastes, visiting: false };
  }

  private event(timeMs: number): ShopEvent {
    const session = this.session();
    const { type, item, rating } = this.act(session);
    const isLate = this.random() < IS_LATE;
    const lateMs = isLate ? LATE_MS.min + this.random() * (LATE_MS.max - LATE_MS.min) : 0;
    const fields: Record<string, unknown> = {
      event_id: `${this.run}-${this.events++}`,
      event_type: type,
      event_time: new Date(Math.floor(timeMs - lateMs)).toISOString(),
      user_id: session.user.id,
      item_id: item.id,
      category_code: item.category,
      brand: item.brand,
      price: item.price,
      session_id: session.id,
      rating,
    };
    const userId = session.user.id;
    if (this.random() < IS_BAD) return { ...spoiled(fields, pick(this.random, FAULTS), this.random), userId };
    const event: ShopEvent = { text: JSON.stringify(fields), userId, flaw: isLate ? 'late' : undefined };
    if (this.random() < COMES_TWICE) this.repeat(event, timeMs);
    return event;
  }

  private repeat(event: ShopEvent, timeMs: number): void {
    this.repeats.push({ atMs: timeMs + this.random() * TWICE_MS_MAX, event: { ...event, flaw: 'duplicate' } });
    this.repeats.sort((a, b) => a.atMs - b.atMs);
  }

  /** An active visitor, or a new one: a new one is likelier when the rate needs more of them. */
  private session(): Session {
    const { eventsPerSecond, users } = this.options;
    const wanted = Math.max(1, Math.min(eventsPerSecond * THINK_S, users / 3));
    const isNew = this.random() < 1 - this.sessions.length / wanted;
    const user = isNew ? this.users[Math.floor(this.random() ** LOYALTY * users)]! : undefined;
    if (user === undefined || (user.visiting && this.sessions.length > 0)) return pick(this.random, this.sessions);
    user.visiting = true;
    const id = `session-${this.run}-${this.visits++}`;
    const session = { id, user, viewed: undefined, clicked: undefined, cart: [], bought: [] };
    this.sessions.push(session);
    return session;
  }

  private act(session: Session): Action {
    const action = this.choose(session);
    const leaves = this.random() < (session.cart.length > 0 ? LEAVES_CART : LEAVES);
    if (leaves) {
      session.user.visiting = false;
      this.sessions.splice(this.sessions.indexOf(session), 1);
    }
    return action;
  }

  private choose(session: Session): Action {
    const { viewed, clicked, cart, bought } = session;
    const happens = (chance: number): boolean => this.random() < chance;
    if (clicked !== undefined) {
      session.viewed = clicked;
      session.clicked = undefined;
      return { type: 'view', item: clicked };
    }
    if (viewed !== undefined && !cart.includes(viewed) && !bought.includes(viewed) && happens(TO_CART)) {
      cart.push(viewed);
      return { type: 'cart', item: viewed };
    }
    if (cart.length > 0 && happens(TO_PURCHASE)) {
      const item = cart.shift()!;
      bought.push(item);
      return { type: 'purchase', item };
    }
    if (cart.length > 0 && happens(TO_REMOVE)) return { type: 'remove_from_cart', item: cart.pop()! };
    if (bought.length > 0 && happens(TO_RATING)) {
      const rating = Math.max(0.5, Math.round((5 - 4 * this.random() * this.random()) * 2) / 2);
      return { type: 'rating', item: pick(this.random, bought), rating };
    }
    const item = this.nextItem(session);
    if (happens(TO_CLICK)) {
      session.clicked = item;
      return { type: 'click', item };
    }
    session.viewed = item;
    return { type: 'view', item };
  }

  private nextItem({ viewed, user }: Session): Item {
    if (viewed !== undefined && this.random() < STAYS_IN_CATEGORY) return this.catalogue.draw(viewed.main);
    const roll = this.random();
    const taste = TASTE_WEIGHTS.findIndex((bound) => roll < bound);
    return this.catalogue.draw(user.tastes[taste]);
  }
}

function spoiled(fields: Record<string, unknown>, flaw: Fault, random: Random): Omit<ShopEvent, 'userId'> {
  const withChange = (change: object): string => JSON.stringify({ ...fields, ...change });
  switch (flaw) {
    case 'missing_field':
      return {
        flaw,
        text: withChange({ [pick(random, ['event_type', 'event_time', 'user_id', 'item_id'])]: undefined }),
      };
    case 'negative_price':
      return { flaw, text: withChange({ price: -(fields['price'] as number) }) };
    case 'rating_too_high':
      return { flaw, text: withChange({ event_type: 'rating', rating: 7 }) };
    case 'bad_time':
      return { flaw, text: withChange({ event_time: 'yesterday, about noon' }) };
    case 'not_json':
      return { flaw, text: withChange({}).slice(0, -1 - Math.floor(random() * 20)) };
    case 'unknown_type':
      return { flaw, text: withChange({ event_type: 'teleport' }) };
  }
}
