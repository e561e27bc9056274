/**
 * simulation: the visitors of a made-up shop or film service, for `rivulet demo`. Pure: the same seed and times give the same events.
 *
 * Visitors return, each with two or three preferred groups (main categories, genres). What they do during a visit is described by a `World`. About one
 * event in 500 is bad, so that there are dead letters to show; a few are duplicates or late.
 */
import { type Random, seededRandom } from '../../../actors/maths/random.js';
import { DemoCatalogue, type DemoItem, pick } from './catalogue.js';

export interface SimulationOptions {
  readonly seed: number;
  /** On average; default 50. */
  readonly eventsPerSecond?: number;
  readonly users?: number;
  readonly items?: number;
}

/** How an event is bad: each violates another rule of parse. */
export type Fault = 'missing_field' | 'negative_price' | 'rating_too_high' | 'bad_time' | 'not_json' | 'unknown_type';

export interface DemoEvent {
  /** The published text: canonical JSON, unless its flaw is `not_json`. */
  readonly text: string;
  readonly userId: string;
  /** Of its item. */
  readonly groups: readonly string[];
  /** The deliberate flaw. */
  readonly flaw: Fault | 'duplicate' | 'late' | undefined;
}

export interface Simulation<I extends DemoItem = DemoItem> {
  readonly items: readonly I[];
  /** An item as it is published to the catalogue. */
  published(item: I): object;
  /**
   * The events since the last call, in order of arrival; the first call starts the simulation. After a pause of more than a few seconds (a suspended
   * laptop) only the last few seconds are simulated.
   */
  next(nowMs: number): DemoEvent[];
}

export interface Visitor {
  readonly id: string;
  /** Preferred groups, in order of preference. */
  tastes: readonly string[];
}

/** What a visitor has done during a visit; a world adds its own. */
export interface Visit<I> {
  readonly id: string;
  readonly visitor: Visitor;
  /** The item that is viewed, and the one that was clicked and will be viewed next. */
  viewed: I | undefined;
  clicked: I | undefined;
}

export interface Action<I> {
  readonly type: string;
  readonly item: I;
  /** Further fields of the event. */
  readonly more?: object;
}

export interface EventFacts<I> extends Action<I> {
  readonly seed: number;
  readonly startedMs: number;
  /** The number of the event since the start. */
  readonly number: number;
  readonly timeMs: number;
}

/** Chance, and the next item that a visitor looks at: of the group of the last one, or to the visitor's taste. */
export interface Luck<I> {
  readonly random: Random;
  readonly happens: (chance: number) => boolean;
  readonly nextItem: (visit: Visit<I>) => I;
}

export interface World<I extends DemoItem, V extends Visit<I>> {
  readonly groups: readonly string[];
  stock(random: Random, count: number): I[];
  published(item: I): object;
  userId(number: number): string;
  /** How likely a visit begins with one of the visitor's preferred groups replaced. */
  readonly tasteChanges: number;
  visit(begun: Visit<I>, luck: Luck<I>): V;
  act(visit: V, luck: Luck<I>): Action<I>;
  /** How likely the visit ends with this action. */
  leaves(visit: V): number;
  /** The event, by the names that its publishers use. */
  fields(visit: V, facts: EventFacts<I>): Readonly<Record<string, unknown>>;
  readonly faults: readonly Fault[];
  readonly requiredFields: readonly string[];
  readonly timeField: string;
}

export function simulation<I extends DemoItem, V extends Visit<I>>(
  world: World<I, V>,
  options: SimulationOptions,
): Simulation<I> {
  return new WorldSimulation(world, { eventsPerSecond: 50, users: 2_000, items: 500, ...options });
}

const CATCH_UP_MS_MAX = 5_000;
/** The mean time between the actions of a visitor. */
const THINK_S = 8;
const TASTE_WEIGHTS = [0.55, 0.85, 0.95];
/** Above 1: some visitors come more often than others. */
const LOYALTY = 1.8;
const STAYS_IN_GROUP = 0.5;

const IS_BAD = 1 / 500;
const IS_LATE = 1 / 300;
const COMES_TWICE = 1 / 400;
const LATE_MS = { min: 20 * 60_000, max: 60 * 60_000 };
const TWICE_MS_MAX = 8_000;

class WorldSimulation<I extends DemoItem, V extends Visit<I>> implements Simulation<I> {
  private readonly random: Random;
  private readonly catalogue: DemoCatalogue<I>;
  private readonly visitors: readonly Visitor[];
  private readonly visiting = new Set<Visitor>();
  private readonly visits: V[] = [];
  private readonly repeats: { readonly atMs: number; readonly event: DemoEvent }[] = [];
  private readonly luck: Luck<I>;
  /** Ids of events and visits differ between runs, or the events of a second run would count as duplicates. */
  private startedMs = 0;
  private dueMs: number | undefined;
  private eventCount = 0;
  private visitCount = 0;

  constructor(
    private readonly world: World<I, V>,
    private readonly options: Required<SimulationOptions>,
  ) {
    const random = (this.random = seededRandom(options.seed));
    this.catalogue = new DemoCatalogue(random, world.stock(random, options.items), world.groups);
    this.visitors = Array.from({ length: options.users }, (_, i) => this.visitor(i));
    this.luck = { random, happens: (chance) => random() < chance, nextItem: (visit) => this.nextItem(visit) };
  }

