/** Many users in one call, and the list of one user that is followed, over real sockets. */
import { describe, expect, it } from 'vitest';
import type { CallError } from '../../connectors/grpc/client/call-error.js';
import type { Recommendations } from '../../connectors/grpc/client/client.js';
import type { Answer, RecommendationChanges, RecommendationQuery } from '../../connectors/facade/ports.js';
import { transient } from '../../runtime/contract/errors.js';
import { ANSWER, facade, failure } from '../connectors/grpc/facade.js';
import { settled, VirtualClock } from '../runtime/virtual-clock.js';
import { eventually } from '../support/eventually.js';

const answerOf = (itemId: string, asOfMs = 0): Answer => ({
  ...ANSWER,
  items: [{ ...ANSWER.items[0]!, itemId }],
  asOfMs,
});

describe('the lists of many users', () => {
  it('come in the order of the request, made for each by the same wishes', async () => {
    const asked: RecommendationQuery[] = [];
    const get = (query: RecommendationQuery): Answer | Promise<Answer> => {
      asked.push(query);
      const answer = answerOf(`for ${query.userId}`);
      return query.userId === 'b' ? Promise.resolve(answer) : answer;
    };
    const { client } = await facade({ answers: { get } });
    const wishes = { limit: 3, category: 'toys', excludeSeen: true, explain: true };
    const lists = await client.batchGetRecommendations({ userIds: ['a', 'b', 'a'], ...wishes });
    expect(lists.map(({ userId, items }) => [userId, items[0]!.itemId])).toEqual([
      ['a', 'for a'],
      ['b', 'for b'],
      ['a', 'for a'],
    ]);
    expect(asked).toEqual(['a', 'b', 'a'].map((userId) => ({ userId, ...wishes })));
  });

  it('of a hundred users come in one answer, and are more than the library would take by itself', async () => {
    const items = Array.from({ length: 100 }, (_, i) => ({
      ...ANSWER.items[0]!,
      itemId: `${i}`.padEnd(256, 'x'),
      rank: i + 1,
    }));
    const get = (): Answer => ({ ...ANSWER, items: items.map((one) => ({ ...one, reason: 'x'.repeat(200) })) });
    const { client } = await facade({ answers: { get } });
    const userIds = Array.from({ length: 100 }, (_, i) => `u${i}`);
    const lists = await client.batchGetRecommendations({ userIds, limit: 100 });
    expect(lists.map(({ userId }) => userId)).toEqual(userIds);
    expect(lists.every((list) => list.items.length === 100)).toBe(true);
  });

  it.each([
    ['no users', { userIds: [] }, ['user_ids'], /required: name 1 to 100 users/],
    ['too many', { userIds: Array<string>(101).fill('u') }, ['user_ids'], /has 101 users, must have at most 100/],
    ['an empty one', { userIds: ['a', '', 'c', ''] }, ['user_ids[1]', 'user_ids[3]'], /is required/],
    ['a control character', { userIds: ['a', 'b\n'], limit: 101 }, ['user_ids[1]', 'limit'], /0x0a|from 1 to 100/],
  ])('are refused for %s, by the place', async (_, request, fields, says) => {
    const { client } = await facade();
    const error = await failure(client.batchGetRecommendations(request));
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD' });
    expect(error.violations.map(({ field }) => field)).toEqual(fields);
    for (const { description } of error.violations) expect(description).toMatch(says);
  });

  it('are not given when one of them cannot be', async () => {
    const get = ({ userId }: RecommendationQuery): Answer | Promise<Answer> => {
      const away = transient('VIEW_RESTORING', 'partition 3 of the view is restarting');
      if (userId === 'c') throw away;
      return userId === 'b' ? Promise.reject(away) : ANSWER;
    };
    const { client, calls } = await facade({ answers: { get } });
    const error = await failure(client.batchGetRecommendations({ userIds: ['a', 'b', 'c'] }));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: 'VIEW_RESTORING', retryAfterMs: 500 });
    expect(calls).toMatchObject([{ method: 'rivulet.v1.RecommendationService/BatchGetRecommendations' }]);
  });
});

/** Lists of users in hand. */
class HandView implements RecommendationChanges {
  readonly versions = new Map<string, number>();
  readonly lists = new Map<string, Answer>();
  failure: Error | undefined;
  asked = 0;
  private readonly listeners = new Set<() => void>();

  readonly version = ({ userId }: Pick<RecommendationQuery, 'userId'>): unknown => this.versions.get(userId);

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  readonly get = ({ userId }: RecommendationQuery): Answer => {
    this.asked++;
    if (this.failure !== undefined) throw this.failure;
    return this.lists.get(userId) ?? answerOf('popular');
  };

  set(userId: string, answer: Answer): void {
    this.lists.set(userId, answer);
    this.versions.set(userId, (this.versions.get(userId) ?? 0) + 1);
    for (const listener of this.listeners) listener();
  }
}

