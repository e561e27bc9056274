/**
 * The items of the demo's shop, and their popularity.
 *
 *   w(i) → 1 / rank(i)^ZIPF        weight of item i; it moves a tenth of the way to this every DRIFT_EVERY_MS
 *
 * Ranks change: now and then a rarely bought item becomes a hit, and all items below it lose one rank. So hits rise and fade over minutes.
 */

/** A number in [0, 1). */
export type Random = () => number;

/** mulberry32: small, fast, and deterministic for a seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

export interface Item {
  readonly id: string;
  readonly main: string;
  /** `main.sub`; a few items have none, as in real catalogues. */
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number;
}

/** The title, derived from the item, so that it is the same in each run. */
export function titleOf({ id, main, category, brand }: Item): string {
  const kind = (category?.slice(main.length + 1) ?? main).replace('_', ' ');
  const name = `${kind[0]!.toUpperCase()}${kind.slice(1)} ${Number(id.slice(id.lastIndexOf('-') + 1)) + 100}`;
  return brand === undefined ? name : `${brand[0]!.toUpperCase()}${brand.slice(1)} ${name}`;
}

interface Shelf {
  readonly subs: readonly string[];
  readonly brands: readonly string[];
  /** The median price. */
  readonly price: number;
}

const SHELVES: Readonly<Record<string, Shelf>> = {
  electronics: {
    subs: ['smartphone', 'audio', 'tablet', 'video'],
    brands: ['samsung', 'apple', 'xiaomi', 'sony'],
    price: 180,
  },
  appliances: { subs: ['kitchen', 'environment', 'personal'], brands: ['bosch', 'philips', 'lg', 'tefal'], price: 120 },
  computers: {
    subs: ['notebook', 'peripherals', 'components'],
    brands: ['lenovo', 'asus', 'logitech', 'acer'],
    price: 250,
  },
  apparel: { subs: ['shoes', 'shirt', 'jeans', 'costume'], brands: ['nike', 'adidas', 'levis', 'columbia'], price: 55 },
  furniture: { subs: ['living_room', 'bedroom', 'kitchen'], brands: ['brw', 'sokolov', 'hoff'], price: 140 },
  kids: { subs: ['toys', 'carriage', 'dolls'], brands: ['lego', 'hasbro', 'chicco'], price: 35 },
  sport: { subs: ['bicycle', 'ski', 'tennis'], brands: ['stels', 'fischer', 'head'], price: 90 },
  accessories: { subs: ['bag', 'wallet', 'umbrella'], brands: ['fossil', 'karya', 'knirps'], price: 30 },
};

export const MAIN_CATEGORIES = Object.keys(SHELVES);

const WITHOUT_CATEGORY = 0.03;
const WITHOUT_BRAND = 0.06;

function stock(random: Random, count: number): Item[] {
  return Array.from({ length: count }, (_, i) => {
    const main = pick(random, MAIN_CATEGORIES);
    const shelf = SHELVES[main]!;
    const category = random() < WITHOUT_CATEGORY ? undefined : `${main}.${pick(random, shelf.subs)}`;
    const brand = random() < WITHOUT_BRAND ? undefined : pick(random, shelf.brands);
    const price = Math.max(1, Math.round(shelf.price * Math.exp((random() + random() - 1) * 1.6) * 100) / 100);
    return { id: `item-${String(i).padStart(4, '0')}`, main, category, brand, price };
  });
}

const ZIPF = 0.9;
const DRIFT_EVERY_MS = 5_000;
const DRIFT_PART = 0.1;
const NEW_HIT = 0.25;
/** The best rank of a new hit is drawn from this many. */
const HIT_RANKS = 15;
const EVERYTHING = '';

export class DemoCatalogue {
  readonly items: readonly Item[];
  /** Item numbers, most popular first: the targets of the weights. */
  private readonly ranking: number[];
  private readonly weights: Float64Array;
  /** By main category, and for all items: the items, and the cumulative sums of their weights. */
  private readonly shelves: readonly {
    readonly main: string;
    readonly items: readonly number[];
    readonly sums: Float64Array;
  }[];
  private driftedMs: number | undefined;

  constructor(
    private readonly random: Random,
    count: number,
  ) {
    this.items = stock(random, count);
    this.ranking = this.items.map((_, i) => i);
    this.weights = Float64Array.from(this.items, (_, i) => weightOf(i));
    this.shelves = [EVERYTHING, ...MAIN_CATEGORIES].map((main) => {
      const items = this.ranking.filter((i) => main === EVERYTHING || this.items[i]!.main === main);
      return { main, items, sums: new Float64Array(items.length) };
    });
    this.sum();
  }

  /** A random item, popular ones more often; of a main category when it is given and has items. */
  draw(main: string = EVERYTHING): Item {
    const shelf = this.shelves.find((one) => one.main === main && one.items.length > 0) ?? this.shelves[0]!;
    const { items, sums } = shelf;
    const wanted = this.random() * sums[sums.length - 1]!;
    let [low, high] = [0, items.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return this.items[items[low]!]!;
  }

  /** Moves the weights up to a time. */
  drift(timeMs: number): void {
    this.driftedMs ??= timeMs;
    if (timeMs - this.driftedMs < DRIFT_EVERY_MS) return;
    for (; timeMs - this.driftedMs >= DRIFT_EVERY_MS; this.driftedMs += DRIFT_EVERY_MS) this.step();
    this.sum();
  }

  private step(): void {
    if (this.random() < NEW_HIT) {
      const from = Math.floor(this.random() * this.ranking.length);
      const to = Math.floor(this.random() * Math.min(HIT_RANKS, this.ranking.length));
      this.ranking.splice(to, 0, ...this.ranking.splice(from, 1));
    }
    this.ranking.forEach((item, rank) => {
      this.weights[item]! += (weightOf(rank) - this.weights[item]!) * DRIFT_PART;
    });
  }

  private sum(): void {
    for (const { items, sums } of this.shelves) {
      let sum = 0;
      items.forEach((item, i) => (sums[i] = sum += this.weights[item]!));
    }
  }
}

const weightOf = (rank: number): number => 1 / (rank + 1) ** ZIPF;
