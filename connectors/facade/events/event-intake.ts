/**
 * Stores the events of one request or call in the log.
 *
 *   EVENT-INTAKE-1  An event counts as accepted after the log has stored it, never before.
 *   EVENT-INTAKE-2  At most `publishesInFlight` events wait for the log; at this number, no more are read.
 *   EVENT-INTAKE-3  A failure ends the intake after all events in flight have settled, and the result names the index from which to resend.
 *   EVENT-INTAKE-4  An invalid event does not affect the others.
 */
import type { Fault } from '../../../actors/formats/fault.js';
import { isFault, type ReadEvent } from '../../../actors/formats/event-reader.js';
import { asError, reactionOf } from '../../../runtime/contract/errors.js';
import type { TraceHeaders } from '../../../runtime/telemetry/trace-context.js';
import type { Scheduler } from '../../../runtime/shards/scheduler.js';
import type { EventPublisher } from '../ports.js';
import { cutText } from '../errors/cut-text.js';

/** When it fails because `signal` aborted, the reason of the signal counts. */
export type Events = Iterable<ReadEvent> | AsyncIterable<ReadEvent>;

export interface IntakeOptions {
  readonly publisher: EventPublisher;
  readonly publishesInFlight: number;
  readonly trace?: TraceHeaders | undefined;
  /** The caller is gone, or the node stops: reads no more events. */
  readonly signal: AbortSignal;
  /** Called after each event, whatever its result. */
  readonly turn: Scheduler;
}

/** Why one event is rejected while the others continue: a fault as parse reports it, or the log can never store it. */
interface Rejection extends Pick<Fault, 'field' | 'reason'> {
  readonly rule: Fault['rule'] | 'not_stored';
}

export interface EventError extends Rejection {
  /** Index of the event in the request, from 0. */
  readonly index: number;
}

export interface Intake {
  readonly accepted: number;
  readonly rejected: number;
  /** The first errors only. */
  readonly errors: readonly EventError[];
  /** Why it ended early, and the first event that was neither stored nor rejected. */
  readonly ended: { readonly error: unknown; readonly resendFrom: number } | undefined;
}

const ERRORS_MAX = 100;
const REASON_CHARS_MAX = 200;

export function takeIn(events: Events, options: IntakeOptions): Promise<Intake> {
  return new EventIntake(options).take(events);
}

class EventIntake {
  private accepted = 0;
  private rejected = 0;
  private readonly errors: EventError[] = [];
  private inFlight = 0;
  private ended: { readonly error: unknown } | undefined;
  private resendFrom = Infinity;
  private wake: () => void = () => undefined;

  constructor(private readonly options: IntakeOptions) {}

  async take(events: Events): Promise<Intake> {
    const { publishesInFlight, signal, turn } = this.options;
    let index = 0;
    try {
      for await (const event of events) {
        if (signal.aborted) this.fail(signal.reason, index);
        else this.takeOne(event, index++);
        await turn();
        while (this.inFlight >= publishesInFlight) await this.settled();
        if (this.ended !== undefined) break;
      }
    } catch (error) {
      // Events stored by then are reported nevertheless.
      this.fail(signal.aborted ? signal.reason : error, index);
    }
    while (this.inFlight > 0) await this.settled();
    const { accepted, rejected, errors } = this;
    // Acknowledgements arrive in any order.
    errors.sort((a, b) => a.index - b.index);
    const resendFrom = Math.min(this.resendFrom, index);
    return { accepted, rejected, errors, ended: this.ended && { ...this.ended, resendFrom } };
  }

  private settled(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private takeOne(event: ReadEvent, index: number): void {
    if (isFault(event)) {
      this.reject(index, event);
      return;
    }
    const { publisher, trace } = this.options;
    this.inFlight++;
    let stored: Promise<void>;
    try {
      stored = publisher.publish(event, trace);
    } catch (error) {
      stored = Promise.reject(asError(error));
    }
    void stored
      .then(
        () => void this.accepted++,
        (error: unknown) => {
          if (reactionOf(error) === 'poison') this.reject(index, notStored(error));
          else this.fail(error, index);
        },
      )
      .then(() => {
        this.inFlight--;
        this.wake();
      });
  }

  private reject(index: number, { rule, field, reason }: Rejection): void {
    this.rejected++;
    if (this.errors.length < ERRORS_MAX) this.errors.push({ index, rule, ...(field && { field }), reason });
  }

  private fail(error: unknown, index: number): void {
    this.ended ??= { error };
    this.resendFrom = Math.min(this.resendFrom, index);
  }
}

/** `error`: Poison, caused by the publisher. */
export const notStored = (error: unknown): Rejection => ({
  rule: 'not_stored',
  reason: cutText(asError(error).message, REASON_CHARS_MAX),
});
