/** Which events of which users are in the sample, and when. */
import { describe, expect, it } from 'vitest';
import { codeOfType, parsedEvents } from '../../../actors/model.js';
import { UserSample, userSample } from '../../../actors/state/user-sample.js';
import { frameOf } from '../../../runtime/contract/stage.js';
import { rowsOf } from '../../../runtime/frames/frame.js';

const VIEW = codeOfType('view');

const newSample = (): UserSample => {
  const specs = userSample();
  return new UserSample({ sample: specs.sample.create(), sampled: specs.sampled.create() });
};
const events = (users: readonly string[], more: object = {}) =>
  frameOf(
    parsedEvents,
    users.map((user, i) => ({ time: i, type: VIEW, user, item: `i${i}`, storedAt: NaN, past: 0, ...more })),
  );
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `user-${i}`);
const usersIn = (frame: ReturnType<UserSample['add']>): string[] =>
  frame === undefined ? [] : rowsOf(frame).map(({ user }) => user!);

describe('the events of a sample', () => {
  it('wait for a tick, or until there are 32', () => {
    const sample = newSample();
    expect(sample.add(events(['a', 'b']))).toBeUndefined();
    expect(usersIn(sample.release())).toEqual(['a', 'b']);
    expect(sample.release()).toBeUndefined();
    expect(sample.add(events(many(31)))).toBeUndefined();
    expect(usersIn(sample.add(events(['last'])))).toHaveLength(32);
  });

  it('are at most 129 between two ticks; then those of half of the users, as long as there are too many, and of all again', () => {
    const sample = newSample();
    const second = (users: readonly string[]): string[] => [
      ...usersIn(sample.add(events(users))),
      ...usersIn(sample.release()),
    ];
    const users = many(300);
    expect(second(users)).toHaveLength(129);
    const half = second(users);
    expect(half.length).toBeGreaterThan(100);
    expect(half.length).toBeLessThanOrEqual(129);
    const quarter = second(users);
    // All events of a user or none: who is in the smaller share is in the larger one, in the order of arrival.
    const settled = [second(users), second(users)];
    expect(settled[1]).toEqual(settled[0]);
    expect(new Set(users.filter((user) => quarter.includes(user)))).toEqual(new Set(quarter));
    for (let n = 0; n < 6; n++) second(['quiet']);
    expect(second(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });

  it('have none of what was removed from a cart, and happen at the latest when they were stored', () => {
    const sample = newSample();
    sample.add(events(['a'], { type: codeOfType('remove_from_cart') }));
    sample.add(events(['b'], { time: 500, storedAt: 400 }));
    sample.add(events(['c'], { time: 300, storedAt: 400 }));
    const rows = rowsOf(sample.release()!);
    expect(rows.map(({ user, time }) => [user, time])).toEqual([
      ['b', 400],
      ['c', 300],
    ]);
  });

  it('of the past do not wait, nor count for the share', () => {
    const sample = newSample();
    expect(usersIn(sample.past(events(many(1_000), { past: 1 })))).toHaveLength(1_000);
    expect(sample.release()).toBeUndefined();
    expect(usersIn(sample.add(events(many(40))))).toHaveLength(40);
  });

  it('of the past are in order of time', () => {
    const frame = events(['late', 'early', 'also-late']);
    frame.columns.time.set([7, 2, 7]);
    expect(usersIn(newSample().past(frame))).toEqual(['early', 'late', 'also-late']);
  });

  it('of the past are those of an eighth of the users, after the first 200,000', () => {
    const sample = newSample();
    const users = many(50_000);
    for (let n = 0; n < 4; n++) expect(usersIn(sample.past(events(users)))).toHaveLength(50_000);
    const later = usersIn(sample.past(events(users)));
    expect(Math.abs(later.length / users.length - 1 / 8)).toBeLessThan(0.02);
    expect(usersIn(sample.past(events(users)))).toEqual(later);
  });
});
