/** Determines the format of a message, by its content type or its first bytes, and reads it. */
import { LINE_FEED, OPEN_BRACE, OPEN_BRACKET } from '../maths/ascii.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import { readCsv } from './csv.js';
import type { EventWriter } from './event-writer.js';
import { EMPTY_MESSAGE, type Fault, tooLarge, tooManyEvents } from './fault.js';
import { firstByte, type Records, readJson, readJsonLines } from './json.js';
import { readJsonEvent } from './json-event.js';
import type { EventRules } from './limits.js';
import { type ProtobufKind, protobufKind, readProtobuf } from './protobuf.js';
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
  if (message.chunk !== undefined) return readChunk(message, message.chunk.format, writer, refusals);
  const { data } = message;
  const { messageBytesMax, messageEventsMax } = limits;
  if (data.length > messageBytesMax) return refuse(message, tooLarge(data.length, messageBytesMax), refusals);
  if (firstByte(data, 0, data.length) === data.length) return refuse(message, EMPTY_MESSAGE, refusals);
  const format = formatOf(message);
  switch (format) {
    case 'json':
      return readJson(message, eventsOf(writer, messageEventsMax), refusals);
    case 'json-lines':
      return readJsonLines(message, eventsOf(writer, messageEventsMax), refusals);
    case 'event':
    case 'event-batch':
      return readProtobuf(message, format, writer, refusals, messageEventsMax);
    case undefined:
      return refuse(message, UNKNOWN_FORMAT, refusals);
  }
}

const eventsOf = (writer: EventWriter, max: number): Records => ({
  read: (bytes, start, end) => readJsonEvent(bytes, start, end, writer),
  max,
  tooMany: tooManyEvents,
});

function readChunk(message: RawMessage, format: string, writer: EventWriter, refusals: Refusals): number {
  if (format === 'csv') return readCsv(message, writer, refusals);
  if (format === 'jsonl') return readJsonLines(message, eventsOf(writer, Infinity), refusals);
  const reason = `files of format ${JSON.stringify(format)} cannot be read: send csv or jsonl`;
  return refuse(message, { rule: 'unknown_format', reason }, refusals);
}

function refuse(message: RawMessage, fault: Fault, refusals: Refusals): number {
  refusals.add(message, fault, { start: 0, end: message.data.length, line: message.chunk?.line });
  return 1;
}

const UNKNOWN_FORMAT: Fault = {
  rule: 'unknown_format',
  reason: 'neither JSON (starting with { or [) nor a protobuf Event or EventBatch: send one of these',
};

export const JSON_TYPE = /^(application|text)\/([\w.-]+\+)?json$/;
export const JSON_LINES_TYPE = /^(application|text)\/(x-)?(ndjson|jsonl|json-?lines)$/;
const PROTOBUF_TYPE = /^application\/(x-|vnd\.google\.)?protobuf$/;
const PROTOBUF_BATCH = /;\s*[\w-]+="?[\w.]*eventbatch"?\s*(;|$)/i;
const PROTOBUF_EVENT = /;\s*[\w-]+="?([\w.]*\.)?event"?\s*(;|$)/i;

function formatOf({ contentType, data }: RawMessage): Format | undefined {
  const [type = ''] = contentType?.split(';', 1) ?? [];
  const name = type.trim();
  if (JSON_TYPE.test(name)) return 'json';
  if (JSON_LINES_TYPE.test(name)) return 'json-lines';
  if (!PROTOBUF_TYPE.test(name)) return sniff(data);
  if (PROTOBUF_BATCH.test(contentType!)) return 'event-batch';
  if (PROTOBUF_EVENT.test(contentType!)) return 'event';
  return protobufKind(data) ?? 'event';
}

/** JSON starts with a brace or a bracket. A line end before it is also a protobuf tag: then the rest decides. */
function sniff(data: Uint8Array): Format | undefined {
  const first = data[firstByte(data, 0, data.length)];
  const isJson = first === OPEN_BRACE || first === OPEN_BRACKET;
  if (isJson && data[0] !== LINE_FEED) return 'json';
  return protobufKind(data) ?? (isJson ? 'json' : undefined);
}
