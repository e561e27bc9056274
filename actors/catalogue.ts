/**
 * catalogue: the view from which the façade reads titles and other facts of items.
 *
 *   item(i) = the latest message about i      complete: an item that is published again replaces the old entry; a deleted one is removed
 *
 * It publishes nothing; `catalogueReader` reads its state, synchronously, between two inputs. A message without a change (a catalogue that is published
 * again each night) does not change the revision, so that values derived from it stay valid.
 *
 * It also has the items that events are about and that it lacks, for people: the ≤ 1,000 that events were about last, until they come. How many events there were is as of
 * the reports of the watermark stages, at ticks.
 *
 * State    per item some hundred bytes, loaded at the first access; the revision: the number of changes of items so far; the unknown items.
 * Restart  restored with the snapshot; items that arrived since are replayed from the mailbox.
 */
import { merge } from 'rxjs';
import { input, json, keyed, readerOf, sideInput, stage, value } from '../runtime/contract/stage.js';
import { catalogueItems, unknownItems } from './model.js';
import { type CatalogueEntry, keepItems } from './operators/keep-items.js';
import { keepUnknown, latestFirst } from './operators/keep-unknown.js';
import { type Sightings, unknownItemsState } from './state/unknown-items.js';

const only = <T>([one]: readonly T[]): T => one!;

const state = {
  items: keyed(json<CatalogueEntry>(), { rescale: 'byKey' }),
  revision: value(() => 0, undefined, only),
  count: value(() => 0, undefined, only),
  unknown: unknownItemsState(),
};

export const catalogue = () =>
  stage({
    id: 'catalogue',
    version: 1,
    key: 'whole',
    inputs: { items: input(catalogueItems), unknown: sideInput(unknownItems) },
    outputs: {},
    state,
    pipeline: ({ inputs, state }) =>
      merge(inputs.items.pipe(keepItems(state)), inputs.unknown.pipe(keepUnknown(state))),
  });

export interface CatalogueReader {
  get(item: string): CatalogueEntry | undefined;
  /** Unchanged for as long as no item changes, and the same on all nodes; 0: there has never been an item. */
  revision(): number;
  /** The number of items. */
  count(): number;
  /** Items that events are about and that it does not have, the latest event first. */
  unknown(): readonly UnknownItem[];
}

export interface UnknownItem extends Readonly<Sightings> {
  readonly item: string;
}

export const catalogueReader = readerOf(state, ({ items, revision, count, unknown }): CatalogueReader => ({
  get: (item) => items.get(item),
  revision: () => revision.get(),
  count: () => count.get(),
  unknown: () => latestFirst(unknown.get()).map(([item, sightings]) => ({ item, ...sightings })),
}));
