/** The demo's publisher: sends the events of the shop, or of the film service, over real NATS, as any service would. */
import type { Clock, Log } from '../../contract/ports.js';
import { eventSubject } from '../../node/publisher.js';
import { utf8 } from '../../frames/bytes.js';
import { BoundedPublisher } from '../publish/bounded-publisher.js';
import type { DemoEvent, Simulation, SimulationOptions } from './simulation.js';

export interface FeedOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly create: (options: SimulationOptions) => Simulation;
  readonly simulation: Required<SimulationOptions>;
}

const STEP_MS = 100;
/** The history that the first start begins with, so that there are recommendations at once. */
const HISTORY_MS = 30 * 60_000;
const HISTORY_EVENTS_PER_SECOND = 3;
const HISTORY_STEP_MS = 4_000;

/** A group's count halves in this time: it measures current activity. */
const BUSY_HALF_LIFE_MS = 60_000;
/** A user without events for this long is not shown any more. */
const QUIET_MS = 45_000;
const USERS_WATCHED_MAX = 5_000;

const ITEMS = 'rivulet.items.demo';
const ITEMS_PER_MESSAGE = 500;

const TYPE = /"event_type":"(\w+)"/;

interface Activity {
  events: number;
  lastMs: number;
}

export class DemoFeed {
  private readonly publisher: BoundedPublisher;
  /** By group. */
  private readonly busy = new Map<string, { count: number; atMs: number }>();
  private readonly users = new Map<string, Activity>();
  private watched: string | undefined;

  constructor(private readonly options: FeedOptions) {
    this.publisher = new BoundedPublisher(options);
  }

  get published(): number {
    return this.publisher.counts.published;
  }

  /** Publishes the items to the catalogue. Repeating known items changes nothing. */
  async nameItems(): Promise<number> {
    const simulation = this.options.create(this.options.simulation);
    const { items } = simulation;
    const publisher = new BoundedPublisher(this.options);
    for (let at = 0; at < items.length; at += ITEMS_PER_MESSAGE) {
      const some = items.slice(at, at + ITEMS_PER_MESSAGE);
      await publisher.publish(ITEMS, utf8(JSON.stringify(some.map((item) => simulation.published(item)))));
    }
    await publisher.settled();
    return items.length;
  }

  /** Some thousand events of the last half hour. */
  async warmUp(): Promise<number> {
    const { clock, create, simulation } = this.options;
    const until = clock.nowMs();
    const past = create({ ...simulation, eventsPerSecond: HISTORY_EVENTS_PER_SECOND });
    let events = 0;
    for (let at = until - HISTORY_MS; at < until; at += HISTORY_STEP_MS) events += await this.send(past, at);
    await this.publisher.settled();
    return events;
  }

  /** Publishes until stopped; rejects on failure. */
  async run(): Promise<void> {
    const { clock, create, simulation, signal } = this.options;
    const live = create(simulation);
    while (!signal.aborted) {
      await this.send(live, clock.nowMs());
      await clock.sleep(STEP_MS, signal);
    }
  }

  /** Main categories or genres by their share of current events, busiest first. */
  busiest(): readonly (readonly [group: string, share: number])[] {
    const nowMs = this.options.clock.nowMs();
    const counts = [...this.busy].map(([name, { count, atMs }]) => [name, faded(count, nowMs - atMs)] as const);
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

  private async send(simulation: Simulation, nowMs: number): Promise<number> {
    const events = simulation.next(nowMs);
    for (const event of events) {
      this.note(event, nowMs);
      await this.publisher.publish(
        eventSubject(TYPE.exec(event.text)?.[1] ?? 'unknown', event.userId),
        utf8(event.text),
      );
    }
    return events.length;
  }

  private note({ groups, userId }: DemoEvent, nowMs: number): void {
    for (const group of groups) {
      const { count, atMs } = this.busy.get(group) ?? { count: 0, atMs: nowMs };
      this.busy.set(group, { count: faded(count, nowMs - atMs) + 1 / groups.length, atMs: nowMs });
    }
    const activity = this.users.get(userId) ?? { events: 0, lastMs: nowMs };
    this.users.delete(userId);
    this.users.set(userId, { events: activity.events + 1, lastMs: nowMs });
    // The user who has been quiet for the longest is the first.
    if (this.users.size > USERS_WATCHED_MAX) this.users.delete(this.users.keys().next().value!);
  }
}

const faded = (count: number, ageMs: number): number => count * 2 ** (-Math.max(0, ageMs) / BUSY_HALF_LIFE_MS);
