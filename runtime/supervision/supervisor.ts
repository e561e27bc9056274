/**
 * The supervisor, one for every level of the tree: a node supervises its nats-server and its threads, a thread its
 * shards, a shard its instances.
 *
 * Invariants
 * SUPERVISOR-1  At most one life of a child is open at a time: the next is opened when the previous one has ended.
 * SUPERVISOR-2  One for one: a failing child is restarted alone. Each restart is recorded with reason, attempt and delay: always in the status, in
 *               the log for the first ones in a row (then at each doubling); each child has its own count.
 * SUPERVISOR-3  Transient failures restart without limit. Fatal errors, and a child that exceeds its restart intensity, escalate to the owner of the
 *               supervisor, which is restarted by its own supervisor, or fails with the same error.
 * SUPERVISOR-4  A stop ends a pause before a restart, and a life that is being opened.
 */
import { asError, explain, reactionOf } from '../contract/errors.js';
import type { Clock, Logger } from '../contract/ports.js';
import type { Deadline } from './deadline.js';
import { RestartCount, type Strategy } from './strategy.js';

export type Level = 'server' | 'thread' | 'shard' | 'instance';
export type ChildState = 'restoring' | 'running' | 'backoff' | 'stopped' | 'failed';

/** The status of a child, for health, metrics and people. */
export interface ChildStatus {
  state: ChildState;
  /** Since when it is in this state, and since when it has failed without recovering; epoch ms. */
  sinceMs: number;
  failingSinceMs: number | undefined;
  restarts: number;
  lastError: string | undefined;
}

export const newChildStatus = (): ChildStatus => ({
  state: 'restoring',
  sinceMs: 0,
  failingSinceMs: undefined,
  restarts: 0,
  lastError: undefined,
});

/** `gone`: the cause of the failure is removed; `closer`: progress towards it, so that the next restart comes soon; undefined: nothing. */
export type Mended = 'gone' | 'closer' | undefined;

/** A child from one start to its end. */
export interface Life {
  /** Resolves when it was stopped; rejects with the failure. By then all resources that a next life needs are released. */
  readonly ended: Promise<void>;
  readonly stop: (deadline?: Deadline) => Promise<unknown>;
}

export interface ChildSpec {
  readonly level: Level;
  readonly name: string;
  readonly strategy: Strategy;
  /** Opens a life: the first time, and after each failure. The signal aborts when the child is stopped. */
  readonly start: (signal: AbortSignal) => Promise<Life>;
  /** Absent: the supervisor creates one. */
  readonly status?: ChildStatus;
  readonly logger?: Logger;
  /** Handles a failure in the child: a restart after it does not count. An error that it throws escalates at once. */
  readonly mend?: (error: Error) => Promise<Mended>;
  /** The error that escalates when it exceeds its restart intensity. Absent: its last error. */
  readonly gaveUp?: (error: Error, reason: string) => Error | Promise<Error>;
}

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a child has escalated (SUPERVISOR-3). */
  readonly onEscalated: (error: Error) => void;
}

/** A child that ran this long without failing has recovered. */
const RECOVERED_AFTER_MS = 10_000;
/** The first restarts in a row are each logged; later ones at the 16th, the 32nd… */
const LOUD_RESTARTS = 8;

export class Child {
  readonly status: ChildStatus;
  /** Resolves when it was stopped; rejects with the error that escalates. */
  readonly ended: Promise<void>;
  private readonly abort = new AbortController();
  private readonly count: RestartCount;
  private life: Life | undefined;
  /** When the status last changed, monotonic. */
  private becameMs = 0;

  constructor(
    readonly spec: ChildSpec,
    private readonly options: SupervisorOptions,
  ) {
    this.status = spec.status ?? newChildStatus();
    this.count = new RestartCount(spec.strategy);
    this.ended = this.run();
  }

  /** Ends its current life; `ended` resolves when that is done. */
  async stop(deadline?: Deadline): Promise<void> {
    this.abort.abort();
    await this.life?.stop(deadline);
  }

  /** Ends its supervision: the caller ends its current life. */
  abandon(): void {
    this.abort.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.abort;
    while (!signal.aborted) {
      try {
        this.becomes('restoring');
        this.life = await this.spec.start(signal);
        if (signal.aborted) await this.life.stop();
        this.becomes('running');
        await this.life.ended;
        break;
      } catch (error) {
        this.life = undefined;
        if (signal.aborted) this.logger.debug({ err: error }, 'failed while it was being stopped');
        else await this.afterFailure(asError(error));
      }
    }
    this.becomes('stopped');
  }

  private async afterFailure(error: Error): Promise<void> {
    const { status, spec, count } = this;
    const { clock } = this.options;
    const atMs = clock.monotonicMs();
    if (status.state === 'running' && atMs - this.becameMs > RECOVERED_AFTER_MS) {
      count.recovered();
      status.failingSinceMs = undefined;
    }
    status.failingSinceMs ??= clock.nowMs();
    status.lastError = explain(error);
    const mended = await this.mended(error);
    const reaction = reactionOf(error);
    if (reaction === 'fatal' && mended === undefined) throw this.escalated(error, error);
    const counts = reaction !== 'transient' && mended === undefined;
    const directive = mended === 'closer' ? count.progress() : count.next(counts, atMs);
    if (directive.kind === 'escalate') {
      throw this.escalated(error, (await spec.gaveUp?.(error, directive.reason)) ?? error);
    }
    this.becomes('backoff');
    status.restarts++;
    this.record(error, directive);
    await clock.sleep(directive.delayMs, this.abort.signal);
  }

  private async mended(error: Error): Promise<Mended> {
    try {
      return await this.spec.mend?.(error);
    } catch (escalating) {
      throw this.escalated(error, asError(escalating));
    }
  }

  /** The error is logged by the part that ends the node. */
  private escalated(error: Error, thrown: Error): Error {
    const { level: kind, name: child } = this.spec;
    this.becomes('failed');
    this.logger.debug({ err: error, kind, child }, 'escalating');
    this.options.onEscalated(thrown);
    return thrown;
  }

  private becomes(state: ChildState): void {
    const { clock } = this.options;
    this.status.state = state;
    this.status.sinceMs = clock.nowMs();
    this.becameMs = clock.monotonicMs();
  }

  private record(error: Error, { attempt, delayMs }: { readonly attempt: number; readonly delayMs: number }): void {
    const { level: kind, name: child } = this.spec;
    const fields = { err: error, kind, child, attempt, delayMs, reason: explain(error) };
    const isLoud = attempt <= LOUD_RESTARTS || Number.isInteger(Math.log2(attempt));
    if (isLoud) this.logger.warn(fields, 'restarting');
    else this.logger.debug(fields, 'restarting');
  }

  private get logger(): Logger {
    return this.spec.logger ?? this.options.logger;
  }
}

export class Supervisor {
  private readonly children = new Set<Child>();

  constructor(private readonly options: SupervisorOptions) {}

  start(spec: ChildSpec): Child {
    const child = new Child(spec, this.options);
    this.children.add(child);
    // `onEscalated` reports an escalation.
    child.ended.then(
      () => this.children.delete(child),
      () => undefined,
    );
    return child;
  }

  abandon(child: Child): void {
    child.abandon();
    this.children.delete(child);
  }

  /** The statuses of its children, in the order in which they were started, without those that were stopped. */
  get statuses(): readonly SupervisedStatus[] {
    return [...this.children].map(({ spec: { level, name }, status }) => ({ level, name, ...status }));
  }
}

export interface SupervisedStatus extends Readonly<ChildStatus> {
  readonly level: Level;
  readonly name: string;
}
