/**
 * window-sums: the counts of a moving window of whole panes, per item.
 *
 *   views(i) = Σ views(pane, i)    clicks(i) = Σ clicks(pane, i)      over the panes in [start, start + size)
 *
 * A move by one pane costs the pane that leaves and the one that comes, not the window. All of it can be recomputed from the panes.
 */
import { grown } from '../../runtime/contract/stage.js';

/** Counts of one pane: columns of equal length; `items` are numbers of items. */
export interface PaneCounts {
  readonly items: Uint32Array;
  readonly views: Uint32Array;
  readonly clicks: Uint32Array;
}

export class WindowSums {
  views = new Uint32Array(0);
  clicks = new Uint32Array(0);
  /** NaN: not positioned. */
  private startMs = NaN;

  constructor(
    private readonly sizeMs: number,
    private readonly paneMs: number,
    /** `undefined`: a pane without events. */
    private readonly paneAt: (paneMs: number) => PaneCounts | undefined,
  ) {}

  /** Moves to the window that begins at `startMs`, with counts for items numbered below `items`; returns the items of each pane that left or came. */
  moveTo(startMs: number, items: number): Uint32Array[] {
    this.reserve(items);
    const [before, after] = [this.startMs, startMs];
    if (before === after) return [];
    this.startMs = after;
    return [...this.takePanes(before, after, -1), ...this.takePanes(after, before, 1)];
  }

  /** Adds what was added to a pane, if the window contains that pane. `rows` are those of the columns. */
  add(paneMs: number, items: Uint32Array, rows: Uint32Array, isView: Uint8Array, itemsMax: number): void {
    if (!(paneMs >= this.startMs && paneMs < this.startMs + this.sizeMs)) return;
    this.reserve(itemsMax);
    const { views, clicks } = this;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (isView[row] === 1) views[items[row]!]!++;
      else clicks[items[row]!]!++;
    }
  }

  /** Whether the window contains one of these panes. */
  hasOne(panes: readonly number[]): boolean {
    return panes.some((pane) => pane >= this.startMs && pane < this.startMs + this.sizeMs);
  }

  /** Items were renumbered, or a pane was removed or lost items: the sums must be recomputed. */
  forget(): void {
    this.startMs = NaN;
    this.views = new Uint32Array(0);
    this.clicks = new Uint32Array(0);
  }

  /** Of the panes of a window that another one (NaN: none) does not have. */
  private takePanes(ofMs: number, otherMs: number, sign: 1 | -1): Uint32Array[] {
    const { sizeMs, paneMs } = this;
    const taken: Uint32Array[] = [];
    for (let pane = ofMs; pane < ofMs + sizeMs; pane += paneMs) {
      const counts = pane >= otherMs && pane < otherMs + sizeMs ? undefined : this.paneAt(pane);
      if (counts === undefined) continue;
      const { items, views, clicks } = counts;
      taken.push(items);
      for (let i = 0; i < items.length; i++) {
        this.views[items[i]!]! += sign * views[i]!;
        this.clicks[items[i]!]! += sign * clicks[i]!;
      }
    }
    return taken;
  }

  private reserve(items: number): void {
    if (items <= this.views.length) return;
    this.views = grown(this.views, items);
    this.clicks = grown(this.clicks, items);
  }
}
