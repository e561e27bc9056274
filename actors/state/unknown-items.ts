/** Items that events are about and that the catalogue does not have. */
import { type Codec, json, type StateSpec, type Value, value } from '../../runtime/contract/stage.js';

export interface Sightings {
  /** Events with the item. */
  events: number;
  /** The latest event time among them, epoch ms. */
  timeMs: number;
}

export type UnknownItems = Map<string, Sightings>;

/** Items in a map. */
export const UNKNOWN_MAX = 1_000;

const entries = json<[string, Sightings][]>();
const stored: Codec<UnknownItems> = {
  encode: (items) => entries.encode([...items]),
  decode: (bytes) => new Map(entries.decode(bytes)),
};

/** One map for all partitions, or one of each source partition, which stays when others change. */
export const unknownItemsState = (): StateSpec<Value<UnknownItems>> =>
  value<UnknownItems>(
    () => new Map(),
    stored,
    ([only]) => only!,
  );

/** Adds sightings of an item, or changes those that are known. */
export function addSightings<K>(items: Map<K, Sightings>, item: K, { events, timeMs }: Sightings): void {
  const known = items.get(item);
  if (known === undefined) items.set(item, { events, timeMs });
  else {
    known.events += events;
    known.timeMs = Math.max(known.timeMs, timeMs);
  }
}
