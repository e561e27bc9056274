/**
 * One trending list as its subscribers see it: cut at their limit, with its recent states.
 *
 *   TRENDING-FEED-1  a sent revision identifies one state of the list, on this and every other node, except for the names of its items. When only
 *   names
 *                    change, the edition of the list rises, and a subscriber with an older edition of its revision gets a snapshot
 *   TRENDING-FEED-2  states move forward: a list with an older revision (during recovery) is ignored
 *   TRENDING-FEED-3  for any number of subscribers, a message is encoded once for all that have the same revision
 *   TRENDING-FEED-4  states are bounded in number and bytes; a subscriber whose state is forgotten gets a snapshot
 */
import type { TrendingEntry, TrendingList } from '../ports.js';

/** At ten changes a second, subscribers that reconnect within ten seconds resume. */
const STATES_MAX = 128;
const STATES_BYTES_MAX = 256 * 1024;
const ENTRY_BYTES = 120;

/** The encoding of messages. */
export interface TrendingEncoder {
  /** The whole list. */
  snapshot(state: TrendingList): Buffer;
  /** The changes between `from` and `to`. */
  delta(from: TrendingList, to: TrendingList): Buffer;
  /** The state has not changed. */
  heartbeat(state: TrendingList): Buffer;
}

/** The difference between two states of a list: by index in `to.items`, except for removed items. */
export interface TrendingDifference {
  readonly entered: readonly number[];
  readonly moved: readonly number[];
  readonly left: readonly string[];
}

export function differenceOf(from: TrendingList, to: TrendingList): TrendingDifference {
  const before = new Map(from.items.map((entry, i) => [entry.itemId, i]));
  const [entered, moved]: [number[], number[]] = [[], []];
  to.items.forEach((entry, i) => {
    const was = before.get(entry.itemId);
    before.delete(entry.itemId);
    if (was === undefined) entered.push(i);
    else if (was !== i || !isSameEntry(from.items[was]!, entry)) moved.push(i);
  });
  return { entered, moved, left: [...before.keys()] };
}

export class TrendingFeed {
  /** Messages encoded so far. */
  encoded = 0;
  private seen: TrendingList;
  private newest: TrendingList;
  /** By revision, oldest first; the last one has the revision of `newest`. */
  private readonly states = new Map<number, TrendingList>();
  private bytes = 0;
  /** How often the list has changed, including names of items; and for states whose names changed, at which edition. */
  edition = 0;
  private readonly renamed = new Map<number, number>();
  /** Messages for subscribers with a given revision, or with none. */
  private readonly messages = new Map<number | undefined, Buffer>();

  constructor(
    list: TrendingList,
    private readonly limit: number,
    private readonly encoder: TrendingEncoder,
  ) {
    this.seen = list;
    this.newest = cutOff(list, limit);
    this.keep(this.newest);
  }

  /** Of the newest state. */
  get revision(): number {
    return this.newest.revision;
  }

  /** Records the current list; returns whether it changed within the limit. */
  observe(list: TrendingList): boolean {
    if (list === this.seen || list.revision < this.seen.revision) return false;
    this.seen = list;
    this.messages.clear();
    const now = cutOff(list, this.limit);
    if (isSameList(this.newest, now)) {
      this.newest = { ...this.newest, asOfMs: now.asOfMs };
      return false;
    }
    this.edition++;
    if (now.revision === this.newest.revision) this.renamed.set(now.revision, this.edition);
    this.newest = now;
    this.keep(now);
    return true;
  }

  /** The message from a revision (`undefined`: from none) to the newest state. `saw`: the edition that came with the revision, where known. */
  messageFor(has: number | undefined, saw = 0): Buffer {
    const isOld = has !== undefined && (this.renamed.get(has) ?? 0) > saw;
    const from = has === undefined || isOld ? undefined : this.states.get(has);
    const known = this.messages.get(from?.revision);
    if (known !== undefined) return known;
    const message = this.encode(from);
    this.encoded++;
    this.messages.set(from?.revision, message);
    return message;
  }

  private encode(from: TrendingList | undefined): Buffer {
    if (from === undefined) return this.encoder.snapshot(this.newest);
    return from.revision === this.newest.revision
      ? this.encoder.heartbeat(this.newest)
      : this.encoder.delta(from, this.newest);
  }

  private keep(state: TrendingList): void {
    const before = this.states.get(state.revision);
    this.states.set(state.revision, state);
    this.bytes += bytesOf(state) - (before === undefined ? 0 : bytesOf(before));
    for (const [revision, old] of this.states) {
      if (old === state || (this.states.size <= STATES_MAX && this.bytes <= STATES_BYTES_MAX)) return;
      this.states.delete(revision);
      this.renamed.delete(revision);
      this.bytes -= bytesOf(old);
    }
  }
}

const cutOff = (list: TrendingList, limit: number): TrendingList =>
  list.items.length <= limit ? list : { ...list, items: list.items.slice(0, limit) };

/** The approximate memory of a state. */
const bytesOf = ({ items }: TrendingList): number =>
  items.reduce(
    (sum, { itemId, category = '', title = '', brand = '' }) =>
      sum + ENTRY_BYTES + itemId.length + category.length + title.length + brand.length,
    ENTRY_BYTES,
  );

/** Whether two states look alike to subscribers; the revision is not visible, and passing time alone is no change. */
export const isSameList = (a: TrendingList, b: TrendingList): boolean =>
  a.window?.startMs === b.window?.startMs &&
  a.window?.endMs === b.window?.endMs &&
  (a.items === b.items ||
    (a.items.length === b.items.length && a.items.every((entry, i) => isSameEntry(entry, b.items[i]!))));

const isSameEntry = (a: TrendingEntry, b: TrendingEntry): boolean =>
  a === b ||
  (a.itemId === b.itemId &&
    a.score === b.score &&
    a.views === b.views &&
    a.clicks === b.clicks &&
    a.category === b.category &&
    a.title === b.title &&
    a.brand === b.brand &&
    a.price === b.price);
