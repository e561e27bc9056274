/**
 * One trending list, as its subscribers see it: cut at their limit, with the states that it had of late.
 *
 *   T1  a revision that was sent names one state of the list, here and on every other node; but for what its items are called, which goes with
 *       the next change, to those who have it otherwise
 *   T2  states go forward: what has an older revision (a list that is being restored) is not seen
 *   T3  whatever the number of subscribers, a message is encoded once for all who have the same revision
 *   T4  states are bounded in number and bytes; who has one that is forgotten gets a snapshot
 */
import type { TrendingList } from './ports.js';
import { deltaBytes, heartbeatBytes, isSameList, snapshotBytes } from './trending-bytes.js';

/** At ten changes a second, those who reconnect within ten seconds resume. */
const STATES_MAX = 128;
const STATES_BYTES_MAX = 256 * 1024;
const ENTRY_BYTES = 120;

export class TrendingFeed {
  /** Messages made so far. */
  encoded = 0;
  private seen: TrendingList;
  private newest: TrendingList;
  /** By revision, oldest first; the last one has that of `newest`. */
  private readonly states = new Map<number, TrendingList>();
  private bytes = 0;
  /** Messages for those who have a certain revision, or nothing. */
  private readonly messages = new Map<number | undefined, Buffer>();

  constructor(
    list: TrendingList,
    private readonly limit: number,
  ) {
    this.seen = list;
    this.newest = cutOff(list, limit);
    this.keep(this.newest);
  }

  /** Of the newest state. */
  get revision(): number {
    return this.newest.revision;
  }

  /** Takes the list as it stands now; whether that is a change to those who see no further than the limit. */
  observe(list: TrendingList): boolean {
    if (list === this.seen || list.revision < this.seen.revision) return false;
    this.seen = list;
    this.messages.clear();
    const now = cutOff(list, this.limit);
    if (isSameList(this.newest, now)) {
      this.newest = { ...this.newest, asOfMs: now.asOfMs };
      return false;
    }
    const isNew = now.revision > this.newest.revision;
    this.newest = now;
    // The state that stands there is the one that was sent first: from that to the next the new titles are a difference (T1).
    if (isNew) this.keep(now);
    return true;
  }

  /** What leads from a revision (`undefined`: from nothing) to the newest state. */
  messageFor(has: number | undefined): Buffer {
    const from = has === undefined ? undefined : this.states.get(has);
    const known = this.messages.get(from?.revision);
    if (known !== undefined) return known;
    const message = this.encode(from);
    this.encoded++;
    this.messages.set(from?.revision, message);
    return message;
  }

  private encode(from: TrendingList | undefined): Buffer {
    if (from === undefined) return snapshotBytes(this.newest);
    return from.revision === this.newest.revision ? heartbeatBytes(this.newest) : deltaBytes(from, this.newest);
  }

  private keep(state: TrendingList): void {
    this.states.set(state.revision, state);
    this.bytes += bytesOf(state);
    for (const [revision, old] of this.states) {
      if (old === state || (this.states.size <= STATES_MAX && this.bytes <= STATES_BYTES_MAX)) return;
      this.states.delete(revision);
      this.bytes -= bytesOf(old);
    }
  }
}

const cutOff = (list: TrendingList, limit: number): TrendingList =>
  list.items.length <= limit ? list : { ...list, items: list.items.slice(0, limit) };

/** About what a state keeps in memory. */
const bytesOf = ({ items }: TrendingList): number =>
  items.reduce(
    (sum, { itemId, category = '', title = '', brand = '' }) =>
      sum + ENTRY_BYTES + itemId.length + category.length + title.length + brand.length,
    ENTRY_BYTES,
  );
