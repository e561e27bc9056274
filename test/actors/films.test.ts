/** Films: views, clicks and ratings, no purchases, through the whole live pipeline with its default settings. Everybody gets a list. */
import { expect, it } from 'vitest';
import { answer } from '../../actors/candidates/answer.js';
import { RECOMMENDATION_TYPES } from '../../actors/model.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology } from '../../actors/topology.js';
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
