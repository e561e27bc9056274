/**
 * A node of a cluster: it announces itself, watches the other nodes, and takes over, keeps and hands over shards accordingly.
 *
 * Invariants
 *   CLUSTER-1  A lease, a key that expires unless renewed, names the owner of a shard; it is acquired and renewed by compare-and-set.
 *   CLUSTER-2  The lease is for liveness. Two nodes may believe that they own a shard (a paused process resumes), which is harmless: fencing lets only one
 *              of them publish (OUTBOX-2), and the other releases the shard in its next round.
 *   CLUSTER-3  A shard changes owner when its lease is free. An owner that is not the preferred one hands it over when the preferred one is a standby of it.
 *   CLUSTER-4  One round at a time; long tasks run beside the rounds, so that leases are renewed meanwhile.
 *   CLUSTER-5  A node that was disconnected for a lease waits for another lease before it takes over free shards: after an outage of NATS the first node that
 *              is back would otherwise take over everything.
 *   CLUSTER-6  Rounds read a local copy of both buckets, which a watch updates. A stale copy costs only time: to acquire a lease a node names the revision
 *              that it has seen, and the server refuses any other.
 */
import { ClusterReader, type LeaseEntry, type NodeEntry, onNews } from './entries.js';
import type { ClusterOptions } from './options.js';
import type { KeyValue } from '../contract/ports.js';
import { Deadline } from '../supervision/deadline.js';
import { asError, explain, hasCode, reactionOf } from '../contract/errors.js';
import { retry, retryThroughFailover } from '../supervision/retry.js';
import { place } from './placement.js';
import { OwnLeases, MembershipEntry } from './membership.js';

/** Rounds per lease: two may be missed. */
const ROUNDS_PER_LEASE = 4;
type Phase = 'busy' | 'ready';

export class Cluster {
  private readonly startedAtMs: number;
  private readonly everywhere: ReadonlySet<string>;
  /** Shards whose lease this node has, with its revision. */
  private readonly owned = new Map<string, { revision: number; phase: Phase }>();
  private readonly followed = new Map<string, Phase>();
  private readonly tasks = new Set<Promise<void>>();
  private readonly presence: MembershipEntry;
  private reader!: ClusterReader;
  private readonly leases: OwnLeases;
  unreachableSinceMs: number | undefined;
  private seen: readonly NodeEntry[] = [];
  private hold: string | undefined;
  private readonly leaving = new AbortController();
  /** While above 0 it takes over nothing, and reports itself as standby of nothing, so that nothing is handed to it (CLUSTER-5). */
  private resting = 0;
  private pause = new AbortController();
  private looping: Promise<void> = Promise.resolve();

  private constructor(private readonly options: ClusterOptions) {
    this.startedAtMs = options.clock.nowMs();
    this.presence = new MembershipEntry(options.nodes, options.node);
    this.leases = new OwnLeases(options.leases, options.node);
    this.everywhere = new Set(options.shards.filter(({ everywhere }) => everywhere === true).map(({ name }) => name));
  }

  /** Resolves when this node has opened the shards that it gets in the first round. */
  static async join(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    const withRetry = retryThroughFailover(options.clock, (error) => cluster.waits(error));
    await Promise.all(options.shards.map(({ name }) => withRetry(() => options.host.check(name))));
    const watched = (table: KeyValue) => withRetry(() => onNews(table, () => cluster.pause.abort()));
    cluster.reader = new ClusterReader(await watched(options.nodes), await watched(options.leases), options.logger);
    await withRetry(() => cluster.round());
    await cluster.closeOthers();
    const opening = [...cluster.tasks];
    cluster.looping = cluster.loop();
    await Promise.all(opening);
    return cluster;
  }

  /** All nodes as of the last round. */
  get members(): readonly NodeEntry[] {
    return this.seen;
  }

  /** Shards that this node owns and has opened. */
  get shards(): readonly string[] {
    return [...this.owned].filter(([, { phase }]) => phase === 'ready').map(([shard]) => shard);
  }

  /** From now on it takes over nothing; it keeps what it owns until `stop`. */
  beginLeaving(): void {
    this.leaving.abort();
    this.pause.abort();
  }

