/** The façade's view of the item catalogue, and how titles get into lists (composition). */
import { type CatalogueReader, catalogueReader } from '../../actors/catalogue.js';
import { BETWEEN_CATEGORIES } from '../../actors/maths/main-category.js';
import type { CatalogueItem, ItemCatalogue, UnknownItem } from '../../connectors/facade/ports.js';
import { reactionOf } from '../contract/errors.js';
import type { Host } from '../shards/host.js';
import { readersOf } from './view-readers.js';
import { CATALOGUE_STAGE } from './shards.js';

/** Each report of new titles makes all subscribers check their lists: at most so often. */
const REPORT_EVERY_MS = 1_000;

/** Fields of the catalogue that lists show. */
export type Named = Partial<Pick<CatalogueItem, 'title' | 'brand' | 'price'>>;

interface Shown {
  readonly revision: number;
  readonly plain: object;
  readonly explained: object;
}

export class Catalogue implements ItemCatalogue {
  private reported = 0;
  private readonly readers: ReturnType<typeof readersOf<CatalogueReader>>;
  private timer: NodeJS.Timeout | undefined;
  /** By list: the objects that represent it while the catalogue has this revision. */
  private readonly shown = new WeakMap<object, Shown>();

  /** `onChange`: called when lists may show new titles. */
  constructor(
    host: () => Host,
    private readonly onChange: () => void,
  ) {
    this.readers = readersOf(host, CATALOGUE_STAGE, ({ instance }) => catalogueReader(instance.states()));
  }

  get revision(): number {
    return this.readers(0).reader.revision();
  }

  get(itemId: string): CatalogueItem | undefined {
    const entry = this.readers(0).reader.get(itemId);
    if (entry === undefined) return undefined;
    const { title, category, brand, price, tags, updatedAtMs } = entry;
    return { itemId, title, category, brand, price, tags: tags?.split(BETWEEN_CATEGORIES), updatedAtMs };
  }

  /** Its id, if it has none. */
  titleOf(itemId: string): string {
    return this.readerIfAny()?.get(itemId)?.title ?? itemId;
  }

  unknown(): readonly UnknownItem[] {
    return this.readers(0)
      .reader.unknown()
      .map(({ item: itemId, events, timeMs: lastEventMs }) => ({ itemId, events, lastEventMs }));
  }

  /** The items of a list, with their titles. A list does not wait for the catalogue: while that is being restored, titles are missing. */
  named<T extends { readonly itemId: string } & Named>(items: readonly T[]): readonly (T & Named)[] {
    const reader = this.readerIfAny();
    if (reader === undefined) return items;
    return items.map((item) => {
      const entry = reader.get(item.itemId);
      if (entry === undefined) return item;
      return { ...item, title: entry.title, brand: entry.brand ?? item.brand, price: entry.price ?? item.price };
    });
  }

  /** The same objects while the list and the titles of all items are unchanged (an average price may be older): one for the plain list, one for the list with reasons. */
  sameAs(list: object): Pick<Shown, 'plain' | 'explained'> {
    const revision = this.readerIfAny()?.revision() ?? 0;
    let same = this.shown.get(list);
    if (same?.revision !== revision) this.shown.set(list, (same = { revision, plain: {}, explained: {} }));
    return same;
  }

  /** The revision for subscribers of lists. It changes with each report; between reports it is read on demand, since a restart is not reported. */
  get reportedRevision(): number {
    if (this.timer === undefined) this.reported = this.readerIfAny()?.revision() ?? 0;
    return this.reported;
  }

  /** Called after the view has processed an input. */
  changed(): void {
    const before = this.reported;
    if (this.timer !== undefined || this.reportedRevision === before) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.changed();
    }, REPORT_EVERY_MS).unref();
    this.onChange();
  }

  /** `undefined` also if nothing was ever published: then no lookup is needed. */
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
