/**
 * explored: the new item that a list ends with, if it is one of the share that has one.
 *
 *   new        among the NEWEST items that came last, with at most FEW events
 *   which      by hash(user, hour): the same for an hour, so that a list does not flicker
 */
import { partitionOf } from '../../runtime/contract/stage.js';
import type { RankingQuestion } from '../candidates/source.js';
import type { ItemSignals } from './item-signals.js';

/** Of shorter lists the last place is too good. */
const LENGTH_MIN = 5;
const NEWEST = 200;
const FEW = 5;
const HOUR_MS = 3_600_000;
const BUCKETS = 10_000;

/** The number of an item. Absent: the list has none, or there is nothing new that fits. */
export function explored(
  { rows }: ItemSignals,
  { user, rules, n }: Pick<RankingQuestion, 'user' | 'rules' | 'n'>,
  atMs: number,
  fits: (item: number) => boolean,
): number | undefined {
  const key = `${user}\n${Math.floor(atMs / HOUR_MS)}`;
  if (n < LENGTH_MIN) return undefined;
  if (partitionOf(key, BUCKETS) >= rules.exploration * BUCKETS) return undefined;
  const { count } = rows.values;
  const items: number[] = [];
  for (let item = rows.rows - 1; item >= 0 && item >= rows.rows - NEWEST; item--) {
    if (count[item]! <= FEW && fits(item)) items.push(item);
  }
  return items.length === 0 ? undefined : items[partitionOf(`${key}\nitem`, items.length)];
}
