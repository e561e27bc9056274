/**
 * A shard on this node: its store and its role.
 *
 * follow   keep the store at the newest copy, ready to take over (a shard that is `everywhere` also runs, and publishes nothing)
 * own      run the instances, publish their outputs, copy the snapshots, trim the mailboxes
 * close    accept no more input, write a last snapshot and a last copy
 *
 * Invariants
 * SHARD-1  One process at a time writes a store (LevelDB's lock), in one role at a time; recovery and role changes are serialized.
 * SHARD-2  Only the owner trims and copies; fencing rejects a node that wrongly believes to own it (OUTBOX-2, REPLICA-1).
 */
import type { Actor } from '../actor/actor.js';
import { acknowledge, catchUp, forget, sequencesOf } from '../replication/reader.js';
import { ReplicaWriter } from '../replication/writer.js';
import { includedIn, type ReplicaStore, readManifest } from '../replication/store.js';
import { Deadline } from '../supervision/deadline.js';
import { asError, hasCode } from '../contract/errors.js';
import type { ActorTuning } from '../actor/options.js';
import type { RecoveryGate } from './recovery-gate.js';
import type { Scheduler } from './scheduler.js';
import type { ShardSpec } from './shard-spec.js';
import { instancePrefix } from '../state/keyspace.js';
import type { Topology } from '../contract/graph.js';
import type { Clock, Log, Logger, Store } from '../contract/ports.js';
import { mustFitLog } from '../log-integrity/preflight.js';
import { recoverSnapshot } from '../actor/recovery.js';
import { Standby } from '../replication/standby.js';
import { type ActorStatus, newStatus } from '../telemetry/status.js';
import { hasPublishers, readsEvents } from '../contract/streams.js';
import { type Life, Supervisor } from '../supervision/supervisor.js';
import { SupervisedInstance } from './supervised-instance.js';
import { Ticker } from './ticker.js';

export interface HostOptions {
  readonly topology: Topology;
  readonly log: Log;
  readonly openStore: (name: string) => Promise<Store>;
  readonly clock: Clock;
  readonly loggerOf: (stage: string, partition: number) => Logger;
  readonly tuning: ActorTuning;
  /** Interval of ticks into the mailboxes of stages with publishers; 0 for none. */
  readonly tickEveryMs: number;
  readonly scheduler?: Scheduler;
  readonly recoveryGate?: RecoveryGate;
  readonly onAnswered?: (stage: string, partition: number, ingestedAtMs: number) => void;
  /** Called when an instance has restored its state, and begins to process input. */
  readonly onOpened?: () => void;
  /** Absent: a shard without copies, which exists only in its data directory. */
  readonly replication?: ReplicationOptions;
}

export interface ReplicationOptions {
  readonly copies: ReplicaStore;
  readonly everyMs: number;
  /** Names a replication writer; each name is unique over all nodes. */
  readonly writer: () => string;
  /** While true, nothing is trimmed or deleted that a backup may need. */
  readonly isHeld: () => boolean;
}

export interface CloseOptions {
  readonly copy: boolean;
  readonly deadline: Deadline;
}

/** Kept from a failed shard for its restart. */
export interface Restart {
  readonly statuses: readonly ActorStatus[];
  /** Its mailbox was trimmed past its store: it can only continue if a newer copy has the missing messages. */
  readonly gap?: {
    readonly error: Error;
    /** The store's sequences when it was next opened. */
    sequences: Readonly<Record<string, number>> | undefined;
  };
}

export class Shard implements Life {
  readonly statusesOfAll: readonly ActorStatus[];
  /** Rejects when an instance, or replication, has escalated. The supervisor then closes it. */
  readonly ended: Promise<void>;
  private readonly supervisor: Supervisor;
  private instances = new Map<string, SupervisedInstance>();
  private tickers: { readonly ticker: Ticker; readonly ended: Promise<void> }[] = [];
  private following: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  private copier: ReplicaWriter | undefined;
  /** The requested role, also while the change to it is under way. */
  private role: 'follow' | 'own' | undefined;
  private readonly standby: Standby;
  /** Settles when the current role change or recovery has ended (SHARD-1). */
  private changing: Promise<void> = Promise.resolve();
  private fail: (error: Error) => void = () => undefined;
  private isRunning = false;

  private constructor(
    readonly shard: ShardSpec,
    private readonly options: HostOptions,
    private readonly store: Store,
    private readonly restart: Restart | undefined,
  ) {
    this.statusesOfAll = restart?.statuses ?? shard.stages.map((id) => newStatus(id, shard.partition));
    this.ended = new Promise((_, reject) => (this.fail = reject));
    this.ended.catch(() => undefined);
    const { clock, loggerOf } = options;
    const logger = loggerOf(shard.name, shard.partition);
    this.supervisor = new Supervisor({ clock, logger, onEscalated: (error) => this.fail(error) });
    this.standby = new Standby(shard, options.clock, options.replication?.everyMs ?? 0);
  }

