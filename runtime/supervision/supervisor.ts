/**
 * The supervisor of one instance: opens actors, one after the other, until it is told to stop or must escalate.
 *
 * Invariants
 *   SUPERVISOR-1  At most one actor of an instance is open at a time: the next is opened when the one before has ended.
 *   SUPERVISOR-2  Each restart is told with reason, attempt and delay, in the status always, in the log until it is known (then at each doubling);
 *                 the budget is the child's own.
 *   SUPERVISOR-3  Fatal errors and an exhausted budget escalate, in one line, which is whoever's that ends the node; nothing is restarted silently for ever.
 *   SUPERVISOR-4  What is poison is stored in the log before the next actor opens (actor/quarantine.ts): this one only asks for it.
 */
import { Actor } from '../actor/actor.js';
import type { ActorOptions } from '../actor/options.js';
import { quarantine, release } from '../actor/quarantine.js';
import { asError, explain, fatal, reactionOf } from '../contract/errors.js';
import { StepError } from '../actor/processor.js';
import { streamOf } from '../contract/graph.js';
import type { RecoveryGate } from '../shards/recovery-gate.js';
import { type ActorState, recordLag } from '../telemetry/status.js';
import { DEFAULT_STRATEGY, type Failure, type Strategy, FailureCount } from './strategy.js';

export type SupervisorOptions = Omit<ActorOptions, 'suspects'> & {
  readonly strategy?: Strategy;
  /** Absent: nobody is waited for. */
  readonly restores?: RecoveryGate;
  /** Each time an actor has opened. */
  readonly onOpened?: () => void;
};

/** An actor that ran this long without failing has recovered. */
const RECOVERED_AFTER_MS = 10_000;
/** Rows of one frame that are looked for, each of which costs a restart. A frame with more is poison as a whole. */
const ROWS_MAX = 100;
/** Restarts in a row that are each logged; of those behind them the 16th, the 32nd… */
const LOUD_RESTARTS = 8;

export class Supervisor {
  private readonly abort = new AbortController();
  private readonly tally: FailureCount;
  /** The batch that failed last, or the frame whose rows at fault are looked for. */
  private suspects: ActorOptions['suspects'];
  /** Rows that were found in it. */
  private rowsFound = 0;
  /** The last message whose rows were tried: when it fails again, it is poison as a whole. */
  private tried: number | undefined;
  /** To be buried before the next actor opens: a message, or a row of its frame. */
  private condemned: { readonly sequence: number; readonly row?: number } | undefined;
  /** Buried by us, and nothing said about it yet as far as we know. */
  private lastBuried: number | undefined;
  private actor: Actor | undefined;
  /** When the status became what it is, monotonic. */
  private becameMs = 0;
  /** Why there is no last snapshot, when a stop ended without one. */
  private cutShort: Error | undefined;

  constructor(private readonly options: SupervisorOptions) {
    this.tally = new FailureCount(options.strategy ?? DEFAULT_STRATEGY);
    options.status.sinceMs = options.clock.nowMs();
  }

  get current(): Actor | undefined {
    return this.actor;
  }

  /** What is not kept up with each step, for who asks. */
  report(): void {
    const { status } = this.options;
    if (this.actor !== undefined) status.stateKeys = this.actor.fold.instance.keys();
    recordLag(status, this.actor?.waiting);
  }

  /** Resolves after `stop`; rejects with what escalates. */
  async run(): Promise<void> {
    for (;;) {
      try {
        this.becomes('restoring');
        await this.buryCondemned();
        this.actor = await this.opened();
        if (this.abort.signal.aborted) await this.actor.stop();
        this.becomes('running');
        this.options.onOpened?.();
        await this.options.restores?.over(this.abort.signal);
        await this.actor.run();
        this.becomes('stopped');
        return;
      } catch (error) {
        const buried = this.actor?.fold.buried;
        this.actor = undefined;
        if (this.abort.signal.aborted) {
          this.options.logger.warn(
            { err: error },
            'stopped without a last snapshot; the next start replays from the one before',
          );
          this.cutShort = asError(error);
          this.becomes('stopped');
          return;
        }
        await this.afterFailure(asError(error), buried);
      }
    }
  }

  /** Takes in no more; `run` ends when the last snapshot is written. */
  async stop(): Promise<void> {
    this.abort.abort();
    await this.actor?.stop();
  }

  /** Throws when `run` has ended without a last snapshot. */
  mustBeWhole(): void {
    if (this.cutShort !== undefined) throw this.cutShort;
  }

  private opened(): Promise<Actor> {
    const open = (): Promise<Actor> => Actor.open({ ...this.options, suspects: this.suspects });
    const { restores } = this.options;
    return restores === undefined ? open() : restores.during(open);
  }

  private becomes(state: ActorState): void {
    const { status, clock } = this.options;
    status.state = state;
    status.sinceMs = clock.nowMs();
    this.becameMs = clock.monotonicMs();
  }

