/**
 * rankUsers(state, options): at the end of an epoch (RUNNING) ranks the categories of each of its users, emits the epoch's interactions, and clears both;
 * so it does with a portion of the past that is due (its number).
 *
 *   ends     --a--b--|      the epoch of a: u/electronics 2, u/kids 1, v without a category; that of b: nothing
 *   result   --x-----|      x: u → electronics 2 (1st), kids 1 (2nd)    v → none    and the interactions
 *
 * Scope decayed: the epoch's sums are added to the stored interests of its users. With totals interactions are those so far.
 *
 * Law: users are ranked in order of first appearance, each independently; an epoch without rows emits nothing.
 */
import { mergeMap, type OperatorFunction } from 'rxjs';
import { ABSENT, CodeMap, type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import { bestRows } from '../maths/best-rows.js';
import {
  addInterest,
  type DecayedInterests,
  type Interest,
  noInterests,
  settleInterests,
} from '../maths/decayed-interests.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { addTotals, type InteractionTotals, type Totals } from '../maths/interaction-totals.js';
import type { InterestScope } from '../maths/interest-scope.js';
import { compareText } from '../maths/item-order.js';
import { type interactions, interests } from '../model.js';
import type { EpochInterests, EpochPairs, RunningEpoch } from '../state/epoch-interests.js';

type Rankings = FrameOf<typeof interests>[];

export interface RankedEpoch {
  readonly rankings: Rankings;
  readonly pairs: FrameOf<typeof interactions>;
}

interface RankingOptions {
  readonly scope: InterestScope;
  readonly totals: boolean;
  readonly topCategories: number;
}

export interface InterestState extends RunningEpoch {
  readonly users: Keyed<DecayedInterests>;
  readonly totals: Keyed<InteractionTotals>;
}

export function rankUsers(
  { interests, pairs, users, totals }: InterestState,
  { scope, totals: areTotal, topCategories }: RankingOptions,
): OperatorFunction<number, RankedEpoch> {
  return mergeMap((number) => {
    const [table, running] = [interests.table(number), pairs.table(number)];
    if (table.rows === 0) return [];
    if (areTotal) makeTotals(running, totals);
    const rankings =
      scope.kind === 'epoch'
        ? rankEpoch(table, topCategories)
        : rankDecayed(table, users, scope.halfLifeMs, topCategories);
    const ranked = { rankings, pairs: running.frame() };
    interests.drop(number);
    pairs.drop(number);
    return [ranked];
  });
}

/** Replaces the epoch's interactions by the totals so far. */
function makeTotals(pairs: EpochPairs, totalsOf: Keyed<InteractionTotals>): void {
  const [users, items] = [pairs.keyOf('user'), pairs.keyOf('item')];
  const [userWords, itemWords] = [pairs.dictionary('user'), pairs.dictionary('item')];
  pairs.touchWhole();
  const { count, views, carts, purchases } = pairs.values;
  const known: (InteractionTotals | undefined)[] = [];
  for (let row = 0; row < pairs.rows; row++) {
    const user = users[row]!;
    const totals = (known[user] ??= totalsOf.get(textAt(userWords, user) ?? '') ?? new Map<string, Totals>());
    const more = [count[row]!, views[row]!, carts[row]!, purchases[row]!] as const;
    const total = addTotals(totals, textAt(itemWords, items[row]!) ?? '', more);
    [count[row], views[row], carts[row], purchases[row]] = total;
  }
  known.forEach((totals, user) => {
    if (totals !== undefined) totalsOf.set(textAt(userWords, user) ?? '', totals);
  });
}

/** A table's users have codes in order of first appearance, so that the order of codes is that order. */
function rankEpoch(table: EpochInterests, k: number): Rankings {
  const [users, categories] = [table.keyOf('user'), table.keyOf('category')];
  const [userWords, categoryWords] = [table.dictionary('user'), table.dictionary('category')];
  const { value } = table.values;
  const places = placesOf(Array.from({ length: categoryWords.size }, (_, code) => textAt(categoryWords, code) ?? ''));
  const beats = (a: number, b: number): boolean =>
    value[a] === value[b] ? places[categories[a]!]! < places[categories[b]!]! : value[a]! > value[b]!;
  const best = bestRows(users, userWords.size, k, beats, (row) => categories[row] !== ABSENT);

  const chunks = new FrameChunks(interests, userWords.size * k);
  let categoryOf = new CodeMap(categoryWords, chunks.frame.columns.category.dictionary);
  for (let user = 1; user < userWords.size; user++) {
    if (chunks.group()) categoryOf = new CodeMap(categoryWords, chunks.frame.columns.category.dictionary);
    const { frame } = chunks;
    frame.reserve(k);
    const { columns } = frame;
    const code = columns.user.dictionary.addFrom(userWords, user);
    for (let i = 0; i === 0 || (i < k && best[user * k + i] !== 0); i++) {
      const row = best[user * k + i]!;
      columns.user.codes[frame.rows] = code;
      columns.category.codes[frame.rows] = row === 0 ? ABSENT : categoryOf.get(categories[row - 1]!);
      columns.interest[frame.rows] = row === 0 ? NaN : value[row - 1]!;
      columns.rank[frame.rows] = row === 0 ? 0 : i + 1;
      frame.rows++;
    }
  }
  return chunks.finish();
}

/** The rank of each text in their order. */
function placesOf(texts: readonly string[]): Uint32Array {
  const places = new Uint32Array(texts.length);
  [...texts.keys()].sort((a, b) => compareText(texts[a]!, texts[b]!)).forEach((code, place) => (places[code] = place));
  return places;
}

function rankDecayed(
  table: EpochInterests,
  interestsOf: Keyed<DecayedInterests>,
  halfLifeMs: number,
  k: number,
): Rankings {
  const [users, categories] = [table.keyOf('user'), table.keyOf('category')];
  const [userWords, categoryWords] = [table.dictionary('user'), table.dictionary('category')];
  const { value, time } = table.values;
  const userTexts = Array.from({ length: userWords.size }, (_, code) => textAt(userWords, code) ?? '');
  const categoryTexts = Array.from({ length: categoryWords.size }, (_, code) => textAt(categoryWords, code));
  const known: (DecayedInterests | undefined)[] = [];
  for (let row = 0; row < table.rows; row++) {
    const user = users[row]!;
    const own = (known[user] ??= interestsOf.get(userTexts[user]!) ?? noInterests());
    addInterest(own, categoryTexts[categories[row]!], { value: value[row]!, time: time[row]! }, halfLifeMs);
  }

  const chunks = new FrameChunks(interests, userWords.size * k);
  for (let user = 1; user < userWords.size; user++) {
    const own = known[user]!;
    const strongest: Partial<Interest>[] = settleInterests(own, halfLifeMs).slice(0, k);
    interestsOf.set(userTexts[user]!, own);
    chunks.group();
    if (strongest.length === 0) strongest.push({});
    strongest.forEach(({ category, interest }, i) => {
      chunks.frame.add({ user: userTexts[user], category, interest, rank: category === undefined ? 0 : i + 1 });
    });
  }
  return chunks.finish();
}
