/**
 * films: a film service's titles, and what its viewers do: open a film's page, click to play it, rate what they have seen. Nobody buys anything.
 *
 * Items and events have the fields of MovieLens: movie_id, "Title (Year)", genres joined by `|`; event_ts, no category, no price. Viewers' tastes change:
 * now and then one of their genres is replaced.
 */
import type { Random } from '../../../actors/maths/random.js';
import { type DemoItem, pick } from './catalogue.js';
import {
  type Action,
  type Luck,
  type Simulation,
  simulation,
  type SimulationOptions,
  type Visit,
  type World,
} from './simulation.js';

export interface Film extends DemoItem {
  readonly title: string;
  /** What it is rated on average by viewers who like its genres. */
  readonly quality: number;
}

/** How many films of MovieLens (latest-small) have each genre. */
const GENRES: Readonly<Record<string, number>> = {
  ...{ Action: 1828, Adventure: 1263, Animation: 611, Children: 664, Comedy: 3756, Crime: 1199, Documentary: 440 },
  ...{ Drama: 4361, Fantasy: 779, 'Film-Noir': 87, Horror: 978, Musical: 334, Mystery: 573, Romance: 1596 },
  ...{ 'Sci-Fi': 980, Thriller: 1894, War: 382, Western: 167 },
};
const GENRE_NAMES = Object.keys(GENRES);
/** Shares of films with at most 1, 2 … genres, of the same. */
const GENRES_PER_FILM = [0.29, 0.62, 0.86, 0.96];

const ADJECTIVES = ['Silent', 'Last', 'Broken', 'Golden', 'Hidden', 'Crimson', 'Distant', 'Electric', 'Forgotten', 'Lonely', 'Midnight', 'Paper', 'Wild', 'Second', 'Burning', 'Frozen']; // prettier-ignore
const NOUNS = ['Harbor', 'Letter', 'Road', 'Summer', 'Garden', 'Witness', 'Island', 'Orchestra', 'River', 'Station', 'Winter', 'Stranger', 'Promise', 'Machine', 'Kingdom', 'Mountain', 'Shadow', 'Daughter']; // prettier-ignore
const FIRST_YEAR = 1940;
const YEARS = 86;
/** Above 1: most films are of late years. */
const RECENT = 2.5;

function stock(random: Random, count: number): Film[] {
  const titles = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    const groups = genres(random);
    const quality = 3 + 1.6 * random() * random() + 0.4 * random();
    const year = FIRST_YEAR + Math.floor((1 - random() ** RECENT) * YEARS);
    const name = titleFrom(random);
    let title = `${name} (${year})`;
    for (let part = 2; titles.has(title); part++) title = `${name} ${part} (${year})`;
    titles.add(title);
    return { id: String(i + 1), groups, title, quality };
  });
}

function titleFrom(random: Random): string {
  const [adjective, noun] = [pick(random, ADJECTIVES), pick(random, NOUNS)];
  const form = random();
  if (form < 0.4) return `The ${adjective} ${noun}`;
  if (form < 0.7) return `${adjective} ${noun}`;
  return form < 0.85 ? `${noun} of the ${pick(random, NOUNS)}` : `The ${noun} and the ${pick(random, NOUNS)}`;
}

/** In the order of the alphabet, as in MovieLens. */
function genres(random: Random): string[] {
  const roll = random();
  const at = GENRES_PER_FILM.findIndex((bound) => roll < bound);
  const count = at < 0 ? GENRES_PER_FILM.length + 1 : at + 1;
  const chosen = new Set<string>();
  while (chosen.size < count) chosen.add(genre(random));
  return [...chosen].sort();
}

const GENRES_TOTAL = Object.values(GENRES).reduce((sum, films) => sum + films, 0);

function genre(random: Random): string {
  let rest = random() * GENRES_TOTAL;
  return GENRE_NAMES.find((name) => (rest -= GENRES[name]!) < 0) ?? GENRE_NAMES[0]!;
}