  /** Hands everything over and leaves, as far as the deadline allows. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    const { host, leases, node } = this.options;
    this.beginLeaving();
    await deadline.step('the current cluster round', () => this.looping);
    await deadline.step('the watch on the other nodes', () => this.reader.stop());
    await deadline.step('shards that were being opened', () => Promise.allSettled(this.tasks));
    const alone = this.seen.every(({ id }) => id === node);
    await deadline.step('announcing the departure to other nodes', () => this.quietly(() => this.publishMembership()));
    const closing = [...new Set([...this.owned.keys(), ...this.followed.keys()])].map(async (shard) => {
      const copy = !alone && this.owned.has(shard);
      await deadline.step(`the last snapshot of ${shard}`, () => host.close(shard, { copy }));
      const lease = this.owned.get(shard);
      if (lease === undefined) return;
      await deadline.step(`the lease of ${shard}`, () => this.quietly(() => leases.delete(shard, lease.revision)));
    });
    await Promise.all(closing);
    await deadline.step('leaving the cluster', () => this.quietly(() => this.presence.leave()));
  }

  /** Closes shards that are open only to be read. */
  private async closeOthers(): Promise<void> {
    const idle = this.options.shards.filter(({ name }) => !this.owned.has(name) && !this.followed.has(name));
    await Promise.all(idle.map(({ name }) => this.options.host.close(name, { copy: false })));
  }

  private async loop(): Promise<void> {
    const { clock, leaseMs, logger, onFatal } = this.options;
    while (!this.isLeaving()) {
      await clock.sleep(leaseMs / ROUNDS_PER_LEASE, this.pause.signal);
      this.pause = new AbortController();
      if (this.isLeaving()) return;
      try {
        await this.round();
        if (this.unreachableSinceMs !== undefined)
          logger.info({ shards: this.shards }, 'in touch with the other nodes again');
        this.unreachableSinceMs = undefined;
      } catch (error) {
        if (reactionOf(error) === 'fatal') {
          onFatal(asError(error));
          return;
        }
        if (this.unreachableSinceMs === undefined) logger.warn({ err: error }, 'out of touch with the other nodes');
        this.unreachableSinceMs ??= clock.nowMs();
      }
    }
  }

  private async round(): Promise<void> {
    const { shards, node, standbys } = this.options;
    // In parallel and before anything is read: one after the other, on a slow machine, some would expire first.
    await Promise.all([this.publishMembership(), ...[...this.owned].map((one) => this.leases.renew(...one))]);
    const { members, hold, taken } = await this.reader.read();
    this.seen = members;
    await this.applyHold(hold);
    const candidates = this.seen.filter(({ draining }) => !draining).map(({ id }) => id);
    const names = shards.map(({ name }) => name);
    const plan = place(names, candidates.sort());
    for (const { name } of shards) {
      const preference = plan.get(name) ?? [];
      const rank = preference.indexOf(node);
      const lease = taken.get(name);
      if (this.owned.has(name)) await this.keep(name, lease, preference[0]);
      else if (lease?.node !== undefined && lease.node !== node) this.standBy(name, rank <= standbys && rank >= 0);
      else if (rank === 0 && (lease?.node === node || this.resting === 0)) await this.take(name, lease?.revision ?? 0);
      else {
        // Ours, of an earlier process, and somebody else's turn; or nobody's, and not for us to take yet.
        if (lease !== undefined) await this.leases.end(name, lease.revision);
        this.standBy(name, rank <= standbys && rank >= 0);
      }
    }
  }

  /** Keeps a shard, hands it over, or detects that it is lost (CLUSTER-2, CLUSTER-3). */
  private async keep(shard: string, lease: LeaseEntry | undefined, planned: string | undefined): Promise<void> {
    const { node, logger } = this.options;
    const own = this.owned.get(shard)!;
    if (lease?.node !== undefined && lease.node !== node) {
      this.owned.delete(shard);
      logger.warn({ shard, owner: lease.node }, 'another node has taken over this shard; releasing it');
      if (this.everywhere.has(shard)) this.standBy(shard, true);
      else this.beside(shard, () => this.closed(shard, false));
      return;
    }
    // A lease that expired during an outage and is still free is acquired again. If another node is faster, the next round shows it.
    if (lease?.revision !== own.revision) await this.leases.renew(shard, own, lease?.revision ?? 0);
    // Handed over meanwhile.
    if (this.owned.get(shard) !== own) return;
    if (planned === undefined || planned === node || [...this.owned.values()].some(({ phase }) => phase === 'busy'))
      return;
    if (this.seen.some(({ id, standbyOf }) => id === planned && standbyOf.includes(shard)))
      this.handOver(shard, own, planned);
  }

  private handOver(shard: string, own: { revision: number; phase: Phase }, to: string): void {
    const { host, leases, logger } = this.options;
    own.phase = 'busy';
    logger.info({ shard, to }, 'handing over');
    const hand = async (): Promise<void> => {
      if (this.everywhere.has(shard)) await host.follow(shard);
      else await this.closed(shard, true);
      if (this.owned.get(shard) !== own) return;
      this.owned.delete(shard);
      if (this.everywhere.has(shard)) this.followed.set(shard, 'ready');
      // Were it just being renewed, or the table away, the next round would delete it.
      await this.quietly(() => leases.delete(shard, own.revision));
    };
    this.beside(shard, hand, () => this.owned.get(shard) === own);
  }

