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

  /** Moves to the window that begins at `startMs`, with counts for items numbered below `items`. */
  moveTo(startMs: number, items: number): void {
    this.reserve(items);
    const { sizeMs } = this;
    const [before, from] = [this.startMs, startMs];
    if (before === from) return;
    const isFar = !(Math.abs(from - before) < sizeMs);
    if (isFar) {
      this.views.fill(0);
      this.clicks.fill(0);
    } else {
      this.takePanes(before, before + sizeMs, (pane) => pane < from || pane >= from + sizeMs, -1);
    }
    this.takePanes(from, from + sizeMs, (pane) => isFar || pane < before || pane >= before + sizeMs, 1);
    this.startMs = from;
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

  private takePanes(fromMs: number, toMs: number, isWanted: (paneMs: number) => boolean, sign: 1 | -1): void {
    for (let pane = fromMs; pane < toMs; pane += this.paneMs) {
      const counts = isWanted(pane) ? this.paneAt(pane) : undefined;
      if (counts === undefined) continue;
      const { items, views, clicks } = counts;
      for (let i = 0; i < items.length; i++) {
        this.views[items[i]!]! += sign * views[i]!;
        this.clicks[items[i]!]! += sign * clicks[i]!;
      }
    }
  }

  private reserve(items: number): void {
    if (items <= this.views.length) return;
    this.views = grown(this.views, items);
    this.clicks = grown(this.clicks, items);
  }
}
