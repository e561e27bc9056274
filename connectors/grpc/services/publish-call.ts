/**
 * One PublishEvents call.
 *
 *   P1  an event is counted as accepted after the log has stored it, never before
 *   P2  at most `publishesInFlight` events wait for the log; while there are so many, the stream is not read
 *   P3  what fails ends the call after all that is in flight has settled, and says where to send again from
 *   P4  after its end (answered, cancelled, too late) the call publishes nothing more; its client is freed when nothing is in flight
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import {
  EventErrorSchema,
  PublishEventsRequestSchema,
  type PublishEventsResponse,
  PublishEventsResponseSchema,
} from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import { asError, reactionOf, transient } from '../../../runtime/contract/errors.js';
import type { TraceHeaders } from '../../../runtime/telemetry/trace-context.js';
import type { CallDesk } from '../server/call-desk.js';
import { spanOf } from '../server/call-span.js';
import { cutText } from '../../facade/errors/cut-text.js';
import { soundEvent } from '../../facade/event-fields.js';
import type { EventPublisher } from '../../facade/ports.js';
import { asBuffer } from '../server/service-definition.js';
import { type Fault, faultOf, invalidFields } from '../../facade/errors/fault.js';
import { malformed, refusal } from '../server/status-details.js';

const EVENTS = PublishEventsRequestSchema.field.events.number;
const MESSAGE_EVENTS_MAX = 10_000;
const ERRORS_MAX = 100;
const REASON_CHARS_MAX = 200;
/** Of errors in trailers, which travel as base64: all trailers together stay below the 8 KiB that clients take. */
const TRAILER_BYTES_MAX = 2048;

interface EventFault {
  readonly index: bigint;
  readonly field: string;
  readonly reason: string;
}

export type PublishStream = ServerReadableStream<Buffer, Buffer>;

export class PublishCall {
  private readonly trace: TraceHeaders | undefined;
  private readonly errors: EventFault[] = [];
  private accepted = 0;
  private rejected = 0;
  private inFlight = 0;
  /** The message being worked through, the next event in it, and that event's place in the whole stream. */
  private events: readonly Uint8Array[] = [];
  private next = 0;
  private index = 0;
  private allRead = false;
  private over = false;
  private fault: Fault | undefined;
  private resendFrom = Infinity;

  constructor(
    private readonly call: PublishStream,
    private readonly reply: sendUnaryData<Buffer>,
    private readonly publisher: EventPublisher,
    private readonly desk: CallDesk,
    private readonly onFreed: () => void,
  ) {
    this.trace = spanOf(call)?.headers();
    call.on('data', (message: Buffer) => this.onMessage(message));
    // A stream that its client resets ends too, and is cancelled in the same turn: only one that is whole then was ended.
    call.on('end', () => setImmediate(() => this.onEnd()));
    call.on('cancelled', () => this.onCancelled());
  }

  /** Ends the call soon, and says up to where it came: the node stops. One that only waits for the log may wait on. */
  interrupt(): void {
    if (this.allRead && this.isDrained()) return;
    const error = transient(
      'NODE_STOPPING',
      'the node stops: send the rest to another, or to this one when it is back',
    );
    this.fail(faultOf(error), this.index);
    this.goOn();
  }

  private onMessage(message: Buffer): void {
    if (this.over || this.fault !== undefined) return;
    const events = eventsIn(message);
    if ('code' in events) {
      this.fail(events, this.index);
    } else {
      this.events = events;
      this.next = 0;
    }
    this.goOn();
  }

  private onEnd(): void {
    this.allRead = true;
    this.goOn();
  }

  private onCancelled(): void {
    if (this.over) return;
    this.end();
    this.goOn();
  }

