/**
 * The supervisor, one for every level of the tree: a node supervises its threads, a thread its shards, a shard its instances.
 *
 * Invariants
 *   SUPERVISOR-1  At most one life of a child is open at a time: the next is opened when the one before has ended.
 *   SUPERVISOR-2  One for one: a child that fails is restarted alone. Each restart is recorded with reason, attempt and delay, in the status always, in
 *                 the log for the first ones in a row (then at each doubling); the count is the child's own.
 *   SUPERVISOR-3  Transient failures restart without end. Fatal errors, and a child that exceeds its restart intensity, escalate to the owner of the
 *                 supervisor: it is restarted in turn by its own supervisor, or gives up with the same error.
 *   SUPERVISOR-4  A stop ends a pause before a restart, and a life that opens meanwhile.
 */
import { asError, explain, reactionOf } from '../contract/errors.js';
import type { Clock, Logger } from '../contract/ports.js';
import type { Deadline } from './deadline.js';
import { RestartCount, type Strategy } from './strategy.js';

export type Level = 'thread' | 'shard' | 'instance';
export type ChildState = 'restoring' | 'running' | 'backoff' | 'stopped' | 'failed';

/** How a child is, for health, metrics and people. */
export interface ChildStatus {
  state: ChildState;
  /** Since when it is in this state, and since when it fails without having recovered; epoch ms. */
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

/** `gone`: the cause of a failure; `closer`: the child came nearer to it, so that the next restart comes soon; undefined: nothing. */
export type Mended = 'gone' | 'closer' | undefined;

/** A child from a start to its end. */
export interface Life {
  /** Resolves when it was stopped; rejects with why it failed. Nothing of it is open any more then that a next life needs. */
  readonly ended: Promise<void>;
  readonly stop: (deadline?: Deadline) => Promise<unknown>;
}

export interface ChildSpec {
  readonly level: Level;
  readonly name: string;
  readonly strategy: Strategy;
  /** Opens it: the first time, and after each failure. The signal aborts when it is stopped. */
  readonly start: (signal: AbortSignal) => Promise<Life>;
  /** Absent: the supervisor makes one. */
  readonly status?: ChildStatus;
  readonly logger?: Logger;
  /** What the child does about a failure itself: its restart then does not count. Throws what escalates at once. */
  readonly mend?: (error: Error) => Promise<Mended>;
  /** The error that escalates when it has exceeded its restart intensity. Absent: its last one. */
  readonly gaveUp?: (error: Error, reason: string) => Error | Promise<Error>;
}

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A child of it has escalated (SUPERVISOR-3). */
  readonly onEscalated: (error: Error) => void;
}

/** A child that ran this long without failing has recovered. */
const RECOVERED_AFTER_MS = 10_000;
/** Restarts in a row that are each logged; of those behind them the 16th, the 32nd… */
const LOUD_RESTARTS = 8;

export class Child {
  readonly status: ChildStatus;
  /** Resolves when it has been stopped; rejects with what escalates. */
  readonly ended: Promise<void>;
  private readonly abort = new AbortController();
  private readonly count: RestartCount;
  private life: Life | undefined;
  /** When the status became what it is, monotonic. */
  private becameMs = 0;

  constructor(
    readonly spec: ChildSpec,
    private readonly options: SupervisorOptions,
  ) {
    this.status = spec.status ?? newChildStatus();
    this.count = new RestartCount(spec.strategy);
    this.ended = this.run();
  }

  /** Ends its life; `ended` resolves when that is over. */
  async stop(deadline?: Deadline): Promise<void> {
    this.abort.abort();
    await this.life?.stop(deadline);
  }

  /** From now on it is not restarted: whoever calls this ends its life. */
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

  /** Whoever ends the node logs the error. */
  private escalated(error: Error, thrown: Error): Error {
    const { level, name: child } = this.spec;
    this.becomes('failed');
    this.logger.debug({ err: error, level, child }, 'escalating');
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
    const { level, name: child } = this.spec;
    const fields = { err: error, level, child, attempt, delayMs, reason: explain(error) };
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
    // What escalates is reported by `onEscalated`.
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

  /** How its children are, in the order in which they were started; those that were stopped are gone. */
  get statuses(): readonly SupervisedStatus[] {
    return [...this.children].map(({ spec: { level, name }, status }) => ({ level, name, ...status }));
  }
}

export interface SupervisedStatus extends Readonly<ChildStatus> {
  readonly level: Level;
  readonly name: string;
}
