/**
 * An instance of a stage under its supervisor: opens one actor after the other, and finds the faulty input when they fail.
 *
 * Invariants
 * INSTANCE-1  A poison message is recorded in the log before the next actor opens (actor/quarantine.ts).
 */
import { Actor } from '../actor/actor.js';
import type { ActorOptions } from '../actor/options.js';
import { quarantine, release } from '../actor/quarantine.js';
import { asError, explain, reactionOf, RivuletError } from '../contract/errors.js';
import { StepError } from '../actor/processor.js';
import { streamOf } from '../contract/graph.js';
import { type Child, type Life, type Mended, type Supervisor } from '../supervision/supervisor.js';
import type { StageStrategy } from '../supervision/strategy.js';
import { stagesIn } from '../plan/chain.js';
import { newStatus, recordLag } from '../telemetry/status.js';
import type { RecoveryGate } from './recovery-gate.js';

export type InstanceOptions = Omit<ActorOptions, 'suspects'> & {
  readonly strategy: StageStrategy;
  /** Absent: no waiting for other instances. */
  readonly restores?: RecoveryGate;
  /** Called each time an actor has opened. */
  readonly onOpened?: () => void;
};

/** The maximum of faulty rows to find in one frame, each of which costs a restart. A frame with more is poison as a whole. */
const ROWS_MAX = 100;

export class SupervisedInstance {
  private readonly child: Child;
  /** The batch that failed last, or the frame whose faulty rows are being searched. */
  private suspects: ActorOptions['suspects'];
  /** Faulty rows found in it. */
  private rowsFound = 0;
  /** The last message whose rows were tried: if it fails again, it is poison as a whole. */
  private tried: number | undefined;
  /** To be quarantined before the next actor opens: a message, or a row of its frame. */
  private condemned:
    { readonly sequence: number; readonly row?: number; readonly failedIn: string | undefined } | undefined;
  /** Quarantined by this instance, with no known output about it yet. */
  private lastQuarantined: number | undefined;
  /** How often the last input failed in the same way. */
  private last: { readonly sequence: number | undefined; readonly message: string; readonly times: number } | undefined;
  private actor: Actor | undefined;
  /** Messages that the last actor skipped. */
  private skipped: ReadonlySet<number> | undefined;
  /** The cause, if a stop ended without a last snapshot. */
  private cutShort: Error | undefined;

  constructor(
    supervisor: Supervisor,
    private readonly options: InstanceOptions,
  ) {
    const { stage, partition, strategy, status, logger } = options;
    // A shard that is restarted goes on counting.
    if (status.chained.length === 0)
      status.chained = stagesIn(stage).flatMap(({ id }) => (id === stage.id ? [] : [newStatus(id, partition)]));
    this.child = supervisor.start({
      ...{ level: 'instance', name: `${stage.id}.${partition}`, strategy, status, logger },
      start: (signal) => this.open(signal),
      mend: (error) => this.mend(error),
      gaveUp: (error, reason) => this.gaveUp(error, `${reason}: ${messageOf(error)}`),
    });
  }

  get current(): Actor | undefined {
    return this.actor;
  }

  /** Settles when it was stopped, or has escalated. */
  get ended(): Promise<void> {
    return this.child.ended;
  }

  /** Updates status values that are not updated with each step. */
  report(): void {
    const { status } = this.options;
    const instance = this.actor?.processor.instance;
    if (instance !== undefined) for (const one of [status, ...status.chained]) one.stateKeys = instance.keys(one.stage);
    recordLag(status, this.actor?.waiting);
  }

  /** Accepts no more input; `ended` resolves when the last snapshot is written. */
  stop(): Promise<void> {
    return this.child.stop();
  }

  /** Throws if it has ended without a last snapshot. */
  mustBeWhole(): void {
    if (this.cutShort !== undefined) throw this.cutShort;
  }

  private async open(signal: AbortSignal): Promise<Life> {
    try {
      await this.quarantineCondemned();
      const { restores } = this.options;
      const open = (): Promise<Actor> => Actor.open({ ...this.options, suspects: this.suspects });
      const actor = await (restores === undefined ? open() : restores.during(open));
      this.actor = actor;
      return { ended: this.run(actor, signal), stop: () => actor.stop() };
    } catch (error) {
      this.endedShort(error, signal);
      throw error;
    }
  }

  private async run(actor: Actor, signal: AbortSignal): Promise<void> {
    try {
      if (signal.aborted) await actor.stop();
      this.options.onOpened?.();
      await this.options.restores?.over(signal);
      await actor.run();
    } catch (error) {
      this.endedShort(error, signal);
      throw error;
    }
  }