  static async open(shard: ShardSpec, options: HostOptions, restart?: Restart): Promise<Shard> {
    const opened = new Shard(shard, options, await options.openStore(shard.name), restart);
    if (restart?.gap !== undefined) restart.gap.sequences ??= sequencesOf(opened.store, shard);
    return opened;
  }

  /** Fatal LOG_BEHIND when the store refers to messages that the log does not have. */
  check(): Promise<void> {
    const { topology, log } = this.options;
    return mustFitLog({ topology, shard: this.shard, log, store: this.store });
  }

  /** Of its instances, current values; a shard that only follows has no running ones. */
  get statuses(): readonly ActorStatus[] {
    for (const instance of this.instances.values()) instance.report();
    return this.isRunning ? this.statusesOfAll : [];
  }

  /** The running actor of a stage; absent while it restarts. */
  actor(stage: string): Actor | undefined {
    return this.instances.get(stage)?.current;
  }

  /** Some stored keys of a state. */
  async storedKeys(stage: string, cell: string): Promise<readonly string[]> {
    const prefix = `${instancePrefix(stage, this.shard.partition)}${cell}/`;
    const view = this.store.view();
    try {
      for await (const some of view.entries(prefix)) return some.map(([key]) => key.slice(prefix.length));
      return [];
    } finally {
      await view.close();
    }
  }

  /** Resolves when the store is at the newest copy, and then keeps it there. Transient COPY_UNUSABLE: the owner has yet to create a new copy. */
  follow(): Promise<void> {
    this.role = 'follow';
    return this.inTurn(() => this.followNow());
  }

  /** Resolves when the instances are started. */
  own(): Promise<void> {
    this.role = 'own';
    return this.inTurn(() => this.ownNow());
  }

  stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    return this.close({ copy: false, deadline });
  }

  /** Ends everything and closes the store, as far as the deadline allows. With `copy` the next owner finds the complete state of this one. */
  async close({ copy, deadline }: CloseOptions): Promise<void> {
    await deadline.step(`the copies of ${this.shard.name}`, () => this.stopFollowing());
    await deadline.step(`what ${this.shard.name} was becoming`, () => this.changing);
    // Most of the copy while the instances still run: the next owner waits for the rest.
    if (copy) await deadline.step(`a copy of ${this.shard.name}`, () => this.copyAhead());
    await this.stopInstances(deadline);
    if (copy) {
      // From now on it may belong to another node.
      this.isRunning = false;
      await deadline.step(`the last copy of ${this.shard.name}`, async () => this.copier?.copy());
    }
    await deadline.step(`the copies of ${this.shard.name}`, () => this.stopCopying());
    await deadline.step(`the store ${this.shard.name}`, () => this.store.close());
  }

  private async copyAhead(): Promise<void> {
    const { shard, copier } = this;
    // The last copy includes the state that this one could not.
    await copier?.copy().catch((error: unknown) => {
      this.options.loggerOf(shard.name, shard.partition).debug({ err: error }, 'cannot copy ahead');
    });
  }

  private async followNow(): Promise<void> {
    const { replication: copying } = this.options;
    if (copying === undefined || this.following !== undefined) return;
    await this.stopCopying();
    if (this.instances.size === 0) await this.catchUp();
    if (this.shard.everywhere === true && this.instances.size === 0) this.startInstances();
    const abort = new AbortController();
    this.following = { abort, ended: this.keepUp(copying, abort.signal) };
  }

  private async ownNow(): Promise<void> {
    await this.stopFollowing();
    const { replication: copying, clock, loggerOf } = this.options;
    if (this.instances.size === 0) await this.startAtCopy();
    if (copying === undefined) return;
    const { shard, store } = this;
    const logger = loggerOf(shard.name, shard.partition);
    this.copier = await ReplicaWriter.open({ ...copying, writer: copying.writer(), shard, store, clock, logger });
    this.copier.start((error) => this.fail(error));
  }

  private async startAtCopy(): Promise<void> {
    await this.catchUp().catch((error: unknown) => {
      if (!hasCode(error, 'COPY_LOST') || this.restart?.gap !== undefined) throw error;
      // Without the copy, complete mailboxes suffice. An incomplete one fails with LOG_GAP; the restart then ends with this error.
      const { name, partition } = this.shard;
      this.options.loggerOf(name, partition).warn({ err: error, shard: name }, 'starting without the copy');
    });
    this.startInstances();
  }

  private async catchUp(): Promise<void> {
    const { replication: copying, topology, log, loggerOf } = this.options;
    const { shard, store } = this;
    const { partition } = shard;
    // State from another stream, or from this stream before a rollback or a restore, must not be combined with a copy: sequences alone would not show the
    // difference (Fatal LOG_BEHIND).
    const asked = shard.stages.map((id) => ({ topology, stage: topology.stage(id), partition, log, store }));
    await Promise.all(asked.map(recoverSnapshot));
    const have = sequencesOf(this.store, this.shard);
    // The remains of an interrupted copy have no head (REPLICA-3).
    const fresh = this.shard.stages.filter((id) => have[id] === 0);
    if (fresh.length > 0) await forget(this.shard, this.store, fresh);
    if (copying === undefined) return;
    const work = () => catchUp(copying.copies, shard, store);
    await (this.role === 'follow' ? this.standby.tried(work, loggerOf(shard.name, partition)) : work());
  }

  private async keepUp({ copies, everyMs }: ReplicationOptions, signal: AbortSignal): Promise<void> {
    const { clock, loggerOf } = this.options;
    const logger = loggerOf(this.shard.name, this.shard.partition);
    for (;;) {
      await clock.sleep(everyMs, signal);
      if (signal.aborted) return;
      try {
        if (this.shard.everywhere === true) {
          const { manifest } = await readManifest(copies, this.shard.name);
          await acknowledge(this.shard, this.store, includedIn(manifest));
        } else await catchUp(copies, this.shard, this.store);
      } catch (error) {
        // A standby can wait: it catches up before it takes over.
        logger.warn({ err: asError(error), shard: this.shard.name }, 'cannot follow the copies now');
      }
    }
  }

  private async stopFollowing(): Promise<void> {
    this.following?.abort.abort();
    await this.following?.ended;
    this.following = undefined;
  }

  private async stopCopying(): Promise<void> {
    const { copier } = this;
    this.copier = undefined;
    await copier?.stop();
  }

  private startInstances(): void {
    this.mustHaveGoneOn();
    const {
      topology,
      log,
      clock,
      tuning,
      loggerOf,
      tickEveryMs,
      onAnswered,
      replication: copying,
      scheduler: turn,
      recoveryGate: restores,
    } = this.options;
    const { partition } = this.shard;
    this.isRunning = true;
    for (const [i, id] of this.shard.stages.entries()) {
      const stage = topology.stage(id);
      const logger = loggerOf(id, partition);
      let begin = (): void => undefined;
      const opened = new Promise<void>((resolve) => (begin = resolve));
      const onOpened = (): void => {
        begin();
        this.options.onOpened?.();
      };
      const instance = new SupervisedInstance(this.supervisor, {
        ...{ topology, stage, partition, log, clock, logger, tuning, strategy: topology.strategy(id) },
        ...{ store: this.store, status: this.statusesOfAll[i]!, onOpened },
        ...(turn === undefined ? {} : { turn }),
        ...(restores === undefined ? {} : { restores }),
        ...(copying === undefined ? {} : { copied: () => (copying.isHeld() ? 0 : (this.copier?.included(id) ?? 0)) }),
        onCopyWanted: () => this.copier?.hurry(),
        ...(onAnswered === undefined ? {} : { onAnswered: (atMs: number) => onAnswered(id, partition, atMs) }),
      });
      this.instances.set(id, instance);
      if (hasPublishers(topology, id) && tickEveryMs > 0) {
        // Only the stream that receives events shows whether events can be stored.
        const own = this.statusesOfAll[i]!;
        const status = readsEvents(topology, id) ? own : { refusal: undefined };
        const emitted = (): number => own.rowsOut;
        const ticker = new Ticker({ log, clock, logger, stage: id, partition, everyMs: tickEveryMs, status, emitted });
        // Ticks that refill a mailbox before its reader has checked it would hide a truncation.
        const ended = instance.ended.catch(() => undefined).then(() => ticker.stop());
        const begins = Promise.race([opened, ended]);
        this.tickers.push({ ticker, ended: begins.then(() => ticker.run()) });
      }
    }
  }

  private async stopInstances(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    for (const { ticker } of this.tickers) ticker.stop();
    const ends = [...this.instances].map(([id, instance]) =>
      deadline.step(`the last snapshot of ${id}.${this.shard.partition}`, async () => {
        await instance.stop();
        // An escalation is already reported.
        await instance.ended.catch(() => undefined);
        instance.mustBeWhole();
      }),
    );
    await Promise.all(ends);
    await deadline.step('the ticks', () => Promise.all(this.tickers.map(({ ended }) => ended)));
    this.tickers = [];
    this.instances = new Map();
  }

  /** If its mailbox was trimmed past this store, only a newer copy has the missing messages. */
  private mustHaveGoneOn(): void {
    const gap = this.restart?.gap;
    const now = sequencesOf(this.store, this.shard);
    if (gap !== undefined && this.shard.stages.every((id) => gap.sequences?.[id] === now[id])) throw gap.error;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.changing.then(work);
    // The caller of this operation gets its error; the next one does not.
    this.changing = turn.catch(() => undefined);
    return turn;
  }
}