async function viewAndFacade(given: Parameters<typeof facade>[0] = {}) {
  const view = new HandView();
  return { view, ...(await facade({ answers: view, changes: view, ...given })) };
}

/** Reads on and on, until the client is closed. */
function follow(updates: AsyncGenerator<Recommendations>): {
  readonly seen: string[];
  readonly ended: Promise<CallError>;
} {
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { items } of updates) seen.push(items[0]!.itemId);
  };
  return { seen, ended: failure(read()) };
}

describe('the list of a user who stays', () => {
  it('comes at once, and again when it has changed, with its time, but not for the time alone', async () => {
    const { view, client } = await viewAndFacade();
    const updates = client.streamRecommendations({ userId: 'u', limit: 5 });
    expect((await updates.next()).value).toMatchObject({ userId: 'u', items: [{ itemId: 'popular' }], asOfMs: 0 });
    const asked = view.asked;
    view.set('another', answerOf('not for u'));
    view.set('u', answerOf('popular', 1000));
    await eventually(() => expect(view.asked).toBe(asked + 1));
    view.set('u', answerOf('own', 2000));
    expect((await updates.next()).value).toMatchObject({ items: [{ itemId: 'own' }], asOfMs: 2000 });
    await updates.return(undefined);
  });

  it('comes also of an answer that makes its items when they are looked at', async () => {
    class Lazy implements Answer {
      readonly sameAs = {};
      readonly model = ANSWER.model;
      readonly strategy = ANSWER.strategy;
      get items(): Answer['items'] {
        return ANSWER.items;
      }
    }
    const changes = { get: () => new Lazy(), version: () => 1, onChange: () => () => undefined };
    const { client } = await facade({ changes });
    const updates = client.streamRecommendations({ userId: 'u' });
    expect((await updates.next()).value?.items).toHaveLength(ANSWER.items.length);
    await updates.return(undefined);
  });

  it('is looked up at most twenty times a second, and sent every 15 seconds', async () => {
    const clock = new VirtualClock();
    const { view, client } = await viewAndFacade({ clock });
    const one = follow(client.streamRecommendations({ userId: 'u' }));
    await eventually(() => expect(one.seen).toEqual(['popular']));
    view.asked = 0;
    for (let ms = 0; ms < 1000; ms++) {
      view.set('u', answerOf(`item ${ms}`));
      clock.advance(1);
      await settled();
    }
    clock.advance(50);
    await eventually(() => expect(one.seen.at(-1)).toBe('item 999'));
    expect(view.asked).toBeLessThanOrEqual(22);
    const { length } = one.seen;
    for (let s = 0; s < 31; s++) {
      clock.advance(1000);
      await settled();
      clock.advance(50);
      await settled();
    }
    await eventually(() => expect(one.seen.slice(length)).toEqual(['item 999', 'item 999']));
    client.close();
    expect((await one.ended).status).toBe('CANCELLED');
  });

  it('stands while it cannot be looked up for a moment, and comes when it can', async () => {
    const { view, client } = await viewAndFacade();
    const one = follow(client.streamRecommendations({ userId: 'u' }, { reconnect: false }));
    await eventually(() => expect(one.seen).toEqual(['popular']));
    view.failure = transient('VIEW_RESTORING', 'partition 3 of the view is restarting');
    const { asked } = view;
    view.set('u', answerOf('own'));
    await eventually(() => expect(view.asked).toBeGreaterThan(asked));
    const error = await failure(client.streamRecommendations({ userId: 'v' }).next());
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: 'VIEW_RESTORING' });
    view.failure = undefined;
    await eventually(() => expect(one.seen).toEqual(['popular', 'own']));
  });

  it('ends with an error that tells of a wrong field, of a bug, or of a node that does not follow changes', async () => {
    const { view, client } = await viewAndFacade();
    const bad = await failure(client.streamRecommendations({ userId: '' }).next());
    expect(bad).toMatchObject({ status: 'INVALID_ARGUMENT', violations: [{ field: 'user_id' }] });
    view.failure = new Error('oops');
    expect((await failure(client.streamRecommendations({ userId: 'u' }).next())).status).toBe('INTERNAL');
    const without = await facade();
    const missing = await failure(without.client.streamRecommendations({ userId: 'u' }).next());
    expect(missing.status).toBe('UNIMPLEMENTED');
  });

  it('goes on after the node has stopped and is back', async () => {
    const { view, server, client, calls } = await viewAndFacade();
    const one = follow(client.streamRecommendations({ userId: 'u' }));
    await eventually(() => expect(one.seen).toEqual(['popular']));
    await server.stop(1000);
    expect(calls).toMatchObject([{ code: 'UNAVAILABLE' }]);
    await facade({ answers: view, changes: view, port: server.port });
    view.set('u', answerOf('own'));
    await eventually(() => expect(one.seen).toEqual(['popular', 'own']));
  });
});
