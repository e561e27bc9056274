/**
 * Events of live tests, by seed, made so that the lists in the end do not depend on what is stored before what: all that decides the
 * popularity, all that decides the interests, and a last view of each user, for when all else is counted. Some are published twice, and some
 * are a day old, of users whose lists nobody looks at: those among the last ones are late, those before may share an epoch with the first events.
 */
import { seededRandom } from '../../actors/maths/random.js';
import type { Event } from './stubborn-publisher.js';

export interface LiveEvents {
  readonly users: readonly string[];
  readonly purchases: readonly Event[];
  readonly views: readonly Event[];
  readonly last: readonly Event[];
  /** Of the views: refused by parse. */
  readonly bad: number;
  /** Of the views: a second time, with the same id. */
  readonly repeated: number;
  /** Of the last ones: of a window that was closed long ago. */
  readonly late: number;
  /** Purchases and views that are neither bad nor repeated. */
  readonly good: number;
}

const CATEGORIES = ['audio', 'shoes', 'chairs', 'lamps', 'books'];
/** The categories of ten views of a user, counted from their favourite: no two are liked nearly as much. */
const TASTE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
const BAD_EVERY = 37;
const REPEATED_EVERY = 29;
/** So many views lie between an event and its repetition. */
const REPEATED_AFTER = 40;
const OLD_EVERY = 50;
const OLD_BY_MS = 24 * 3_600_000;
const LATE = 14;
const ITEMS = 50;
const START_MS = Date.UTC(2026, 0, 1, 12);
const VIEWS_AFTER_MS = 60_000;
/** All of them before the last views, and in the time that no window is closed. */
const VIEWS_OVER_MS = 180_000;

export const liveUsers = (count: number): string[] => Array.from({ length: count }, (_, i) => `user-${i}`);

const item = (n: number): Record<string, string> => ({
  item_id: `i${n}`,
  category_code: `${CATEGORIES[n % CATEGORIES.length]!}.all`,
});

export function liveEvent(
  id: string,
  type: string,
  user: string,
  more: Record<string, unknown>,
  timeMs: number,
): Event {
  const body = { event_id: id, event_type: type, event_time: new Date(timeMs).toISOString(), user_id: user, ...more };
  return { subject: `rivulet.events.${type}.${user}`, body };
}

export function liveEvents(
  seed: number,
  { users: count, purchases: bought, views: viewed }: { users: number; purchases: number; views: number },
): LiveEvents {
  const random = seededRandom(seed);
  const users = liveUsers(count);
  const purchases = Array.from({ length: bought }, (_, i) => {
    const chosen = item(Math.floor(random() ** 2 * ITEMS));
    return liveEvent(`p${i}`, 'purchase', `buyer-${i % 7}`, { ...chosen, price: 5 }, START_MS + i * 100);
  });
  const isBad = (i: number): boolean => i % BAD_EVERY === 0;
  const once = Array.from({ length: viewed }, (_, i) => {
    const broken = isBad(i) ? { price: -1 } : {};
    const user = i % count;
    const category = (user + TASTE[Math.floor(i / count) % TASTE.length]!) % CATEGORIES.length;
    const chosen = item(category + CATEGORIES.length * Math.floor(random() * 10));
    const timeMs = START_MS + VIEWS_AFTER_MS + Math.floor((i / viewed) * VIEWS_OVER_MS);
    return liveEvent(`v${i}`, 'view', users[user]!, { ...chosen, ...broken }, timeMs);
  });
  const again = (i: number): Event[] =>
    i % REPEATED_EVERY === 0 && i >= REPEATED_AFTER && !isBad(i - REPEATED_AFTER) ? [once[i - REPEATED_AFTER]!] : [];
  const old = (id: string, i: number): Event =>
    liveEvent(id, 'view', `latecomer-${i % 7}`, item(0), START_MS - OLD_BY_MS);
  const repeats = once.map((_, i) => again(i));
  const views = once.flatMap((view, i) => [view, ...repeats[i]!, ...(i % OLD_EVERY === 0 ? [old(`o${i}`, i)] : [])]);
  const late = Array.from({ length: LATE }, (_, i) => old(`late-${i}`, i));
  const own = users.map((name, i) => liveEvent(`l${i}`, 'view', name, item(i), START_MS + 300_000));
  const last = [...own, ...late];
  const bad = Math.ceil(viewed / BAD_EVERY);
  const repeated = repeats.flat().length;
  const good = bought + views.length - repeated - bad;
  return { users, purchases, views, last, bad, repeated, late: LATE, good };
}
