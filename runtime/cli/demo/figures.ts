/** The figures of the demo, read from the node once a second: totals, rates, one user's list and its changes. */
import type { AnswerItem } from '../../../connectors/facade/ports.js';
import type { RunningNode } from '../../node/node.js';
import type { DemoFeed } from './feed.js';

export interface ListRow extends AnswerItem {
  /** Rank before its last change; 0: was not in the list; `undefined`: not changed recently. */
  readonly before: number | undefined;
}

export interface Figures {
  readonly nowMs: number;
  readonly upMs: number;
  readonly events: number;
  /** Per second, over the last seconds. */
  readonly rate: number;
  readonly late: number;
  readonly deadLetters: number;
  readonly duplicates: number;
  readonly restarts: number;
  readonly lastError: string | undefined;
  readonly running: number;
  readonly instances: number;
  /** Lowest over the partitions. */
  readonly watermarkMs: number | undefined;
  readonly asOfMs: number | undefined;
  readonly busiest: readonly (readonly [group: string, share: number])[];
  readonly user: string | undefined;
  readonly list: readonly ListRow[];
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number; readonly count: number };
}

const RATE_OVER = 6;
const LIST_ITEMS = 6;
/** A change is highlighted for this long. */
const MARK_MS = 6_000;
const BUSIEST_SHOWN = 6;

export class FiguresTaker {
  private readonly startedMs: number;
  private readonly counts: { readonly atMs: number; readonly events: number }[] = [];
  private user: string | undefined;
  private ranks = new Map<string, number>();
  private readonly marks = new Map<string, { readonly before: number; readonly untilMs: number }>();

  constructor(
    private readonly node: RunningNode,
    private readonly feed: DemoFeed,
    private readonly nowMs: () => number,
  ) {
    this.startedMs = nowMs();
  }

  take(): Figures {
    const nowMs = this.nowMs();
    const statuses = this.node.statuses();
    const sum = (pick: (status: (typeof statuses)[number]) => number): number =>
      statuses.reduce((total, status) => total + pick(status), 0);
    const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);
    const watermarks = known(statuses.filter(({ stage }) => stage === 'window').map(({ watermarkMs }) => watermarkMs));
    const latest = known(statuses.map(({ asOfMs }) => asOfMs));
    const events = sum(({ counters }) => counters.events);
    this.watch();
    return {
      ...{ nowMs, events, upMs: nowMs - this.startedMs, rate: this.rate(nowMs, events) },
      late: sum(({ counters }) => counters.late),
      deadLetters: sum(({ counters }) => counters.dead_letter),
      duplicates: sum(({ counters }) => counters.duplicates),
      restarts: sum(({ restarts }) => restarts),
      lastError: statuses.find(({ lastError }) => lastError !== undefined)?.lastError,
      running: statuses.filter(({ state }) => state === 'running').length,
      instances: statuses.length,
      watermarkMs: watermarks.length === 0 ? undefined : Math.min(...watermarks),
      asOfMs: latest.length === 0 ? undefined : Math.max(...latest),
      busiest: this.feed.busiest().slice(0, BUSIEST_SHOWN),
      user: this.user,
      list: this.list(nowMs),
      latency: this.node.telemetry.latencies(),
    };
  }

  private rate(nowMs: number, events: number): number {
    this.counts.push({ atMs: nowMs, events });
    if (this.counts.length > RATE_OVER) this.counts.shift();
    const first = this.counts[0]!;
    return nowMs > first.atMs ? ((events - first.events) * 1000) / (nowMs - first.atMs) : 0;
  }

  private watch(): void {
    const user = this.feed.favourite();
    if (user === this.user) return;
    this.user = user;
    this.ranks = new Map();
    this.marks.clear();
  }

  /** Empty while the user's partition restarts. */
  private list(nowMs: number): ListRow[] {
    if (this.user === undefined) return [];
    let items: readonly AnswerItem[];
    try {
      ({ items } = this.node.answer({
        ...{ userId: this.user, limit: LIST_ITEMS, category: undefined, excludeSeen: false, explain: false },
      }));
    } catch {
      return [];
    }
    const ranks = new Map(items.slice(0, LIST_ITEMS).map(({ itemId, rank }) => [itemId, rank]));
    if (this.ranks.size > 0) {
      for (const [item, rank] of ranks) {
        const before = this.ranks.get(item) ?? 0;
        if (before !== rank) this.marks.set(item, { before, untilMs: nowMs + MARK_MS });
      }
    }
    for (const [item, { untilMs }] of this.marks) if (untilMs < nowMs) this.marks.delete(item);
    this.ranks = ranks;
    return items.slice(0, LIST_ITEMS).map((item) => ({ ...item, before: this.marks.get(item.itemId)?.before }));
  }
}
