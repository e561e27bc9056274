/**
 * catalogue: the view from which the façade reads titles and other facts of items.
 *
 *   item(i) = the latest message about i      complete: an item that is published again replaces the old entry; a deleted one is removed
 *
 * It publishes nothing; `catalogueReader` reads its state, synchronously, between two inputs. A message without a change (a catalogue that is published
 * again each night) does not change the revision, so that values derived from it stay valid.
 *
 * State    per item some hundred bytes, loaded at the first access; the revision: the number of changes of items so far.
 * Restart  restored with the snapshot; items that arrived since are replayed from the mailbox.
 */
import { input, json, keyed, readerOf, stage, value } from '../runtime/contract/stage.js';
import { catalogueItems } from './model.js';
import { type CatalogueEntry, keepItems } from './operators/keep-items.js';

const only = <T>([one]: readonly T[]): T => one!;

const state = {
  items: keyed(json<CatalogueEntry>(), { rescale: 'byKey' }),
  revision: value(() => 0, undefined, only),
  count: value(() => 0, undefined, only),
};

export const catalogue = () =>
  stage({
    id: 'catalogue',
    version: 1,
    key: 'whole',
    inputs: { items: input(catalogueItems) },
    outputs: {},
    state,
    pipeline: ({ inputs, state }) => inputs.items.pipe(keepItems(state)),
  });

export interface CatalogueReader {
  get(item: string): CatalogueEntry | undefined;
  /** Unchanged for as long as no item changes, and the same on all nodes; 0: there has never been an item. */
  revision(): number;
  /** The number of items. */
  count(): number;
}

export const catalogueReader = readerOf(state, ({ items, revision, count }): CatalogueReader => ({
  get: (item) => items.get(item),
  revision: () => revision.get(),
  count: () => count.get(),
}));
