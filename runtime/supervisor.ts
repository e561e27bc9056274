/**
 * The supervisor of one instance: opens actors, one after the other, until it is told to stop or must escalate.
 *
 * Invariants
 *   S1  At most one actor of an instance is open at a time: the next is opened when the one before has ended.
 *   S2  Each restart is logged with reason, attempt and delay; the budget is the child's own.
 *   S3  Fatal errors and an exhausted budget escalate; nothing is restarted silently for ever.
 */
import { Actor, type ActorOptions } from './actor.js';
import { asError, explain, reactionOf } from './errors.js';
import { StepError } from './fold.js';
import { DEFAULT_STRATEGY, type Failure, type Strategy, Tally } from './strategy.js';

export type SupervisorOptions = Omit<ActorOptions, 'poisoned' | 'suspects'> & { readonly strategy?: Strategy };

/** An actor that ran this long without failing has recovered. */
const RECOVERED_AFTER_MS = 10_000;
/** Buried inputs remembered until a snapshot is past them. */
const BURIED_MAX = 1_000;

export class Supervisor {
  private readonly abort = new AbortController();
  private readonly poisoned = new Set<number>();
  private readonly tally: Tally;
  /** The batch that failed last. */
  private suspects: ActorOptions['suspects'];
  private actor: Actor | undefined;

  constructor(private readonly options: SupervisorOptions) {
    this.tally = new Tally(options.strategy ?? DEFAULT_STRATEGY);
  }

  get current(): Actor | undefined {
    return this.actor;
  }

  /** Resolves after `stop`; rejects with what escalates. */
  async run(): Promise<void> {
    const { status, clock } = this.options;
    for (;;) {
      const startedMs = clock.nowMs();
      try {
        status.state = 'restoring';
        this.actor = await Actor.open({ ...this.options, poisoned: this.poisoned, suspects: this.suspects });
        if (this.abort.signal.aborted) await this.actor.stop();
        status.state = 'running';
        await this.actor.run();
        status.state = 'stopped';
        return;
      } catch (error) {
        this.actor = undefined;
        if (this.abort.signal.aborted) {
          this.options.logger.warn(
            { err: error },
            'stopped without a last snapshot; the next start replays from the one before',
          );
          status.state = 'stopped';
          return;
        }
        if (clock.nowMs() - startedMs > RECOVERED_AFTER_MS) this.tally.recovered();
        await this.afterFailure(asError(error));
      }
    }
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await this.actor?.stop();
  }

  private async afterFailure(error: Error): Promise<void> {
    const { status, clock, logger } = this.options;
    const directive = this.tally.decide(failureOf(error), clock.nowMs());
    status.lastError = explain(error);
    if (error instanceof StepError && error.first < error.sequence) this.suspects = error;
    // What fails although the stage does not see the input any more cannot be buried.
    const buriedBefore = directive.kind === 'bury' && this.poisoned.has(directive.sequence);
    if (directive.kind === 'escalate' || buriedBefore) {
      status.state = 'failed';
      const reason = directive.kind === 'escalate' ? directive.reason : 'the input was buried and fails still';
      logger.error({ err: error, reason }, 'escalating');
      throw error instanceof StepError && error.cause instanceof Error ? error.cause : error;
    }
    if (directive.kind === 'bury') this.bury(directive.sequence);
    status.state = 'backoff';
    status.restarts++;
    const { attempt, delayMs } = directive;
    logger.warn({ err: error, attempt, delayMs, reason: explain(error) }, 'restarting');
    await clock.sleep(delayMs, this.abort.signal);
  }

  private bury(sequence: number): void {
    this.options.logger.error({ sequence }, 'input is poison: it goes to the dead letters');
    this.poisoned.add(sequence);
    if (this.poisoned.size > BURIED_MAX) this.poisoned.delete(this.poisoned.values().next().value!);
  }
}

/** Of a batch nobody knows yet which message is at fault. */
function failureOf(error: Error): Failure {
  if (!(error instanceof StepError))
    return { reaction: reactionOf(error), message: explain(error), sequence: undefined };
  const sequence = error.first === error.sequence ? error.sequence : undefined;
  return { reaction: reactionOf(error.cause), message: error.message, sequence };
}