  private endedShort(error: unknown, signal: AbortSignal): void {
    this.skipped = this.actor?.processor.quarantinedInputs;
    this.actor = undefined;
    if (!signal.aborted) return;
    this.options.logger.warn(
      { err: error },
      'stopped without a last snapshot; the next start replays from the one before',
    );
    this.cutShort = asError(error);
  }

  private async mend(error: Error): Promise<Mended> {
    if (!(error instanceof StepError)) {
      if (reactionOf(error) !== 'transient') this.last = undefined;
      return undefined;
    }
    if (reactionOf(error.cause) === 'fatal') throw error.cause;
    if (reactionOf(error.cause) === 'transient') {
      if (error.first < error.sequence) this.suspects = error;
      return 'gone';
    }
    if (this.isTrialOf(error)) {
      this.afterTrial(error);
      return 'closer';
    }
    if (error.first < error.sequence) {
      // For a batch the faulty message is not yet known.
      this.recordSame(undefined, error);
      this.suspects = error;
      return undefined;
    }
    return this.isPoison(error) ? this.condemn(error) : undefined;
  }

  private isPoison(error: StepError): boolean {
    if (reactionOf(error.cause) === 'poison') return true;
    if (this.recordSame(error.sequence, error) < this.options.strategy.poisonAfter) return false;
    this.last = undefined;
    return true;
  }

  private recordSame(sequence: number | undefined, { message }: Error): number {
    const same = this.last?.sequence === sequence && this.last?.message === message;
    this.last = { sequence, message, times: same ? this.last!.times + 1 : 1 };
    return this.last.times;
  }

  private async condemn(error: StepError): Promise<Mended> {
    const { sequence, failedIn } = error;
    // A failure that recurs although the input is skipped is not caused by the input.
    if (this.skipped?.has(sequence) === true) {
      await this.releaseLast(sequence);
      throw this.gaveUp(error, `its input ${sequence} was quarantined, and it fails still: ${error.message}`);
    }
    if (error.rows > 1 && this.tried !== sequence) {
      this.suspects = { first: sequence, sequence };
      this.rowsFound = 0;
    } else this.condemned = { sequence, failedIn };
    return 'gone';
  }

  private isTrialOf({ first, sequence }: StepError): boolean {
    const { suspects } = this;
    return first === sequence && suspects?.first === sequence && suspects.sequence === sequence;
  }

  /** Quarantines the row that failed, and searches the next one. When none is left, the others are tried together. */
  private afterTrial({ sequence, row, failedIn }: StepError): void {
    if (row !== undefined && this.rowsFound < ROWS_MAX) {
      this.rowsFound++;
      this.condemned = { sequence, row, failedIn };
      return;
    }
    if (row !== undefined || this.rowsFound === 0) this.condemned = { sequence, failedIn };
    this.suspects = undefined;
    this.tried = sequence;
  }

  /** Not fatal: the shard is restarted next. */
  private gaveUp(error: Error, reason: string): Error {
    const { stage, partition } = this.options;
    const cause = error instanceof StepError && error.cause instanceof Error ? error.cause : error;
    return new RivuletError('bug', 'INSTANCE_FAILED', `${stage.id}.${partition} gave up: ${reason}`, {
      cause,
      hint: 'nothing is lost: the next start goes on from the last snapshot; --log-level debug shows the stack',
    });
  }

  private async quarantineCondemned(): Promise<void> {
    if (this.condemned === undefined) return;
    const { sequence, row, failedIn } = this.condemned;
    await quarantine(this.options, sequence, row, failedIn);
    this.condemned = undefined;
    if (row === undefined) this.lastQuarantined = sequence;
    const { logger, stage } = this.options;
    const fields = { sequence, row, failedIn, stream: streamOf(stage.id), rule: 'poison' };
    logger.error(fields, `${row === undefined ? 'input' : 'row of an input'} is poison: it goes to the dead letters`);
  }

  /** Best effort: a message that stays quarantined although it is not at fault is in the dead letters. */
  private async releaseLast(sequence: number): Promise<void> {
    if (this.lastQuarantined !== sequence) return;
    await release(this.options, sequence).catch((error: unknown) => {
      this.options.logger.warn({ err: error, sequence }, 'cannot release a message that was quarantined without cause');
    });
  }
}

const messageOf = (error: Error): string => (error instanceof StepError ? error.message : explain(error));