interface FilmVisit extends Visit<Film> {
  readonly device: string;
  /** Played, and not rated. */
  readonly seen: Film[];
}

const DEVICES = ['tv', 'tv', 'phone', 'phone', 'tablet', 'desktop'];
const REVIEWS = ['Loved it.', 'Too long.', 'Better than I thought.', 'Would watch again.'];

const TO_PLAY = 0.3;
const TO_RATING = 0.45;
const TO_REVIEW = 0.1;
const TO_CLICK = 0.15;
const LEAVES = 0.09;
const TASTE_CHANGES = 0.15;

function act(visit: FilmVisit, { random, happens, nextItem }: Luck<Film>): Action<Film> {
  const { viewed, clicked, seen, visitor } = visit;
  if (clicked !== undefined) {
    visit.viewed = clicked;
    visit.clicked = undefined;
    return view(visit, clicked);
  }
  if (seen.length > 0 && happens(TO_RATING)) {
    const item = seen.shift()!;
    const rating = ratingOf(item, visitor.tastes, random);
    return {
      type: 'rating',
      item,
      more: { rating, review_text: happens(TO_REVIEW) ? pick(random, REVIEWS) : undefined },
    };
  }
  if (viewed !== undefined && !seen.includes(viewed) && happens(TO_PLAY)) {
    seen.push(viewed);
    return { type: 'click', item: viewed, more: { click_type: 'play', referrer: pageOf(viewed) } };
  }
  const item = nextItem(visit);
  if (happens(TO_CLICK)) {
    visit.clicked = item;
    return { type: 'click', item, more: { click_type: 'details', referrer: '/' } };
  }
  visit.viewed = item;
  return view(visit, item);
}

const pageOf = ({ id }: Film): string => `/films/${id}`;

const view = ({ device }: FilmVisit, item: Film): Action<Film> => ({
  type: 'view',
  item,
  more: { page_url: pageOf(item), device_type: device },
});

/** In half steps: the film's quality, less what it is not to the viewer's taste, and chance. */
function ratingOf({ quality, groups }: Film, tastes: readonly string[], random: Random): number {
  const dislike = groups.some((one) => tastes.includes(one)) ? 0 : 0.8;
  const chance = (random() + random() - 1) * 1.5;
  return Math.min(5, Math.max(0.5, Math.round((quality - dislike + chance) * 2) / 2));
}

/** A UUID that no other event has: of the run's start, its seed, and the number of the event. */
function uuidOf(seed: number, startedMs: number, number: number): string {
  const [time, run, event] = [Math.round(startedMs), seed, number].map((part) => part.toString(16).padStart(12, '0'));
  return `${time!.slice(0, 8)}-${time!.slice(8)}-8${run!.slice(-3)}-8${run!.slice(-6, -3)}-${event!}`;
}

const FILMS: World<Film, FilmVisit> = {
  groups: GENRE_NAMES,
  stock,
  published: ({ id: movie_id, title, groups }) => ({ movie_id, title, genres: groups.join('|') }),
  userId: (number) => String(number + 1),
  tasteChanges: TASTE_CHANGES,
  visit: (begun, { random }) => ({ ...begun, device: pick(random, DEVICES), seen: [] }),
  act,
  leaves: () => LEAVES,
  fields: ({ id, visitor }, { type, item, more, seed, startedMs, number, timeMs }) => ({
    event_id: uuidOf(seed, startedMs, number),
    event_type: type,
    event_ts: new Date(Math.floor(timeMs)).toISOString(),
    user_id: visitor.id,
    movie_id: item.id,
    session_id: id,
    ...more,
  }),
  faults: ['missing_field', 'rating_too_high', 'bad_time', 'not_json', 'unknown_type'],
  // Without a type an event with a movie_id would be a rating.
  requiredFields: ['event_ts', 'user_id', 'movie_id'],
  timeField: 'event_ts',
};

export const createFilms = (options: SimulationOptions): Simulation<Film> => simulation(FILMS, options);