  private async afterFailure(error: Error, buried: ReadonlySet<number> | undefined): Promise<void> {
    const { status, clock } = this.options;
    const atMs = clock.monotonicMs();
    if (status.state === 'running' && atMs - this.becameMs > RECOVERED_AFTER_MS) {
      this.tally.recovered();
      status.failingSinceMs = undefined;
    }
    status.failingSinceMs ??= clock.nowMs();
    status.lastError = explain(error);
    if (error instanceof StepError && this.isTrialOf(error)) {
      this.afterTrial(error);
      await this.backsOff(error, this.tally.progress());
      return;
    }
    const directive = this.tally.decide(failureOf(error), atMs);
    if (error instanceof StepError && error.first < error.sequence) this.suspects = error;
    if (directive.kind === 'escalate') throw this.escalated(error, directive.reason);
    if (directive.kind === 'bury') {
      // What fails although the stage does not see the input any more is not the input's fault.
      if (buried?.has(directive.sequence) === true) {
        await this.unburyLast(directive.sequence);
        throw this.escalated(error, `its input ${directive.sequence} was buried, and it fails still: ${error.message}`);
      }
      if (error instanceof StepError && error.rows > 1 && this.tried !== directive.sequence) {
        this.suspects = { first: directive.sequence, sequence: directive.sequence };
        this.rowsFound = 0;
      } else this.condemned = directive;
    }
    await this.backsOff(error, directive);
  }

  private isTrialOf({ first, sequence, cause }: StepError): boolean {
    const { suspects } = this;
    const isOwnFault = ['bug', 'poison'].includes(reactionOf(cause));
    return isOwnFault && first === sequence && suspects?.first === sequence && suspects.sequence === sequence;
  }

  /** The row that failed is buried, and the next one looked for. When there is none, the others are tried together. */
  private afterTrial({ sequence, row }: StepError): void {
    if (row !== undefined && this.rowsFound < ROWS_MAX) {
      this.rowsFound++;
      this.condemned = { sequence, row };
      return;
    }
    if (row !== undefined || this.rowsFound === 0) this.condemned = { sequence };
    this.suspects = undefined;
    this.tried = sequence;
  }

  private async backsOff(
    error: Error,
    directive: { readonly attempt: number; readonly delayMs: number },
  ): Promise<void> {
    const { status, clock } = this.options;
    this.becomes('backoff');
    status.restarts++;
    this.tell(error, directive);
    await clock.sleep(directive.delayMs, this.abort.signal);
  }

  private tell(error: Error, { attempt, delayMs }: { readonly attempt: number; readonly delayMs: number }): void {
    const { logger } = this.options;
    const fields = { err: error, attempt, delayMs, reason: explain(error) };
    const isLoud = attempt <= LOUD_RESTARTS || Number.isInteger(Math.log2(attempt));
    if (isLoud) logger.warn(fields, 'restarting');
    else logger.debug(fields, 'restarting');
  }

  /** What ends the node: a Fatal error as it is, anything else with the instance that gave up. Whoever ends the node logs it. */
  private escalated(error: Error, reason: string): Error {
    const { stage, partition, logger } = this.options;
    this.becomes('failed');
    logger.debug({ err: error, reason }, 'escalating');
    const thrown = error instanceof StepError && error.cause instanceof Error ? error.cause : error;
    if (reactionOf(thrown) === 'fatal') return thrown;
    return fatal('INSTANCE_FAILED', `${stage.id}.${partition} gave up: ${reason}`, {
      cause: thrown,
      hint: 'nothing is lost: the next start goes on from the last snapshot; --log-level debug shows the stack',
    });
  }

  private async buryCondemned(): Promise<void> {
    if (this.condemned === undefined) return;
    const { sequence, row } = this.condemned;
    await quarantine(this.options, sequence, row);
    this.condemned = undefined;
    if (row === undefined) this.lastBuried = sequence;
    const { logger, stage } = this.options;
    const fields = { sequence, row, stream: streamOf(stage.id), rule: 'poison' };
    logger.error(fields, `${row === undefined ? 'input' : 'row of an input'} is poison: it goes to the dead letters`);
  }

  /** Best effort: what stays buried in vain is in the dead letters. */
  private async unburyLast(sequence: number): Promise<void> {
    if (this.lastBuried !== sequence) return;
    await release(this.options, sequence).catch((error: unknown) => {
      this.options.logger.warn({ err: error, sequence }, 'cannot take back what was buried in vain');
    });
  }
}

/** Of a batch nobody knows yet which message is at fault. */
function failureOf(error: Error): Failure {
  if (!(error instanceof StepError))
    return { reaction: reactionOf(error), message: explain(error), sequence: undefined };
  const sequence = error.first === error.sequence ? error.sequence : undefined;
  return { reaction: reactionOf(error.cause), message: error.message, sequence };
}