  /** Called after anything that has changed. */
  private goOn(): void {
    const { events } = this;
    const latestMs = this.desk.clock.nowMs() + this.desk.limits.futureMsMax;
    while (!this.over && this.fault === undefined && this.next < events.length && this.hasRoom()) {
      this.take(events[this.next++]!, this.index++, latestMs);
    }
    if (!this.over && this.inFlight === 0 && this.fault !== undefined) this.refuse(this.fault);
    if (!this.over && this.inFlight === 0 && this.allRead && this.isDrained()) this.answer();
    if (this.over) {
      if (this.inFlight === 0) this.onFreed();
    } else if (this.isDrained() && this.hasRoom() && this.fault === undefined) {
      this.call.resume();
    } else {
      this.call.pause();
    }
  }

  private isDrained(): boolean {
    return this.next === this.events.length;
  }

  private hasRoom(): boolean {
    return this.inFlight < this.desk.limits.publishesInFlight;
  }

  private take(bytes: Uint8Array, index: number, latestMs: number): void {
    const event = soundEvent(bytes, latestMs);
    if ('field' in event) {
      this.reject(index, event.field, event.description);
      return;
    }
    this.inFlight++;
    let stored: Promise<void>;
    try {
      stored = this.publisher.publish(bytes, event.type, event.userId, this.trace);
    } catch (error) {
      stored = Promise.reject(asError(error));
    }
    stored.then(this.onStored, (error: unknown) => this.onNotStored(index, error));
  }

  private readonly onStored = (): void => {
    this.inFlight--;
    this.accepted++;
    this.goOn();
  };

  private onNotStored(index: number, error: unknown): void {
    this.inFlight--;
    if (reactionOf(error) === 'poison') this.reject(index, '', asError(error).message);
    else this.fail(faultOf(error), index);
    this.goOn();
  }

  private reject(index: number, field: string, reason: string): void {
    this.rejected++;
    if (this.errors.length === ERRORS_MAX) return;
    this.errors.push({ index: BigInt(index), field, reason: cutText(reason, REASON_CHARS_MAX) });
  }

  private fail(fault: Fault, index: number): void {
    this.fault ??= fault;
    this.resendFrom = Math.min(this.resendFrom, index);
  }

  private answer(): void {
    this.end();
    this.reply(null, asBuffer(toBinary(PublishEventsResponseSchema, this.summary())));
  }

  private refuse(fault: Fault): void {
    this.end();
    const metadata = { resend_from: String(Math.min(this.resendFrom, this.index)) };
    const summary = this.summary(fitting(this.errors, TRAILER_BYTES_MAX));
    this.reply(refusal({ ...fault, metadata, also: anyPack(PublishEventsResponseSchema, summary) }));
  }

  private summary(errors: readonly EventFault[] = this.errors): PublishEventsResponse {
    return create(PublishEventsResponseSchema, {
      accepted: BigInt(this.accepted),
      rejected: BigInt(this.rejected),
      errors: errors.map((error) => create(EventErrorSchema, error)),
    });
  }

  private end(): void {
    this.over = true;
    this.events = [];
    this.next = 0;
  }
}

/** The events of a message as they came: each is checked and stored by its own bytes, and one that is broken spoils no other. */
export function eventsIn(message: Uint8Array): readonly Uint8Array[] | Fault {
  const events: Uint8Array[] = [];
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field !== EVENTS || type !== WireType.LengthDelimited) reader.skip(type, field);
      else if (events.length === MESSAGE_EVENTS_MAX) return TOO_MANY_EVENTS;
      else events.push(reader.bytes());
    }
  } catch {
    return malformed(PublishEventsRequestSchema.typeName);
  }
  return events;
}

const TOO_MANY_EVENTS = invalidFields([
  { field: 'events', description: `has more than ${MESSAGE_EVENTS_MAX} events: send more messages` },
]);

/** The first of the errors. */
function fitting(errors: readonly EventFault[], bytesMax: number): readonly EventFault[] {
  let bytes = 0;
  const end = errors.findIndex(
    (error) => (bytes += toBinary(EventErrorSchema, create(EventErrorSchema, error)).length + 2) > bytesMax,
  );
  return end < 0 ? errors : errors.slice(0, end);
}
