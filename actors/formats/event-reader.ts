/**
 * Validates one event before it is published: every entry point (HTTP, gRPC, `rivulet publish`) refuses by the rules of the parse stage, with the same
 * messages, and publishes the original bytes. The parse stage does not refuse an event that was accepted here, unless the clocks differ.
 */
import { EVENT_TYPES, type EventType } from '../model.js';
import { type RawMessage, textOf } from '../../runtime/contract/stage.js';
import { readCsv } from './csv.js';
import { EventWriter } from './event-writer.js';
import { EMPTY_MESSAGE, type Fault, tooLarge } from './fault.js';
import { USER_ID } from './fields.js';
import { readJsonEvent } from './json-event.js';
import type { Search } from './json-places.js';
import { JsonRows } from './json-rows.js';
import { EVENT_RULES, type EventRules } from './limits.js';
import { eventsIn } from './message.js';
import { readProtobufEvent } from './protobuf-event.js';
import type { Refusals } from './refusals.js';
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

/** The events of a message, each checked when it is taken. */
export interface EventMessage {
  readonly count: number;
  readonly events: Iterable<ReadEvent>;
}

export const isFault = (read: ReadEvent): read is Fault => 'rule' in read;

export class EventReader {
  readonly rules: EventRules;
  readonly schema: Schema;
  private readonly one: OneEvent;

  constructor(rules: Partial<EventRules> = {}) {
    this.rules = { ...EVENT_RULES, ...rules };
    this.schema = new Schema(this.rules.schema);
    this.one = new OneEvent(this.schema, this.rules);
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

  /**
   * A message that may be larger than one of NATS: the size limit is that of each event. `contentType`: lower case. The fault concerns the message.
   */
  *message(bytes: Uint8Array, contentType: string | undefined, nowMs: number): Search<EventMessage | Fault> {
    const found = yield* eventsIn(bytes, contentType, this.rules);
    if ('rule' in found) return found;
    const { places, isJson } = found;
    return {
      count: places.length / 2,
      events: this.each(bytes, places, (event) => (isJson ? this.json(event, nowMs) : this.protobuf(event, nowMs))),
    };
  }

  /** The rows of a piece of a CSV file, as JSON of the same events. */
  csv(piece: RawMessage, onEvent: (event: SoundEvent) => void, refusals: Pick<Refusals, 'add'>): void {
    const rows = new JsonRows(this.schema, this.rules, ({ json, end, type, timeMs, bytes, userStart, userEnd }) => {
      const userId = textOf(bytes, userStart, userEnd);
      onEvent({ bytes: json.slice(0, end), contentType: 'application/json', type: EVENT_TYPES[type]!, userId, timeMs });
    });
    rows.begin(piece);
    readCsv(piece, rows, refusals);
  }

  private *each(
    bytes: Uint8Array,
    places: readonly number[],
    read: (event: Uint8Array) => ReadEvent,
  ): Iterable<ReadEvent> {
    for (let at = 0; at < places.length; at += 2) yield read(bytes.subarray(places[at], places[at + 1]));
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