  private async take(shard: string, revision: number): Promise<void> {
    const { host, logger } = this.options;
    const taken = await this.leases.put(shard, revision);
    if (taken === undefined) {
      // Another node was faster, and hands it over when this node is a standby of it. A view can be read here until then.
      this.standBy(shard, true);
      return;
    }
    const own: { revision: number; phase: Phase } = { revision: taken, phase: 'busy' };
    this.owned.set(shard, own);
    this.followed.delete(shard);
    logger.info({ shard }, 'taking over');
    const open = async (): Promise<void> => {
      await host.own(shard);
      own.phase = 'ready';
    };
    this.beside(shard, open, () => this.owned.get(shard) === own);
  }

  private standBy(shard: string, wanted: boolean): void {
    const { host, clock, leaseMs } = this.options;
    const isFollowed = this.followed.has(shard);
    if ((wanted || this.everywhere.has(shard)) && !isFollowed) {
      this.followed.set(shard, 'busy');
      const follow = async (): Promise<void> => {
        await host.follow(shard).catch(async (error: unknown) => {
          const unusable = hasCode(error, 'COPY_UNUSABLE');
          if (!unusable || this.everywhere.has(shard)) throw error;
          // Not a standby, and nothing waits for it: a later round tries again.
          await clock.sleep(leaseMs / ROUNDS_PER_LEASE, this.leaving.signal);
          this.followed.delete(shard);
        });
        if (this.followed.has(shard)) this.followed.set(shard, 'ready');
      };
      this.beside(shard, follow, () => this.followed.has(shard));
    } else if (!wanted && isFollowed && !this.everywhere.has(shard)) {
      this.followed.delete(shard);
      this.beside(shard, () => this.closed(shard, false));
    }
  }

  private async publishMembership(): Promise<void> {
    const { process, name, grpc, settings, clock, leaseMs } = this.options;
    const followed = this.resting > 0 ? [] : [...this.followed];
    const standbyOf = followed.filter(([, phase]) => phase === 'ready').map(([shard]) => shard);
    const { startedAtMs, hold } = this;
    const own = { process, name, settings, startedAtMs, hold, standbyOf, grpc: grpc?.(), draining: this.isLeaving() };
    if (!(await this.presence.announce(own))) return;
    this.resting++;
    void clock.sleep(leaseMs, this.leaving.signal).then(() => {
      this.resting--;
      this.pause.abort();
    });
  }

  private async applyHold(token: string | undefined): Promise<void> {
    if (token === this.hold) return;
    await this.options.host.hold(token !== undefined);
    this.hold = token;
    await this.publishMembership();
  }

  /** If it fails, the next owner replays more. A second close might close a shard that was opened since. */
  private async closed(shard: string, copy: boolean): Promise<void> {
    const { host, logger } = this.options;
    await host.close(shard, { copy }).catch((error: unknown) => {
      if (!hasCode(error, 'SHARD_UNFINISHED')) throw error;
      logger.warn({ err: error, shard }, 'closed without a last snapshot');
    });
  }

  /** Runs a long task; the next round sees its result (CLUSTER-4). A task that fails is retried while it is wanted. */
  private beside(shard: string, work: () => Promise<void>, isWanted: () => boolean = () => true): void {
    const { onFatal, logger, clock } = this.options;
    const isStillWanted = (): boolean => !this.isLeaving() && isWanted();
    const tried = (): Promise<void> => (isWanted() ? work() : Promise.resolve());
    const onRetry = (error: unknown, attempt: number): void => {
      if (attempt === 1) this.waits(error, shard);
    };
    const task = retry(tried, { clock, isWanted: isStillWanted, onRetry, pauseMs: 500 })
      .catch((error: unknown) => {
        // What it waited for is not asked of it any more.
        if (reactionOf(error) === 'transient' && !isWanted()) return;
        logger.error({ shard, reason: explain(error) }, 'cannot open or close a shard');
        // At the end it is the next start's.
        if (!this.isLeaving() || reactionOf(error) === 'fatal') onFatal(asError(error));
      })
      .finally(() => {
        this.tasks.delete(task);
        this.pause.abort();
      });
    this.tasks.add(task);
  }

  /** For steps that are optional: leases expire by themselves. */
  private async quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.options.logger.debug({ err: error }, 'left without deleting the leases; they expire');
    }
  }

  private waits(error: unknown, shard?: string): void {
    this.options.logger.warn({ err: error, shard }, 'cannot be done now; trying again');
  }

  private isLeaving(): boolean {
    return this.leaving.signal.aborted;
  }
}
