/**
 * Events of one request into the log.
 *
 *   I1  An event is counted as accepted after the log has stored it, never before.
 *   I2  At most `publishesInFlight` events wait for the log.
 *   I3  What fails ends the intake after all that is in flight has settled, and says where to send again from.
 *   I4  An event that breaks a rule spoils no other.
 */
import { toBinary } from '@bufbuild/protobuf';
import { EventSchema } from '../../../proto/gen/rivulet/v1/event_pb.js';
import { asError, reactionOf } from '../../../runtime/contract/errors.js';
import type { TraceHeaders } from '../../../runtime/telemetry/trace-context.js';
import { cutText } from '../errors/cut-text.js';
import { checkedEvent } from '../event-fields.js';
import type { EventPublisher } from '../ports.js';
import type { ReadEvent } from '../../http/routes/event-body.js';

export interface IntakeOptions {
  readonly publisher: EventPublisher;
  readonly publishesInFlight: number;
  /** The latest event time that is believed, epoch ms. */
  readonly latestMs: number;
  readonly trace?: TraceHeaders | undefined;
  /** Nobody waits for the answer any more, or the node stops: takes no more events. */
  readonly signal: AbortSignal;
}

export interface EventError {
  /** Of the event in the request, from 0. */
  readonly index: number;
  /** Empty when it is the whole. */
  readonly field: string;
  readonly reason: string;
}

export interface Intake {
  readonly accepted: number;
  readonly rejected: number;
  /** The first of them. */
  readonly errors: readonly EventError[];
  /** What ended it early, and the first event that was neither stored nor rejected. */
  readonly ended: { readonly error: unknown; readonly resendFrom: number } | undefined;
}

const ERRORS_MAX = 100;
const REASON_CHARS_MAX = 200;
/** Others have their turn after so many events, whatever becomes of these. */
const EVENTS_PER_TURN = 100;

export function takeIn(events: Iterable<ReadEvent>, options: IntakeOptions): Promise<Intake> {
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

  async take(events: Iterable<ReadEvent>): Promise<Intake> {
    const { publishesInFlight, signal } = this.options;
    let index = 0;
    try {
      for (const event of events) {
        while (this.inFlight >= publishesInFlight) await this.settled();
        if (signal.aborted) this.fail(signal.reason, index);
        if (this.ended !== undefined) break;
        this.takeOne(event, index++);
        if (index % EVENTS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // A bug of who reads them: what is stored by then is told all the same.
      this.fail(error, index);
    }
    while (this.inFlight > 0) await this.settled();
    const { accepted, rejected, errors } = this;
    // Acknowledgements come in any order.
    errors.sort((a, b) => a.index - b.index);
    const resendFrom = Math.min(this.resendFrom, index);
    return { accepted, rejected, errors, ended: this.ended && { ...this.ended, resendFrom } };
  }

  private settled(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private takeOne(event: ReadEvent, index: number): void {
    const { publisher, latestMs, trace } = this.options;
    if ('description' in event) {
      this.reject(index, event.field, event.description);
      return;
    }
    const sound = checkedEvent(event, latestMs);
    if ('field' in sound) {
      this.reject(index, sound.field, sound.description);
      return;
    }
    this.inFlight++;
    let stored: Promise<void>;
    try {
      stored = publisher.publish(toBinary(EventSchema, event), sound.type, sound.userId, trace);
    } catch (error) {
      stored = Promise.reject(asError(error));
    }
    void stored
      .then(
        () => void this.accepted++,
        (error: unknown) => {
          if (reactionOf(error) === 'poison') this.reject(index, '', asError(error).message);
          else this.fail(error, index);
        },
      )
      .then(() => {
        this.inFlight--;
        this.wake();
      });
  }

  private reject(index: number, field: string, reason: string): void {
    this.rejected++;
    if (this.errors.length < ERRORS_MAX) this.errors.push({ index, field, reason: cutText(reason, REASON_CHARS_MAX) });
  }

  private fail(error: unknown, index: number): void {
    this.ended ??= { error };
    this.resendFrom = Math.min(this.resendFrom, index);
  }
}
