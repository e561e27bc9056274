/** Limits of an event, and of a message of events. */
import type { SchemaName } from './schema.js';

/** A power of two: see EventWriter. */
export const NAME_BYTES_MAX = 256;
export const REVIEW_CHARACTERS_MAX = 5000;
export const POSITION_MAX = 1000;

/** How a deployment reads events, at every entry point. */
export interface EventRules {
  /** The names of an event's fields, and whether it must be as its contract says; `auto` accepts the names of all schemas. */
  readonly schema: SchemaName;
  /** The range of ratings, both ends included. */
  readonly ratingMin: number;
  readonly ratingMax: number;
  /** How far the event time may be after the time of storing. */
  readonly futureMaxMs: number;
  /** The size of one message: it is read at once, without a break for other work of its thread. Pieces of files are not limited by it. */
  readonly messageBytesMax: number;
  readonly messageEventsMax: number;
}

export const EVENT_RULES: EventRules = {
  schema: 'auto',
  ratingMin: 0.5,
  ratingMax: 5,
  futureMaxMs: 24 * 60 * 60 * 1000,
  messageBytesMax: 256 * 1024,
  messageEventsMax: 10_000,
};
