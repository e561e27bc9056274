import { expect, it } from 'vitest';
import { Freshness } from '../../../runtime/node/views.js';

const [USERS, OTHERS] = [0, 1];

it('a list is stale when no tick has come through its partition for too long, whatever the time of the ticks', () => {
  let nowMs = 100;
  const freshness = new Freshness(50, () => nowMs);
  const at = (ms: number): (number | undefined)[] => {
    nowMs = ms;
    return [freshness.staleMs(USERS), freshness.staleMs(OTHERS)];
  };
  // Nothing has come yet: since the start.
  expect(at(150)).toEqual([undefined, undefined]);
  expect(at(151)).toEqual([51, 51]);
  freshness.note(USERS, 7_000);
  expect(at(201)).toEqual([undefined, 101]);
  // What is replayed after a restart is nothing new.
  freshness.note(USERS, 6_000);
  freshness.note(USERS, 7_000);
  expect(at(202)).toEqual([51, 102]);
  freshness.note(USERS, 7_001);
  expect(at(203)).toEqual([undefined, 103]);
});
