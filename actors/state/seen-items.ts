/**
 * The items that a user has interacted with: the latest SEEN_MAX by event time, of several at one time the last by id.
 *
 *   seen(u) = the latest of  recent(u) ∪ before(u)        an item's time is its latest
 *
 * An interaction writes `recent` alone, RECENT_MAX items at most. When there are more they move to `before`, which is written once for so many, and is
 * otherwise read only when somebody asks. So what an event writes does not grow with what its user has seen.
 */
import { type Codec, json, keyed } from '../../runtime/contract/stage.js';
import { compareText } from '../maths/item-order.js';
import { LATEST_MAX, type LatestItems } from '../maths/rank/latest-items.js';

/** Items stored as seen, per user. */
export const SEEN_MAX = 1_000;
/** Half of it is written with an interaction, and in memory for a user. */
export const RECENT_MAX = 16;

/** By item id the event time of the latest interaction, epoch ms; and the number of additions, in memory only. */
export class Seen extends Map<string, number> {
  additions = 0;

  /** Keeps the later time. */
  add(item: string, time: number): void {
    if (this.get(item)! >= time) return;
    this.set(item, time);
    this.additions++;
  }
}

/** The latest `max` items of both, whatever the order in which they came. */
export function latestSeen(recent: Seen, before: Seen | undefined, max = SEEN_MAX): Seen {
  if (before === undefined && recent.size <= max) return recent;
  const all = new Seen(before);
  for (const [item, time] of recent) all.add(item, time);
  if (all.size <= max) return all;
  const latest = [...all].sort(newestFirst);
  return new Seen(latest.slice(0, max));
}

const newestFirst = (a: readonly [string, number], b: readonly [string, number]): number =>
  b[1] - a[1] || compareText(b[0], a[0]);

/** The latest LATEST_MAX, newest first; found once for as long as nothing is added. */
export function latestItemsOnce(): (recent: Seen, before: () => Seen | undefined) => LatestItems {
  const found = new WeakMap<Seen, { readonly additions: number; readonly latest: LatestItems }>();
  return (recent, before) => {
    const known = found.get(recent);
    if (known?.additions === recent.additions) return known.latest;
    const all = [...latestSeen(recent, before(), LATEST_MAX)].sort(newestFirst);
    const latest = { items: all.map(([item]) => item), times: all.map(([, time]) => time) };
    found.set(recent, { additions: recent.additions, latest });
    return latest;
  };
}

/** Times as differences from the one before. */
interface Columns {
  readonly items: readonly string[];
  readonly times: readonly number[];
}
/** Before there were columns: pairs; and before there were times: ids. */
type Stored = Columns | readonly (readonly [string, number] | string)[];

const stored = json<Stored>();

const isColumns = (read: Stored): read is Columns => 'items' in read;

const seenItems: Codec<Seen> = {
  encode: (seen) => {
    let before = 0;
    const times: number[] = [];
    for (const time of seen.values()) {
      times.push(time - before);
      before = time;
    }
    return stored.encode({ items: [...seen.keys()], times });
  },
  decode: (bytes) => {
    const read = stored.decode(bytes);
    if (!isColumns(read)) return new Seen(read.map((entry) => (typeof entry === 'string' ? [entry, 0] : entry)));
    let time = 0;
    return new Seen(read.items.map((item, i) => [item, (time += read.times[i]!)]));
  },
};

/** As objects they take three times the memory. */
const RECENT_CACHED_BYTES_MAX = 1024 * 1024;
/** Read for one interaction out of RECENT_MAX. */
const BEFORE_CACHED_BYTES_MAX = 1024 * 1024;

export const recentItems = () => keyed(seenItems, { rescale: 'byKey', cachedBytesMax: RECENT_CACHED_BYTES_MAX });
export const itemsBefore = () => keyed(seenItems, { rescale: 'byKey', cachedBytesMax: BEFORE_CACHED_BYTES_MAX });
