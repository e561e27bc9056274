/**
 * Validates one event before it is published: every entry point (HTTP, gRPC, `rivulet publish`) refuses by the rules of the parse stage, with the same
 * messages, and publishes the original bytes. The parse stage does not refuse an event that was accepted here, unless the clocks differ.
 */
import { EVENT_TYPES, type EventType } from '../model.js';
import { textOf } from '../../runtime/contract/stage.js';
import { EventWriter } from './event-writer.js';
import { EMPTY_MESSAGE, type Fault, tooLarge } from './fault.js';
import { USER_ID } from './fields.js';
import { readJsonEvent } from './json-event.js';
import { EVENT_RULES, type EventRules } from './limits.js';
import { readProtobufEvent } from './protobuf-event.js';
import { Schema } from './schema.js';

/** A valid event, with what its publisher needs. */
export interface SoundEvent {
  /** One event, as its publisher wrote it: a view of the original bytes. */
  readonly bytes: Uint8Array;
  readonly contentType: 'application/json' | 'application/x-protobuf';
  readonly type: EventType;
  readonly userId: string;
  /** Event time, epoch ms. */
  readonly timeMs: number;
}

export type ReadEvent = SoundEvent | Fault;

export const isFault = (read: ReadEvent): read is Fault => 'rule' in read;

export class EventReader {
  readonly rules: EventRules;
  readonly schema: Schema;
  private readonly one: OneEvent;

  constructor(rules: Partial<EventRules> = {}) {
    this.rules = { ...EVENT_RULES, ...rules };
    this.schema = new Schema(this.rules.schema);
    this.one = new OneEvent(this.schema, this.rules.futureMaxMs);
  }

  /** The bytes of one JSON object, without surrounding spaces. */
  json(bytes: Uint8Array, nowMs: number): ReadEvent {
    if (bytes.length === 0) return EMPTY_MESSAGE;
    const fault = this.begin(bytes, nowMs) ?? readJsonEvent(bytes, 0, bytes.length, this.one);
    return fault ?? { bytes, contentType: 'application/json', ...this.one.found };
  }

  /** The bytes of one rivulet.v1.Event; an empty array is an event without fields. */
  protobuf(bytes: Uint8Array, nowMs: number): ReadEvent {
    const fault = this.begin(bytes, nowMs) ?? readProtobufEvent(bytes, this.one);
    return fault ?? { bytes, contentType: 'application/x-protobuf', ...this.one.found };
  }

  private begin({ length }: Uint8Array, nowMs: number): Fault | undefined {
    const { messageBytesMax } = this.rules;
    if (length > messageBytesMax) return tooLarge(length, messageBytesMax);
    this.one.begin({ storedAtMs: nowMs });
    return undefined;
  }
}

class OneEvent extends EventWriter {
  found: Pick<SoundEvent, 'type' | 'userId' | 'timeMs'> = { type: 'view', userId: '', timeMs: NaN };

  reserve(): void {
    // A single event needs no reserved rows.
  }

  protected append(bytes: Uint8Array, type: number, timeMs: number): void {
    const userId = textOf(bytes, this.starts[USER_ID], this.ends[USER_ID]);
    this.found = { type: EVENT_TYPES[type]!, userId, timeMs };
  }
}
