/**
 * A list that the server returns in pages, newest first: the first page refreshes itself, older ones are fixed.
 *
 *   PAGED-LIST-1  no row moves while the list is in use: the pointer or the focus is in it, or a row is open
 *   PAGED-LIST-2  changes of a shown row appear in place; new rows are counted, and shown on request
 */
import type { ComponentChildren, RefObject } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Page } from './answers.js';
import { Icon } from './icons.js';
import { type Polling, usePolling } from './polling.js';
import { getJson, query } from './server.js';
import { StaleSince } from './stale-since.js';

const PAGE_SIZE = 10;
const EVERY_MS = 5_000;
/** How many pages one can go back, and return. */
const PAGES_MAX = 1_000;

type Row = { readonly id: string; readonly stored_at: string };

export interface PagedList<T> extends Polling {
  readonly items: readonly T[] | undefined;
  readonly frame: Frame;
}

/** The parts around the rows. */
interface Frame {
  /** The element that pauses the list while it has the pointer or the focus. */
  readonly ref: RefObject<HTMLDivElement | null>;
  readonly pager: Pager;
  /** Rows that have arrived since the list was paused. */
  readonly newer: number;
  readonly staleSinceMs: number | undefined;
  readonly onShow: () => void;
}

interface Pager {
  readonly page: number;
  readonly onNewer?: () => void;
  readonly onOlder?: () => void;
  /** The neighbouring pages are not known yet. */
  readonly isTurning: boolean;
}

interface PagedOptions {
  readonly path: string;
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** The open row: while it is shown, the list does not change. */
  readonly open?: string | undefined;
}

export function usePagedList<T extends Row>({ path, fields = {}, open }: PagedOptions): PagedList<T> {
  const ref = useRef<HTMLDivElement>(null);
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [shown, setShown] = useState<{ readonly key: string; readonly page: Page<T>; readonly pending?: Page<T> }>();
  const address = path + query({ limit: PAGE_SIZE, cursor: cursors.at(-1), ...fields });
  const isCurrent = shown?.key === address;
  const polling = usePolling(
    async (signal) => {
      const page = await getJson<Page<T>>(address, { signal });
      setShown((before) => {
        if (before?.key !== address || !isPaused(ref.current, before.page.items, open)) return { key: address, page };
        const known = new Map(page.items.map((row) => [row.id, row]));
        const items = before.page.items.map((row) => known.get(row.id) ?? row);
        return { key: address, page: { ...before.page, items }, pending: page };
      });
    },
    EVERY_MS,
    address,
  );
  const next = isCurrent ? shown.page.next_cursor : undefined;
  const pager: Pager = {
    page: cursors.length + 1,
    isTurning: shown !== undefined && !isCurrent,
    ...(cursors.length > 0 ? { onNewer: () => setCursors(cursors.slice(0, -1)) } : {}),
    ...(next !== undefined && cursors.length < PAGES_MAX ? { onOlder: () => setCursors([...cursors, next]) } : {}),
  };
  const newer = shown?.pending === undefined ? 0 : newerIn(shown.pending.items, shown.page.items);
  const onShow = (): void => {
    if (shown?.pending !== undefined) setShown({ key: shown.key, page: shown.pending });
    // The pressed button has been removed.
    ref.current?.focus();
  };
  return {
    ...polling,
    items: shown?.page.items,
    frame: { ref, pager, newer, staleSinceMs: polling.staleSinceMs, onShow },
  };
}

/** PAGED-LIST-1. After a touch, `:hover` lasts until something else is touched. */
const isPaused = (list: HTMLElement | null, rows: readonly Row[], open: string | undefined): boolean =>
  rows.length > 0 &&
  (rows.some(({ id }) => id === open) ||
    (list !== null &&
      (list.contains(document.activeElement) || list.parentElement!.querySelector(PAUSED_BY) !== null)));

/** Moving the pointer to the button does not resume the list. */
const PAUSED_BY = '.rows:hover, .newer > :hover, .newer > :focus';

/** Rows may be missing from the newer page too; then older ones have moved up. */
function newerIn(page: readonly Row[], shown: readonly Row[]): number {
  const known = new Set(shown.map(({ id }) => id));
  return page.filter((row) => !known.has(row.id) && row.stored_at >= (shown[0]?.stored_at ?? '')).length;
}

interface FrameProps {
  readonly label: string;
  readonly frame: Frame;
  readonly children: ComponentChildren;
}

/** The rows, their pages, and the number of new rows: its space is reserved, so that no row moves when it appears. */
export const ListFrame = ({ label, frame: { ref, pager, newer, staleSinceMs, onShow }, children }: FrameProps) => (
  <>
    <div class="newer" aria-live="polite">
      {staleSinceMs !== undefined && <StaleSince atMs={staleSinceMs} />}
      {newer > 0 && (
        <button type="button" onClick={onShow}>
          {newer}
          {newer < PAGE_SIZE ? '' : ' or more'} new: show them
        </button>
      )}
    </div>
    <div
      class={staleSinceMs === undefined ? 'rows' : 'rows is-stale'}
      role="group"
      aria-label={label}
      tabIndex={-1}
      ref={ref}
    >
      {children}
      <PagerButtons pager={pager} />
    </div>
  </>
);

/** Not `disabled`: a disabled button loses the focus. */
function PagerButtons({ pager: { page, onNewer, onOlder, isTurning } }: { readonly pager: Pager }) {
  if (onNewer === undefined && onOlder === undefined && !isTurning) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" class="quiet" aria-disabled={onNewer === undefined} onClick={onNewer}>
        <span class="turned">
          <Icon name="chevron" />
        </span>
        Newer
      </button>
      <span aria-live="polite">Page {page}</span>
      <button type="button" class="quiet" aria-disabled={onOlder === undefined} onClick={onOlder}>
        Older
        <Icon name="chevron" />
      </button>
    </nav>
  );
}
