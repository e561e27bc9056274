/** What the façade knows of items, and how lists come to show it (composition). */
import { type CatalogueReader, catalogueReader } from '../../actors/catalogue.js';
import type { CatalogueItem, ItemCatalogue } from '../../connectors/facade/ports.js';
import { reactionOf } from '../contract/errors.js';
import type { Host } from '../shards/host.js';
import { readersOf } from './view-readers.js';
import { CATALOGUE_STAGE } from './shards.js';

/** Those who follow lists look at all of theirs each time that they are told of new titles: that is at most so often. */
const TELL_EVERY_MS = 1_000;

/** What lists show of an item, beside what they say themselves. */
export type Named = Partial<Pick<CatalogueItem, 'title' | 'brand' | 'price'>>;

interface Shown {
  readonly revision: number;
  readonly plain: object;
  readonly explained: object;
}

export class Catalogue implements ItemCatalogue {
  private told = 0;
  private readonly readers: ReturnType<typeof readersOf<CatalogueReader>>;
  private telling: NodeJS.Timeout | undefined;
  /** By list: what stands for it as long as the catalogue has this revision. */
  private readonly shown = new WeakMap<object, Shown>();

  /** `onTold`: lists may show other titles than before. */
  constructor(
    host: () => Host,
    private readonly onTold: () => void,
  ) {
    this.readers = readersOf(host, CATALOGUE_STAGE, ({ instance }) => catalogueReader(instance.states()));
  }

  get revision(): number {
    return this.readers(0).reader.revision();
  }

  get(itemId: string): CatalogueItem | undefined {
    const entry = this.readers(0).reader.get(itemId);
    if (entry === undefined) return undefined;
    const { title, category, brand, price, updatedAtMs } = entry;
    return { itemId, title, category, brand, price, updatedAtMs };
  }

  /** The items of a list, with their titles. A list need not wait for the catalogue: while that is being restored, it has none. */
  named<T extends { readonly itemId: string }>(items: readonly T[]): readonly (T & Named)[] {
    const reader = this.readerIfAny();
    if (reader === undefined) return items;
    return items.map((item) => {
      const entry = reader.get(item.itemId);
      return entry === undefined ? item : { ...item, title: entry.title, brand: entry.brand, price: entry.price };
    });
  }

  /** The same objects for as long as the list is the same and all items are called the same: one for the list as it is, one with its reasons. */
  sameAs(list: object): Pick<Shown, 'plain' | 'explained'> {
    const revision = this.readerIfAny()?.revision() ?? 0;
    let same = this.shown.get(list);
    if (same?.revision !== revision) this.shown.set(list, (same = { revision, plain: {}, explained: {} }));
    return same;
  }

  /** The revision for those who follow lists: it moves when they are told; and, since nobody tells of a restart, when it is asked for in between. */
  get toldRevision(): number {
    if (this.telling === undefined) this.told = this.readerIfAny()?.revision() ?? 0;
    return this.told;
  }

  /** The view has taken something in. */
  changed(): void {
    const before = this.told;
    if (this.telling !== undefined || this.toldRevision === before) return;
    this.telling = setTimeout(() => {
      this.telling = undefined;
      this.changed();
    }, TELL_EVERY_MS).unref();
    this.onTold();
  }

  /** `undefined` also where nothing was ever published: then there is nothing to look up. */
  private readerIfAny(): CatalogueReader | undefined {
    try {
      const { reader } = this.readers(0);
      return reader.revision() === 0 ? undefined : reader;
    } catch (error) {
      if (reactionOf(error) !== 'transient') throw error;
      return undefined;
    }
  }
}
