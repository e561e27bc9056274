/** A message of items: one JSON object, an array of them, or lines of JSON. */
import { OPEN_BRACE, OPEN_BRACKET } from '../maths/ascii.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import type { Fault } from './fault.js';
import { isFault, type PublishedItem, readJsonItem } from './json-item.js';
import { readPlaces, type ReadRecord } from './json.js';
import { finish, firstByte, jsonPlaces, linePlaces, textStart } from './json-places.js';
import { JSON_LINES_TYPE, JSON_TYPE } from './message.js';
import type { Refusals } from './refusals.js';

export interface ItemMessageLimits {
  readonly messageBytesMax: number;
  readonly messageItemsMax: number;
}

/** Reads a message; passes each valid item to `onItem`, each bad one to `refusals`. Never throws, whatever the bytes. */
export function readItems(
  message: RawMessage,
  onItem: (item: PublishedItem) => void,
  refusals: Refusals,
  { messageBytesMax, messageItemsMax }: ItemMessageLimits,
): void {
  const { data } = message;
  if (data.length > messageBytesMax) {
    refuse(message, tooLarge(data.length, messageBytesMax), refusals);
    return;
  }
  const first = data[firstByte(data, textStart(data), data.length)];
  if (first === undefined) {
    refuse(message, EMPTY_MESSAGE, refusals);
    return;
  }
  const read: ReadRecord = (bytes, start, end) => {
    const item = readJsonItem(bytes, start, end);
    if (isFault(item)) return item;
    onItem(item);
    return undefined;
  };
  const limits = { bytesMax: messageBytesMax, max: messageItemsMax, tooMany: tooManyItems };
  const type = message.contentType?.split(';', 1)[0]?.trim() ?? '';
  const areLines = JSON_LINES_TYPE.test(type);
  if (areLines || JSON_TYPE.test(type) || first === OPEN_BRACE || first === OPEN_BRACKET)
    readPlaces(message, finish((areLines ? linePlaces : jsonPlaces)(data, limits)), read, refusals);
  else refuse(message, UNKNOWN_FORMAT, refusals);
}

const refuse = (message: RawMessage, fault: Fault, refusals: Refusals): void =>
  refusals.add(message, fault, { start: 0, end: message.data.length });

const EMPTY_MESSAGE: Fault = { rule: 'empty_message', reason: 'the message holds nothing: send an item' };

const UNKNOWN_FORMAT: Fault = {
  rule: 'unknown_format',
  reason: 'not JSON, which starts with { or [: send an item as {"item_id": …, "title": …}, an array of them, or lines',
};

const tooLarge = (bytes: number, bytesMax: number): Fault => ({
  rule: 'message_too_large',
  reason: `the message has ${bytes} bytes and may have ${bytesMax}: send its items in several messages`,
});

const tooManyItems = (max: number): Fault => ({
  rule: 'too_many_items',
  reason: `the message holds more than ${max} items: send them in several messages`,
});
