/**
 * A node among others: it says that it is there, sees who else is, and takes, keeps and hands over units accordingly.
 *
 * Invariants
 *   D1  Who owns a unit says so in a lease, a key that ends by itself unless renewed; it is taken and renewed by compare-and-set.
 *   D2  The lease is for liveness. That two nodes believe to own a unit is possible (a stopped process wakes up) and harmless: the fences
 *       let one of them speak (O2), and the other hears of it here and lets go.
 *   D3  A unit changes hands when nobody holds its lease; who holds it and should not hands it over when the one that should is warm.
 *   D4  One round at a time; what takes long runs beside the rounds, so that leases are renewed meanwhile.
 *   D5  Who was out of touch for a lease waits for another one before it takes what nobody holds: when all nodes were, as in an outage of NATS, the
 *       first that is back would take everything.
 */
import { bytesOf, holdIn, type LeaseEntry, leasesIn, type NodeEntry, nodesIn, onNews } from './entries.js';
import type { ClusterOptions } from './options.js';
import { Deadline } from '../supervision/deadline.js';
import { asError, explain, reactionOf, RivuletError } from '../contract/errors.js';
import { outlasting, patience } from '../supervision/retry.js';
import { place } from './placement.js';
import { PresenceEntry, unlessFenced } from './membership.js';

/** Rounds per lease: two may be missed. */
const ROUNDS_PER_LEASE = 4;

type Phase = 'busy' | 'ready';

export class Cluster {
  private readonly startedAtMs: number;
  private readonly everywhere: ReadonlySet<string>;
  /** Units whose lease is ours, with its revision. */
  private readonly owned = new Map<string, { revision: number; phase: Phase }>();
  private readonly followed = new Map<string, Phase>();
  private readonly tasks = new Set<Promise<void>>();
  private readonly presence: PresenceEntry;
  awaySinceMs: number | undefined;
  private seen: readonly NodeEntry[] = [];
  private hold: string | undefined;
  private readonly leaving = new AbortController();
  /** While above 0 it takes nothing new, and says that it has nothing warm, so that nothing is handed to it (D5). */
  private resting = 0;
  private pause = new AbortController();
  private looping: Promise<void> = Promise.resolve();
  private readonly unwatch: (() => Promise<void>)[] = [];

  private constructor(private readonly options: ClusterOptions) {
    this.startedAtMs = options.clock.nowMs();
    this.presence = new PresenceEntry(options.nodes, options.node);
    this.everywhere = new Set(options.units.filter(({ everywhere }) => everywhere === true).map(({ name }) => name));
  }

  /** Resolves when this node has opened what falls to it at once. */
  static async join(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    const patiently = patience(options.clock, (error) => cluster.waits(error));
    await Promise.all(options.units.map(({ name }) => patiently(() => options.host.check(name))));
    await patiently(() => cluster.round());
    await cluster.closeOthers();
    const opening = [...cluster.tasks];
    for (const table of [options.nodes, options.leases]) {
      cluster.unwatch.push(await patiently(() => onNews(table, () => cluster.pause.abort())));
    }
    cluster.looping = cluster.loop();
    await Promise.all(opening);
    return cluster;
  }

  /** All nodes as of the last round. */
  get members(): readonly NodeEntry[] {
    return this.seen;
  }

  /** Units that this node owns and has opened. */
  get units(): readonly string[] {
    return [...this.owned].filter(([, { phase }]) => phase === 'ready').map(([unit]) => unit);
  }

  /** From now on it takes nothing new; what it owns it keeps until `stop`. */
  beginLeaving(): void {
    this.leaving.abort();
    this.pause.abort();
  }

  /** Hands everything over and leaves: what the deadline allows of it. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    const { host, leases, node } = this.options;
    this.beginLeaving();
    await deadline.step('the watch on the other nodes', () => Promise.all(this.unwatch.map((unwatch) => unwatch())));
    await deadline.step('the round', () => this.looping);
    await deadline.step('units that were being opened', () => Promise.allSettled(this.tasks));
    const alone = this.seen.every(({ id }) => id === node);
    await deadline.step('word to the other nodes', () => this.quietly(() => this.sayPresence()));
    const closing = [...new Set([...this.owned.keys(), ...this.followed.keys()])].map(async (unit) => {
      const copy = !alone && this.owned.has(unit);
      await deadline.step(`the last snapshot of ${unit}`, () => host.close(unit, { copy }));
      const lease = this.owned.get(unit);
      if (lease === undefined) return;
      await deadline.step(`the lease of ${unit}`, () => this.quietly(() => leases.delete(unit, lease.revision)));
    });
    await Promise.all(closing);
    await deadline.step('word to the other nodes', () => this.quietly(() => this.presence.leave()));
  }

  /** What was opened to be looked at, and is nobody's business here. */
  private async closeOthers(): Promise<void> {
    const { units, host } = this.options;
    const idle = units.filter(({ name }) => !this.owned.has(name) && !this.followed.has(name));
    await Promise.all(idle.map(({ name }) => host.close(name, { copy: false })));
  }

