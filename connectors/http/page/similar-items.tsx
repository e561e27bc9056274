/** What is similar to an item, in a dialog: asked for from any list. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SimilarItems } from './answers.js';
import { FaultNotice, Spinner } from './panel.js';
import { faultOf, getJson, type RequestFault } from './server.js';
import { SharedValue, useSharedValue } from './shared-value.js';
import { figure } from './wording.js';

type Item = { readonly item_id: string; readonly title?: string };

const N = 10;
const chosen = new SharedValue<Item | undefined>(undefined);

export const SimilarButton = ({ item }: { readonly item: Item }) => (
  <button
    type="button"
    class="link"
    aria-label={`Similar to ${item.title ?? item.item_id}`}
    onClick={() => {
      chosen.set({ ...item });
    }}
  >
    similar
  </button>
);

export function SimilarDialog() {
  const item = useSharedValue(chosen);
  const dialog = useRef<HTMLDialogElement>(null);
  const [{ items, fault }, setShown] = useState<{ items?: SimilarItems['items']; fault?: RequestFault }>({});
  useEffect(() => {
    if (item === undefined) return undefined;
    const abort = new AbortController();
    setShown({});
    dialog.current!.showModal();
    getJson<SimilarItems>(`/items/${encodeURIComponent(item.item_id)}/similar?n=${N}`, { signal: abort.signal }).then(
      ({ items: found }) => setShown({ items: found }),
      (error: unknown) => {
        if (!abort.signal.aborted) setShown({ fault: faultOf(error) });
      },
    );
    return () => abort.abort();
  }, [item]);
  return (
    <dialog ref={dialog} aria-labelledby="similar-title" onClose={() => chosen.set(undefined)}>
      <h2 id="similar-title">Similar to {item?.title ?? item?.item_id}</h2>
      {fault !== undefined && <FaultNotice fault={fault} />}
      {items === undefined && fault === undefined && <Spinner />}
      {items?.length === 0 && <p class="nothing">Nobody has seen it together with another item yet.</p>}
      {items !== undefined && items.length > 0 && (
        <ol>
          {items.map(({ item_id: id, title, category, score }) => (
            <li key={id}>
              <span class="title">{title ?? id}</span>
              <div class="sub">
                <code>{id}</code> {category} · {figure(score)}
              </div>
            </li>
          ))}
        </ol>
      )}
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
