/** A list that the server gives in pages, the newest first: the first page keeps itself up to date, older ones stand still. */
import { useState } from 'preact/hooks';
import type { Page } from './answers.js';
import { Icon } from './icons.js';
import { type Polling, usePolling } from './polling.js';
import { getJson, query } from './server.js';

const PAGE_SIZE = 10;
const EVERY_MS = 5_000;
/** How far back one can go, and come forward again. */
const PAGES_MAX = 1_000;

export interface PagedList<T> extends Polling {
  readonly items: readonly T[] | undefined;
  readonly pager: Pager;
}

interface Pager {
  readonly page: number;
  readonly onNewer?: () => void;
  readonly onOlder?: () => void;
}

interface PagedOptions {
  readonly path: string;
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Someone is at work in the list: it stays as it is. */
  readonly isHeld?: boolean;
}

export function usePagedList<T>({ path, fields = {}, isHeld = false }: PagedOptions): PagedList<T> {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [shown, setShown] = useState<{ readonly key: string; readonly page: Page<T> }>();
  const address = path + query({ limit: PAGE_SIZE, cursor: cursors.at(-1), ...fields });
  const isCurrent = shown?.key === address;
  const polling = usePolling(
    async (signal) => {
      if (isCurrent && isHeld) return;
      const page = await getJson<Page<T>>(address, { signal });
      setShown({ key: address, page });
    },
    EVERY_MS,
    address,
  );
  const next = isCurrent ? shown.page.next_cursor : undefined;
  const pager: Pager = {
    page: cursors.length + 1,
    ...(cursors.length > 0 ? { onNewer: () => setCursors(cursors.slice(0, -1)) } : {}),
    ...(next !== undefined && cursors.length < PAGES_MAX ? { onOlder: () => setCursors([...cursors, next]) } : {}),
  };
  return { ...polling, items: shown?.page.items, pager };
}

export function PagerButtons({ pager: { page, onNewer, onOlder } }: { readonly pager: Pager }) {
  if (onNewer === undefined && onOlder === undefined) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" class="quiet" disabled={onNewer === undefined} onClick={onNewer}>
        <span class="turned">
          <Icon name="chevron" />
        </span>
        Newer
      </button>
      <span aria-live="polite">Page {page}</span>
      <button type="button" class="quiet" disabled={onOlder === undefined} onClick={onOlder}>
        Older
        <Icon name="chevron" />
      </button>
    </nav>
  );
}