  private async loop(): Promise<void> {
    const { clock, leaseMs, logger, onFatal } = this.options;
    while (!this.isLeaving()) {
      await clock.sleep(leaseMs / ROUNDS_PER_LEASE, this.pause.signal);
      this.pause = new AbortController();
      if (this.isLeaving()) return;
      try {
        await this.round();
        if (this.awaySinceMs !== undefined) logger.info({ units: this.units }, 'in touch with the other nodes again');
        this.awaySinceMs = undefined;
      } catch (error) {
        if (reactionOf(error) === 'fatal') {
          onFatal(asError(error));
          return;
        }
        if (this.awaySinceMs === undefined) logger.warn({ err: error }, 'out of touch with the other nodes');
        this.awaySinceMs ??= clock.nowMs();
      }
    }
  }

  private async round(): Promise<void> {
    const { nodes, leases, units, node, standbys } = this.options;
    await this.sayPresence();
    const entries = await nodes.entries();
    this.seen = nodesIn(entries);
    await this.holdStill(holdIn(entries));
    const taken = leasesIn(await leases.entries());
    const candidates = this.seen.filter(({ draining }) => !draining).map(({ id }) => id);
    const names = units.map(({ name }) => name);
    const plan = place(names, candidates.sort());
    for (const { name } of units) {
      const preference = plan.get(name) ?? [];
      const rank = preference.indexOf(node);
      const lease = taken.get(name);
      if (this.owned.has(name)) await this.keep(name, lease, preference[0]);
      else if (lease !== undefined && lease.node !== node) this.standBy(name, rank <= standbys && rank >= 0);
      else if (rank === 0 && (lease !== undefined || this.resting === 0)) await this.take(name, lease?.revision ?? 0);
      else {
        // Ours, of an earlier process, and somebody else's turn; or nobody's, and not for us to take yet.
        if (lease !== undefined) await unlessFenced(() => leases.delete(name, lease.revision));
        this.standBy(name, rank <= standbys && rank >= 0);
      }
    }
  }

  /** Renews the lease of a unit, hands it over, or learns that it is lost (D2, D3). */
  private async keep(unit: string, lease: LeaseEntry | undefined, planned: string | undefined): Promise<void> {
    const { leases, node, logger } = this.options;
    const own = this.owned.get(unit)!;
    if (lease !== undefined && lease.node !== node) {
      this.owned.delete(unit);
      logger.warn({ unit, owner: lease.node }, 'another node has taken this unit; letting go of it');
      if (this.everywhere.has(unit)) this.standBy(unit, true);
      else this.beside(unit, () => this.closed(unit, false));
      return;
    }
    // One that ended while nobody could renew it, and that nobody took, is taken again. Who was faster shows in the next round.
    own.revision =
      (await unlessFenced(() => leases.put(unit, bytesOf({ node }), lease?.revision ?? 0))) ?? own.revision;
    // Handed over meanwhile.
    if (this.owned.get(unit) !== own) return;
    if (planned === undefined || planned === node || [...this.owned.values()].some(({ phase }) => phase === 'busy'))
      return;
    if (this.seen.some(({ id, warm }) => id === planned && warm.includes(unit))) this.handOver(unit, own, planned);
  }

  private handOver(unit: string, own: { revision: number; phase: Phase }, to: string): void {
    const { host, leases, logger } = this.options;
    own.phase = 'busy';
    logger.info({ unit, to }, 'handing over');
    const hand = async (): Promise<void> => {
      if (this.everywhere.has(unit)) await host.follow(unit);
      else await this.closed(unit, true);
      if (this.owned.get(unit) !== own) return;
      this.owned.delete(unit);
      if (this.everywhere.has(unit)) this.followed.set(unit, 'ready');
      // Were it just being renewed, or the table away, the next round would delete it.
      await this.quietly(() => leases.delete(unit, own.revision));
    };
    this.beside(unit, hand, () => this.owned.get(unit) === own);
  }

