/**
 * Lists are made when they are asked for. The oracle is the eager join: popularity-join and fallback, which write the list of a user anew. They are fed
 * with what the log has for the view, message by message; behind each, every user's answer must be what they would write of the same interests and top
 * lists, whoever acted last.
 */
import assert from 'node:assert/strict';
import { answer } from '../../actors/candidates/answer.js';
import { fallback } from '../../actors/fallback.js';
import { LIST_MAX, RECOMMENDATION_TYPES } from '../../actors/model.js';
import { popularityJoin } from '../../actors/popularity-join.js';
import { recommendationReader, type ViewReader } from '../../actors/recommendations.js';
import { filtersOf } from '../../runtime/contract/streams.js';
import { matches } from '../support/memory-log.js';
import { StageDriver } from '../support/stage-driver.js';
import type { PlainRow } from '../support/topology-driver.js';
import { groupedBy } from '../runtime/actor/grouped.js';
import type { SimulatedRun } from './job.js';
import { messagesSaid } from './rows-said.js';

const VIEW = 'recommendations';

/** `live`: of the view's instance that has lived through the faults. Gives how many lists were personal in the end. */
export function checkEagerLists(world: SimulatedRun, partition: number, live: ViewReader): number {
  const { topology } = world.job;
  const filters = filtersOf(topology, VIEW, partition);
  const view = new StageDriver(topology.stage(VIEW), partition);
  const reader = recommendationReader(view.instance.states());
  const eager = new EagerLists();
  for (const { subject, input, rows } of messagesSaid(world, VIEW)) {
    if (rows.length === 0 || !filters.some((one) => matches(one, subject))) continue;
    view.feed(input!, rows);
    if (input === 'popular') eager.takeLists(rows);
    else if (input === 'interests') eager.takeInterests(rows);
    else continue;
    for (const [user, list] of eager.lists()) {
      assert.deepEqual(answered(reader, user), list, `the answer of ${user} behind ${subject}`);
    }
  }
  const last = eager.lists();
  for (const [user, list] of last) assert.deepEqual(answered(live, user), list, `the answer of ${user}`);
  return last.filter(([, [first]]) => first?.[4] === RECOMMENDATION_TYPES[0]).length;
}

type Line = readonly [item: unknown, rank: unknown, score: unknown, category: unknown, type: string];

function answered(reader: ViewReader, user: string): Line[] {
  const { items } = answer(reader, { user, limit: LIST_MAX, excludeSeen: false, explain: false });
  return items.map(({ itemId, rank, score, category, type }) => [itemId, rank, score, category, type]);
}

class EagerLists {
  private readonly join = new StageDriver(popularityJoin({ listSize: LIST_MAX }));
  private readonly fill = new StageDriver(fallback({ listSize: LIST_MAX }));
  /** The latest rows of each user. */
  private readonly interests = new Map<string, readonly PlainRow[]>();

  takeLists(rows: readonly PlainRow[]): void {
    this.join.feed('lists', rows);
    this.fill.feed('lists', rows);
  }

  takeInterests(rows: readonly PlainRow[]): void {
    for (const [user, own] of Object.entries(groupedBy(rows, ({ user: name }) => String(name)))) {
      this.interests.set(user, own);
    }
  }

  lists(): (readonly [user: string, list: readonly Line[]])[] {
    return [...this.interests].map(([user, own]) => {
      const joined = this.join.feed('interests', own).rows['rows'] ?? [];
      const rows = this.fill.feed('ranked', joined).rows['rows'] ?? [];
      const written = rows.filter(({ item }) => item !== undefined);
      return [
        user,
        written.map(({ item, rank, score, category, kind }): Line => {
          return [item, rank, score, category, RECOMMENDATION_TYPES[kind as number]!];
        }),
      ];
    });
  }
}
