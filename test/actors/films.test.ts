/**
 * Films: views, clicks and ratings, no purchases, through the whole live pipeline with its default settings. Everybody gets a list; genres come with the
 * events, or from the catalogue.
 */
import { expect, it } from 'vitest';
import { answer } from '../../actors/candidates/answer.js';
import { RECOMMENDATION_TYPES } from '../../actors/model.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology } from '../../actors/topology.js';
import { trendingReader } from '../../actors/trending-lists.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { partitionOf } from '../../runtime/contract/stage.js';
import { TopologyDriver } from '../support/topology-driver.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
const TOPOLOGY = mainTopology(pipelineOptions(config));
const START = Date.UTC(2026, 0, 1);
const GENRES = ['drama', 'comedy', 'crime'] as const;
/** Each of the films has one genre; everybody prefers one. */
const film = (genre: number, n: number) => ({ item_id: `f${genre}-${n}`, category_code: GENRES[genre] });

const EVENTS = Array.from({ length: 600 }, (_, i) => {
  const [user, genre] = [i % 30, i % 3];
  const at = new Date(START + i * 1_000).toISOString();
  const of = { event_id: `e${i}`, event_time: at, user_id: `u${user}`, ...film(genre, (i * 7) % 5) };
  const kind = i % 4 === 0 ? 'rating' : i % 4 === 1 ? 'click' : 'view';
  return { ...of, event_type: kind, ...(kind === 'rating' ? { rating: (i % 10) / 2 + 0.5 } : {}) };
});

it('films without purchases have lists, for users known and unknown', () => {
  const driver = new TopologyDriver(TOPOLOGY);
  EVENTS.forEach((event, i) => {
    driver.nowMs = START + i * 1_000;
    driver.publish({ data: JSON.stringify(event), user: event.user_id });
    driver.tick(driver.nowMs + 500);
  });
  const ask = (user: string) => {
    const view = driver.processor('recommendations', partitionOf(user, TOPOLOGY.count('recommendations')));
    const reader = recommendationReader(view.instance.states());
    return answer(reader, { user, limit: 10, excludeSeen: false, explain: false }).items;
  };
  for (const user of new Set(EVENTS.map(({ user_id }) => user_id))) {
    const items = ask(user);
    expect(items.length, user).toBeGreaterThan(0);
    expect(items[0], user).toMatchObject({
      type: RECOMMENDATION_TYPES[0],
      category: GENRES[Number(user.slice(1)) % 3],
    });
  }
  const unknown = ask('nobody');
  expect(unknown).toHaveLength(10);
  expect(new Set(unknown.map(({ type }) => type))).toEqual(new Set([RECOMMENDATION_TYPES[1]]));
  expect(new Set(unknown.map(({ category }) => category))).toEqual(new Set(GENRES));
});

/** As in MovieLens: titles, and genres in one text. */
const FILMS = [
  { movieId: 1, title: 'Toy Story (1995)', genres: 'Adventure|Animation|Children|Comedy|Fantasy' },
  { movieId: 2, title: 'Jumanji (1995)', genres: 'Adventure|Children|Fantasy' },
  { movieId: 6, title: 'Heat (1995)', genres: 'Action|Crime|Thriller' },
  { movieId: 29, title: 'City of Lost Children, The (1995)', genres: 'Adventure|Drama|Fantasy|Mystery|Sci-Fi' },
  { movieId: 32, title: 'Twelve Monkeys (1995)', genres: 'Mystery|Sci-Fi|Thriller' },
  { movieId: 904, title: 'Rear Window (1954)', genres: ['Mystery', 'Thriller'] },
  { movieId: 930, title: 'Notorious (1946)', genres: 'Film-Noir|Romance|Thriller' },
  { movieId: 114335, title: 'La cravate (1957)', genres: '(no genres listed)' },
];
const genresOf = (item: string): readonly string[] => {
  const { genres } = FILMS.find(({ movieId }) => String(movieId) === item)!;
  return (typeof genres === 'string' ? genres.split('|') : genres).filter((genre) => !genre.startsWith('('));
};
const ALL_GENRES = [...new Set(FILMS.flatMap(({ movieId }) => genresOf(String(movieId))))];

it('genres of the catalogue reach lists, answers and trending, of events that have none', () => {
  const driver = new TopologyDriver(TOPOLOGY);
  driver.publishItems(...FILMS);
  for (let i = 0; i < 160; i++) {
    driver.nowMs = START + i * 1_000;
    const user = `u${i % 20}`;
    const { movieId } = FILMS[(i * 3 + Math.floor(i / 20)) % FILMS.length]!;
    const of = { event_id: `e${i}`, event_ts: new Date(driver.nowMs).toISOString(), user_id: user, movie_id: movieId };
    const more = i % 3 === 0 ? { event_type: 'rating', rating: 4 } : { event_type: i % 3 === 1 ? 'view' : 'click' };
    driver.publish({ data: JSON.stringify({ ...of, ...more }), user });
    if (i % 8 === 7) driver.tick(driver.nowMs + 500);
  }
  const ask = (user: string, category?: string) => {
    const view = driver.processor('recommendations', partitionOf(user, TOPOLOGY.count('recommendations')));
    const reader = recommendationReader(view.instance.states());
    return answer(reader, { user, category, limit: 10, excludeSeen: false, explain: true }).items;
  };
  for (const user of ['u0', 'u7', 'u19']) {
    const items = ask(user);
    expect(items.length, user).toBeGreaterThan(0);
    expect(new Set(items.map(({ itemId }) => itemId)).size, 'each film once').toBe(items.length);
    expect(items.map(({ rank }) => rank)).toEqual(items.map((_, i) => i + 1));
    for (const { itemId, category, type } of items) {
      expect(type).toBe(RECOMMENDATION_TYPES[0]);
      expect(genresOf(itemId)).toContain(category);
    }
  }
  for (const genre of ALL_GENRES) {
    const films = FILMS.map(({ movieId }) => String(movieId)).filter((item) => genresOf(item).includes(genre));
    for (const user of ['u0', 'nobody']) {
      const items = ask(user, genre);
      expect(items.map(({ itemId }) => itemId).sort(), `${genre} for ${user}`).toEqual([...films].sort());
      expect(new Set(items.map(({ category }) => category))).toEqual(new Set([genre]));
    }
    const reader = trendingReader(driver.processor('trending-lists', 0).instance.states());
    const { list } = reader('hour', 'score', genre);
    expect(list.map(({ item }) => item).sort(), `trending in ${genre}`).toEqual([...films].sort());
  }
  expect(ask('nobody')).toHaveLength(FILMS.length);
});