  private async take(unit: string, revision: number): Promise<void> {
    const { leases, node, host, logger } = this.options;
    const taken = await unlessFenced(() => leases.put(unit, bytesOf({ node }), revision));
    if (taken === undefined) {
      // Somebody was faster, and hands it over when it is warm here. Until then a view is read here all the same.
      this.standBy(unit, true);
      return;
    }
    const own: { revision: number; phase: Phase } = { revision: taken, phase: 'busy' };
    this.owned.set(unit, own);
    this.followed.delete(unit);
    logger.info({ unit }, 'taking over');
    const open = async (): Promise<void> => {
      await host.own(unit);
      own.phase = 'ready';
    };
    this.beside(unit, open, () => this.owned.get(unit) === own);
  }

  private standBy(unit: string, wanted: boolean): void {
    const { host, clock, leaseMs } = this.options;
    const isFollowed = this.followed.has(unit);
    if ((wanted || this.everywhere.has(unit)) && !isFollowed) {
      this.followed.set(unit, 'busy');
      const follow = async (): Promise<void> => {
        await host.follow(unit).catch(async (error: unknown) => {
          const unusable = error instanceof RivuletError && error.code === 'COPY_UNUSABLE';
          if (!unusable || this.everywhere.has(unit)) throw error;
          // Not warm, and nobody waits for it: a later round tries again.
          await clock.sleep(leaseMs / ROUNDS_PER_LEASE, this.leaving.signal);
          this.followed.delete(unit);
        });
        if (this.followed.has(unit)) this.followed.set(unit, 'ready');
      };
      this.beside(unit, follow, () => this.followed.has(unit));
    } else if (!wanted && isFollowed && !this.everywhere.has(unit)) {
      this.followed.delete(unit);
      this.beside(unit, () => this.closed(unit, false));
    }
  }

  private async sayPresence(): Promise<void> {
    const { process, name, grpc, settings, clock, leaseMs } = this.options;
    const followed = this.resting > 0 ? [] : [...this.followed];
    const warm = followed.filter(([, phase]) => phase === 'ready').map(([unit]) => unit);
    const { startedAtMs, hold } = this;
    const own = { process, name, settings, startedAtMs, hold, warm, grpc: grpc?.(), draining: this.isLeaving() };
    if (!(await this.presence.say(own))) return;
    this.resting++;
    void clock.sleep(leaseMs, this.leaving.signal).then(() => {
      this.resting--;
      this.pause.abort();
    });
  }

  private async holdStill(token: string | undefined): Promise<void> {
    if (token === this.hold) return;
    await this.options.host.hold(token !== undefined);
    this.hold = token;
    await this.sayPresence();
  }

  /** What could not be finished is the next owner's: it replays more. To close again would close what was opened since. */
  private async closed(unit: string, copy: boolean): Promise<void> {
    const { host, logger } = this.options;
    await host.close(unit, { copy }).catch((error: unknown) => {
      if (!(error instanceof RivuletError && error.code === 'UNIT_UNFINISHED')) throw error;
      logger.warn({ err: error, unit }, 'closed without a last snapshot');
    });
  }

  /** What takes long; the next round sees what has come of it (D4). What cannot be done now is tried again while it is wanted. */
  private beside(unit: string, work: () => Promise<void>, isWanted: () => boolean = () => true): void {
    const { onFatal, logger, clock } = this.options;
    const isStillWanted = (): boolean => !this.isLeaving() && isWanted();
    const tried = (): Promise<void> => (isWanted() ? work() : Promise.resolve());
    const task = outlasting(tried, { clock, isWanted: isStillWanted, onWait: (error) => this.waits(error, unit) })
      .catch((error: unknown) => {
        // What it waited for is not asked of it any more.
        if (reactionOf(error) === 'transient' && !isWanted()) return;
        logger.error({ unit, reason: explain(error) }, 'cannot open or close a unit');
        // At the end it is the next start's.
        if (!this.isLeaving() || reactionOf(error) === 'fatal') onFatal(asError(error));
      })
      .finally(() => {
        this.tasks.delete(task);
        this.pause.abort();
      });
    this.tasks.add(task);
  }

  /** What also happens without it: leases end by themselves, at the end when the log may be gone already. */
  private async quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.options.logger.debug({ err: error }, 'let go without saying so; the leases end by themselves');
    }
  }

  private waits(error: unknown, unit?: string): void {
    this.options.logger.warn({ err: error, unit }, 'cannot be done now; trying again');
  }

  private isLeaving(): boolean {
    return this.leaving.signal.aborted;
  }
}
