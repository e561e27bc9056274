/**
 * catalogue: the view in which the façade looks up titles and other facts of items.
 *
 *   item(i) = the latest message about i      all of it: an item that is published again replaces what was known; a deleted one is removed
 *
 * It publishes nothing; `catalogueReader` reads its state, synchronously, between two inputs. What changes nothing (a catalogue that is published again each
 * night) leaves the revision as it is, so that what was derived from it stays valid.
 *
 * State    per item some hundred bytes, loaded when first asked for; the revision: how many items were changed, one after the other.
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
  /** The same for as long as no item has changed, and on all nodes; 0: none was ever known. */
  revision(): number;
  /** How many items are known. */
  count(): number;
}

export const catalogueReader = readerOf(state, ({ items, revision, count }): CatalogueReader => ({
  get: (item) => items.get(item),
  revision: () => revision.get(),
  count: () => count.get(),
}));
