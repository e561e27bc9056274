/** What an event, and a message of events, may hold at most. */
import type { SchemaName } from './schema.js';

/** A power of two: see EventWriter. */
export const NAME_BYTES_MAX = 256;
export const REVIEW_CHARACTERS_MAX = 5000;
export const RATING_MIN = 0.5;
export const RATING_MAX = 5;

/** How a deployment reads events, at whichever entrance they come in. */
export interface EventRules {
  /** By which names events give their fields; `auto` takes those of all schemas. */
  readonly schema: SchemaName;
  /** How far after its storing an event may say it happened. */
  readonly futureMaxMs: number;
  /** What one message may hold: read in one go, it holds up its thread. Pieces of files are not bounded by it. */
  readonly messageBytesMax: number;
  readonly messageEventsMax: number;
}

export const EVENT_RULES: EventRules = {
  schema: 'auto',
  futureMaxMs: 24 * 60 * 60 * 1000,
  messageBytesMax: 256 * 1024,
  messageEventsMax: 10_000,
};
