import { describe, expect, it } from 'vitest';
import type { EventInit } from '../../../connectors/grpc/client/client.js';
import { soundEvent } from '../../../connectors/facade/event-fields.js';
import { EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
import { anEvent, bytesOf } from '../grpc/facade.js';

const LATEST_MS = Date.UTC(2019, 9, 2);
const read = (event: EventInit): ReturnType<typeof soundEvent> => soundEvent(bytesOf(event), LATEST_MS);

describe('a sound event', () => {
  it.each([
    [EventType.VIEW, 'view'],
    [EventType.CART, 'cart'],
    [EventType.PURCHASE, 'purchase'],
    [EventType.REMOVE_FROM_CART, 'remove_from_cart'],
    [EventType.CLICK, 'click'],
  ])('of type %i is a %s', (eventType, type) => {
    expect(read(anEvent({ eventType }))).toEqual({ type, userId: '512' });
  });

  it.each<[string, Partial<EventInit>]>([
    ['a rating of 0.5', { eventType: EventType.RATING, rating: 0.5 }],
    ['a rating of 5', { eventType: EventType.RATING, rating: 5 }],
    ['the price 0', { price: 0 }],
    ['the first moment of 1970', { eventTime: { seconds: 0n, nanos: 0 } }],
    ['the latest time that is believed', { eventTime: { seconds: BigInt(LATEST_MS / 1000) } }],
    ['a review of 5000 characters', { reviewText: '😀'.repeat(5000) }],
    ['lines in its review', { reviewText: 'good\nvery' }],
    ['empty optional texts', { eventId: '', categoryCode: '', brand: '', sessionId: '' }],
  ])('may have %s', (_, given) => {
    expect(read(anEvent(given as EventInit))).toMatchObject({ userId: '512' });
  });
});

describe('an event that breaks a rule', () => {
  it.each<[string, string, object]>([
    ['no type', 'event_type', { eventType: 0 }],
    ['an unknown type', 'event_type', { eventType: 77 }],
    ['no time', 'event_time', { eventTime: undefined }],
    ['a time before 1970', 'event_time', { eventTime: { seconds: -1n } }],
    ['a time in the future', 'event_time', { eventTime: { seconds: BigInt(LATEST_MS / 1000), nanos: 1_000_000 } }],
    ['milliseconds for seconds', 'event_time', { eventTime: { seconds: 1_569_888_000_000n } }],
    ['nanos out of range', 'event_time', { eventTime: { seconds: 1n, nanos: 1_000_000_000 } }],
    ['negative nanos', 'event_time', { eventTime: { seconds: 1n, nanos: -1 } }],
    ['no user', 'user_id', { userId: '' }],
    ['a long user id', 'user_id', { userId: 'u'.repeat(257) }],
    ['no item', 'item_id', { itemId: '' }],
    ['a line end in the item id', 'item_id', { itemId: '1\r\n' }],
    ['a long event id', 'event_id', { eventId: 'e'.repeat(257) }],
    ['a long category', 'category_code', { categoryCode: 'c'.repeat(257) }],
    ['a NUL in the brand', 'brand', { brand: 'acme\0' }],
    ['a long session', 'session_id', { sessionId: 's'.repeat(257) }],
    ['a negative price', 'price', { price: -0.01 }],
    ['a price that is no number', 'price', { price: NaN }],
    ['an endless price', 'price', { price: Infinity }],
    ['a rating without a rating', 'rating', { eventType: EventType.RATING }],
    ['a rating below 0.5', 'rating', { rating: 0.49 }],
    ['a rating above 5', 'rating', { rating: 5.01 }],
    ['a rating that is no number', 'rating', { rating: NaN }],
    ['a review of 5001 characters', 'review_text', { reviewText: 'x'.repeat(5001) }],
  ])('is told about %s', (_, field, given) => {
    expect(read(anEvent(given))).toEqual({ field, description: expect.stringMatching(/\w/) });
  });

  it('is told about bytes that are no event, and text that is not UTF-8', () => {
    const found = { field: '', description: expect.stringContaining('rivulet.v1.Event') };
    expect(soundEvent(Uint8Array.of(0xff, 0xff, 0xff), LATEST_MS)).toEqual(found);
    expect(soundEvent(Uint8Array.of((4 << 3) | 2, 1, 0xc3), LATEST_MS)).toEqual(found);
  });
});