  get items(): readonly I[] {
    return this.catalogue.items;
  }

  published(item: I): object {
    return this.world.published(item);
  }

  next(nowMs: number): DemoEvent[] {
    if (this.dueMs === undefined) this.startedMs = this.dueMs = nowMs;
    this.dueMs = Math.max(this.dueMs, nowMs - CATCH_UP_MS_MAX);
    const events: DemoEvent[] = [];
    while (this.dueMs <= nowMs) {
      this.catalogue.drift(this.dueMs);
      while (this.repeats.length > 0 && this.repeats[0]!.atMs <= this.dueMs) events.push(this.repeats.shift()!.event);
      events.push(this.event(this.dueMs));
      this.dueMs += (-Math.log(1 - this.random()) * 1000) / this.options.eventsPerSecond;
    }
    return events;
  }

  private visitor(number: number): Visitor {
    const tastes: string[] = [];
    const count = this.random() < 0.5 ? 2 : 3;
    while (tastes.length < count) tastes.push(this.newTaste(tastes));
    return { id: this.world.userId(number), tastes };
  }

  private newTaste(tastes: readonly string[]): string {
    let taste = pick(this.random, this.world.groups);
    while (tastes.includes(taste)) taste = pick(this.random, this.world.groups);
    return taste;
  }

  private event(timeMs: number): DemoEvent {
    const { random, world, options } = this;
    const visit = this.visit();
    const action = world.act(visit, this.luck);
    if (random() < world.leaves(visit)) {
      this.visiting.delete(visit.visitor);
      this.visits.splice(this.visits.indexOf(visit), 1);
    }
    const isLate = random() < IS_LATE;
    const lateMs = isLate ? LATE_MS.min + random() * (LATE_MS.max - LATE_MS.min) : 0;
    const { seed } = options;
    const facts = { ...action, seed, startedMs: this.startedMs, number: this.eventCount++, timeMs: timeMs - lateMs };
    const fields = world.fields(visit, facts);
    const common = { userId: visit.visitor.id, groups: action.item.groups };
    if (random() < IS_BAD) {
      const flaw = pick(random, world.faults);
      return { ...common, flaw, text: this.spoiled(fields, flaw) };
    }
    const event: DemoEvent = { ...common, text: JSON.stringify(fields), flaw: isLate ? 'late' : undefined };
    if (random() < COMES_TWICE) this.repeat(event, timeMs);
    return event;
  }

  private repeat(event: DemoEvent, timeMs: number): void {
    this.repeats.push({ atMs: timeMs + this.random() * TWICE_MS_MAX, event: { ...event, flaw: 'duplicate' } });
    this.repeats.sort((a, b) => a.atMs - b.atMs);
  }

  /** The visit of an active visitor, or a new one: a new one is likelier when the rate needs more of them. */
  private visit(): V {
    const { random, visits, world } = this;
    const { eventsPerSecond, users } = this.options;
    const wanted = Math.max(1, Math.min(eventsPerSecond * THINK_S, users / 3));
    const isNew = random() < 1 - visits.length / wanted;
    const visitor = isNew ? this.visitors[Math.floor(random() ** LOYALTY * users)]! : undefined;
    if (visitor === undefined || (this.visiting.has(visitor) && visits.length > 0)) return pick(random, visits);
    this.visiting.add(visitor);
    if (world.tasteChanges > 0 && random() < world.tasteChanges) this.changeTaste(visitor);
    const id = `session-${this.run}-${this.visitCount++}`;
    const visit = world.visit({ id, visitor, viewed: undefined, clicked: undefined }, this.luck);
    visits.push(visit);
    return visit;
  }

  private get run(): string {
    return runOf(this.options.seed, this.startedMs);
  }

  /** A new favourite; the group that was least preferred is forgotten. */
  private changeTaste(visitor: Visitor): void {
    visitor.tastes = [this.newTaste(visitor.tastes), ...visitor.tastes.slice(0, -1)];
  }

  private nextItem({ viewed, visitor }: Visit<I>): I {
    const { random, catalogue } = this;
    if (viewed !== undefined && random() < STAYS_IN_GROUP) {
      const { groups } = viewed;
      return catalogue.draw(groups.length === 1 ? groups[0] : pick(random, groups));
    }
    const roll = random();
    return catalogue.draw(visitor.tastes[TASTE_WEIGHTS.findIndex((bound) => roll < bound)]);
  }

  private spoiled(fields: Readonly<Record<string, unknown>>, flaw: Fault): string {
    const { requiredFields, timeField } = this.world;
    const withChange = (change: object): string => JSON.stringify({ ...fields, ...change });
    switch (flaw) {
      case 'missing_field':
        return withChange({ [pick(this.random, requiredFields)]: undefined });
      case 'negative_price':
        return withChange({ price: -(fields['price'] as number) });
      case 'rating_too_high':
        return withChange({ event_type: 'rating', rating: 7 });
      case 'bad_time':
        return withChange({ [timeField]: 'yesterday, about noon' });
      case 'not_json':
        return withChange({}).slice(0, -1 - Math.floor(this.random() * 20));
      case 'unknown_type':
        return withChange({ event_type: 'teleport' });
    }
  }
}

/** Names a run: the same seed at another time is another run. */
export const runOf = (seed: number, startedMs: number): string =>
  `${seed.toString(36)}-${Math.round(startedMs).toString(36)}`;
