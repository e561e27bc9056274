/** shop: a shop's items, and what its visitors do: view, click, put into the cart, buy and rate. */
import type { Random } from '../../../actors/maths/random.js';
import { type DemoItem, pick } from './catalogue.js';
import {
  type Action,
  type Luck,
  runOf,
  type Simulation,
  simulation,
  type SimulationOptions,
  type Visit,
  type World,
} from './simulation.js';

export interface Item extends DemoItem {
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

const MAIN_CATEGORIES = Object.keys(SHELVES);

const WITHOUT_CATEGORY = 0.03;
const WITHOUT_BRAND = 0.06;

function stock(random: Random, count: number): Item[] {
  return Array.from({ length: count }, (_, i) => {
    const main = pick(random, MAIN_CATEGORIES);
    const shelf = SHELVES[main]!;
    const category = random() < WITHOUT_CATEGORY ? undefined : `${main}.${pick(random, shelf.subs)}`;
    const brand = random() < WITHOUT_BRAND ? undefined : pick(random, shelf.brands);
    const price = Math.max(1, Math.round(shelf.price * Math.exp((random() + random() - 1) * 1.6) * 100) / 100);
    return { id: `item-${String(i).padStart(4, '0')}`, main, groups: [main], category, brand, price };
  });
}

interface ShopVisit extends Visit<Item> {
  readonly cart: Item[];
  readonly bought: Item[];
}

const TO_CART = 0.13;
const TO_PURCHASE = 0.15;
const TO_REMOVE = 0.05;
const TO_RATING = 0.08;
const TO_CLICK = 0.12;
const LEAVES = 0.1;
const LEAVES_CART = 0.04;

function act(visit: ShopVisit, { random, happens, nextItem }: Luck<Item>): Action<Item> {
  const { viewed, clicked, cart, bought } = visit;
  if (clicked !== undefined) {
    visit.viewed = clicked;
    visit.clicked = undefined;
    return { type: 'view', item: clicked };
  }
  if (viewed !== undefined && !cart.includes(viewed) && !bought.includes(viewed) && happens(TO_CART)) {
    cart.push(viewed);
    return { type: 'cart', item: viewed };
  }
  if (cart.length > 0 && happens(TO_PURCHASE)) {
    const item = cart.shift()!;
    bought.push(item);
    return { type: 'purchase', item };
  }
  if (cart.length > 0 && happens(TO_REMOVE)) return { type: 'remove_from_cart', item: cart.pop()! };
  if (bought.length > 0 && happens(TO_RATING)) {
    const rating = Math.max(0.5, Math.round((5 - 4 * random() * random()) * 2) / 2);
    return { type: 'rating', item: pick(random, bought), more: { rating } };
  }
  const item = nextItem(visit);
  if (happens(TO_CLICK)) {
    visit.clicked = item;
    return { type: 'click', item };
  }
  visit.viewed = item;
  return { type: 'view', item };
}

const SHOP: World<Item, ShopVisit> = {
  groups: MAIN_CATEGORIES,
  stock,
  published: (item) => {
    const { id: item_id, category, brand, price } = item;
    return { item_id, title: titleOf(item), category, brand, price };
  },
  userId: (number) => `user-${String(number).padStart(4, '0')}`,
  tasteChanges: 0,
  visit: (begun) => ({ ...begun, cart: [], bought: [] }),
  act,
  leaves: ({ cart }) => (cart.length > 0 ? LEAVES_CART : LEAVES),
  fields: ({ id, visitor }, { type, item, more, seed, startedMs, number, timeMs }) => ({
    event_id: `${runOf(seed, startedMs)}-${number}`,
    event_type: type,
    event_time: new Date(Math.floor(timeMs)).toISOString(),
    user_id: visitor.id,
    item_id: item.id,
    category_code: item.category,
    brand: item.brand,
    price: item.price,
    session_id: id,
    ...more,
  }),
  faults: ['missing_field', 'negative_price', 'rating_too_high', 'bad_time', 'not_json', 'unknown_type'],
  requiredFields: ['event_type', 'event_time', 'user_id', 'item_id'],
  timeField: 'event_time',
};

export const createShop = (options: SimulationOptions): Simulation<Item> => simulation(SHOP, options);
