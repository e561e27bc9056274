/** Determines the format of a message, by its content type or its first bytes, and reads it. */
import { LINE_FEED, OPEN_BRACE, OPEN_BRACKET } from '../maths/ascii.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import { readCsv } from './csv.js';
import type { EventWriter } from './event-writer.js';
import { EMPTY_MESSAGE, type Fault, tooLarge, tooManyEvents } from './fault.js';
import { readJsonLines, type ReadRecord, readPlaces } from './json.js';
import { readJsonEvent } from './json-event.js';
import {
  afterLastByte,
  finish,
  isJsonValue,
  jsonPlaces,
  linePlaces,
  skipSpace,
  type Places,
  type Search,
  textStart,
} from './json-places.js';
import { isSpace } from './json-scanner.js';
import type { EventRules } from './limits.js';
import { batchPlaces, type ProtobufKind, protobufKind } from './protobuf.js';
import { readProtobufEvent } from './protobuf-event.js';
import type { Refusals } from './refusals.js';

export type MessageLimits = Pick<EventRules, 'messageBytesMax' | 'messageEventsMax'>;

type Format = 'json' | 'json-lines' | ProtobufKind;

/** Reads a message or a piece of a file; returns the number of events in it. Never throws, whatever the bytes. */
export function readMessage(
  message: RawMessage,
  writer: EventWriter,
  refusals: Refusals,
  limits: MessageLimits,
): number {
  writer.begin(message);
  const { chunk, contentType, data } = message;
  const readJson: ReadRecord = (bytes, start, end) => readJsonEvent(bytes, start, end, writer);
  if (chunk?.format === 'csv') return readCsv(message, writer, refusals);
  if (chunk?.format === 'jsonl') return readJsonLines(message, readJson, refusals);
  if (chunk !== undefined) return refuse(message, unknownFile(chunk.format), refusals);
  const { messageBytesMax } = limits;
  if (data.length > messageBytesMax) return refuse(message, tooLarge(data.length, messageBytesMax), refusals);
  const events = finish(eventsIn(data, contentType, limits));
  if ('rule' in events) return refuse(message, events, refusals);
  const read: ReadRecord = (bytes, start, end) => readProtobufEvent(bytes.subarray(start, end), writer);
  return readPlaces(message, events.places, events.isJson ? readJson : read, refusals);
}

export interface FoundEvents {
  readonly places: Places;
  /** Each is a JSON object, else an Event. */
  readonly isJson: boolean;
}

/** Where the events of a message are; `contentType`: lower case. */
export function* eventsIn(
  data: Uint8Array,
  contentType: string | undefined,
  { messageBytesMax, messageEventsMax }: MessageLimits,
): Search<FoundEvents | Fault> {
  const format = yield* formatOf(data, contentType);
  if (typeof format === 'object') return format;
  const limits = { bytesMax: messageBytesMax, max: messageEventsMax, tooMany: tooManyEvents };
  const isJson = format === 'json' || format === 'json-lines';
  const places = isJson
    ? yield* (format === 'json' ? jsonPlaces : linePlaces)(data, limits)
    : format === 'event'
      ? [0, data.length]
      : batchPlaces(data, messageEventsMax);
  return 'rule' in places ? places : { places, isJson };
}

function refuse(message: RawMessage, fault: Fault, refusals: Refusals): number {
  refusals.add(message, fault, { start: 0, end: message.data.length, line: message.chunk?.line });
  return 1;
}

const unknownFile = (format: string): Fault => ({
  rule: 'unknown_format',
  reason: `files of format ${JSON.stringify(format)} cannot be read: send csv or jsonl`,
});

const UNKNOWN_FORMAT: Fault = {
  rule: 'unknown_format',
  reason: 'neither JSON (starting with { or [) nor a protobuf Event or EventBatch: send one of these',
};

export const JSON_TYPE = /^(application|text)\/([\w.-]+\+)?json$/;
export const JSON_LINES_TYPE = /^(application|text)\/(x-)?(ndjson|jsonl|json-?lines)$/;
const PROTOBUF_TYPE = /^application\/(x-|vnd\.google\.)?protobuf$/;
const PROTOBUF_BATCH = /;\s*[\w-]+="?[\w.]*eventbatch"?\s*(;|$)/i;
const PROTOBUF_EVENT = /;\s*[\w-]+="?([\w.]*\.)?event"?\s*(;|$)/i;

/** A message without bytes may be an Event without fields, if its type says that it is one. */
function* formatOf(data: Uint8Array, contentType: string | undefined): Search<Format | Fault> {
  const [type = ''] = contentType?.split(';', 1) ?? [];
  const name = type.trim();
  if (PROTOBUF_TYPE.test(name)) {
    if (PROTOBUF_BATCH.test(contentType!)) return 'event-batch';
    if (PROTOBUF_EVENT.test(contentType!) || data.length === 0) return 'event';
    return protobufKind(data) ?? 'event';
  }
  const first = textStart(data);
  const start = isSpace(data[first]!) ? yield* skipSpace(data, first, data.length) : first;
  if (start === data.length) return EMPTY_MESSAGE;
  if (JSON_TYPE.test(name)) return 'json';
  if (JSON_LINES_TYPE.test(name)) return 'json-lines';
  return sniff(data, start);
}

/** JSON starts with a brace or a bracket. A line end before it is also a protobuf tag: then the rest decides. */
function sniff(data: Uint8Array, start: number): Format | Fault {
  const isJson = data[start] === OPEN_BRACE || data[start] === OPEN_BRACKET;
  if (isJson && data[0] !== LINE_FEED) return 'json';
  const kind = protobufKind(data);
  if (kind !== undefined) return kind;
  return isJson || isJsonValue(data, start, afterLastByte(data, start, data.length)) ? 'json' : UNKNOWN_FORMAT;
}
