/**
 * interest-ranking: which categories a user cares for most, and what the user did with which item.
 *
 *   I(u, c) = number of window rows of u with main category c in this epoch          scope epoch
 *   I(u, c) = Σ w(type) · added · 2^(−(t − time) / h)                                scope decayed
 *   top(u)  = the first k categories by I desc, then c asc                           k = 3; only I > 0
 *   n(u, i) = rows of u with item i, and those of type view, cart, purchase          of this epoch; decayed: so far
 *
 *   w  weight of an event type    h  half-life, ms    t  latest event time of u    added, time  of the window row
 *
 * At the end of an epoch each user seen in it gets a ranking, in order of first sight; rows without a category rank nothing, but their
 * user is seen.
 *
 * State    of the running epoch a row per (user, main category) and per (user, item), dropped at its end; decayed also per user the
 *          interests (≤ 64 categories) and the totals (≤ 1,000 items).
 * Restart  restored with the snapshot, in the middle of an epoch too: tables keep the order of first sight.
 */
import { ignoreElements, map, merge, mergeMap, tap } from 'rxjs';
import {
  ABSENT,
  CodeMap,
  type ColumnTable,
  type Frame,
  type FrameOf,
  frameType,
  input,
  json,
  type Keyed,
  keyed,
  stage,
  tables,
  textAt,
} from '../runtime/contract/stage.js';
import { bestRows } from './maths/best-rows.js';
import { addDecayed } from './maths/decay.js';
import {
  addInterest,
  type DecayedInterests,
  type Interest,
  noInterests,
  settleInterests,
} from './maths/decayed-interests.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { addTotals, type InteractionTotals, interactionTotals, type Totals } from './maths/interaction-totals.js';
import { compareText } from './maths/item-order.js';
import { mainCategoryColumn } from './maths/main-category.js';
import { CART, EVENT_TYPES, type EventType, interactions, interests, PURCHASE, VIEW, windowRows } from './model.js';

export type Weights = Readonly<Record<EventType, number>>;

export type InterestScope =
  { readonly kind: 'epoch' } | { readonly kind: 'decayed'; readonly halfLifeMs: number; readonly weights?: Weights };

type Decayed = Extract<InterestScope, { kind: 'decayed' }>;

export interface InterestRankingOptions {
  readonly scope: InterestScope;
  /** Categories per user, 1 to 255. */
  readonly topCategories?: number;
}

export const WEIGHTS: Weights = { view: 1, click: 1, cart: 3, purchase: 5, rating: 2, remove_from_cart: -1 };

/** Interest of the running epoch: `value` as of `time`, which only a decayed sum needs. */
const epochInterests = frameType('epoch-interest', { user: 'text', category: 'text', value: 'f64', time: 'f64' });
type EpochInterests = ColumnTable<(typeof epochInterests)['columns']>;
type EpochPairs = ColumnTable<(typeof interactions)['columns']>;

/** Users whose state is kept in memory though it is unchanged: some 500 bytes and some 2 kB each. */
const USERS_CACHED_MAX = 50_000;
const TOTALS_CACHED_MAX = 10_000;

/** There is one table of each kind: that of the running epoch. */
const RUNNING = 0;

export const interestRanking = ({ scope, topCategories = 3 }: InterestRankingOptions) =>
  stage({
    id: 'interest-ranking',
    version: 1,
    key: 'user',
    inputs: { rows: input(windowRows) },
    outputs: { interests, interactions },
    state: {
      interests: tables(epochInterests, { key: ['user', 'category'], by: 'user' }),
      pairs: tables(interactions, { key: ['user', 'item'], by: 'user' }),
      users: keyed<DecayedInterests>(json(), { cachedMax: USERS_CACHED_MAX, law: 'key' }),
      totals: keyed<InteractionTotals>(interactionTotals, { cachedMax: TOTALS_CACHED_MAX, law: 'key' }),
    },
    pipeline: ({ inputs, epochEnds, state, out }) =>
      merge(
        inputs.rows.pipe(
          tap((rows) => {
            addInterests(rows, state.interests.table(RUNNING), scope);
            addPairs(rows, state.pairs.table(RUNNING));
          }),
          ignoreElements(),
        ),
        epochEnds.pipe(
          map(() => ({ table: state.interests.table(RUNNING), pairs: state.pairs.table(RUNNING) })),
          mergeMap(({ table, pairs }) => {
            if (table.rows === 0) return [];
            if (scope.kind === 'decayed') makeTotals(pairs, state.totals);
            const rankings =
              scope.kind === 'epoch'
                ? rankEpoch(table, topCategories)
                : rankDecayed(table, state.users, scope.halfLifeMs, topCategories);
            const said = [...rankings.map((frame) => out.interests(frame)), out.interactions(pairs.frame())];
            state.interests.drop(RUNNING);
            state.pairs.drop(RUNNING);
            return said;
          }),
        ),
      ),
  });

function addInterests(rows: FrameOf<typeof windowRows>, table: EpochInterests, scope: InterestScope): void {
  const { user, category, type, added, time } = rows.columns;
  const columns = { user, category: mainCategoryColumn(category) };
  const found = table.upsert({ type: epochInterests, rows: rows.rows, columns } as unknown as Frame);
  if (scope.kind === 'epoch') {
    const { value } = table.values;
    for (let i = 0; i < found.length; i++) value[found[i]!]!++;
  } else addWeights(found, table, scope, type, added, time);
}

/** A new row of the table is a sum of 0 at 1970: whatever is added to it decays from there or not at all. */
function addWeights(
  found: Uint32Array,
  table: EpochInterests,
  { halfLifeMs, weights = WEIGHTS }: Decayed,
  type: Uint8Array,
  added: Uint32Array,
  time: Float64Array,
): void {
  const weightOf = Float64Array.from(EVENT_TYPES, (name) => weights[name]);
  const { value: values, time: times } = table.values;
  const sum = { value: 0, time: 0 };
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    sum.value = values[row]!;
    sum.time = times[row]!;
    addDecayed(sum, (weightOf[type[i]!] ?? 0) * added[i]!, time[i]!, halfLifeMs);
    values[row] = sum.value;
    times[row] = sum.time;
  }
}

function addPairs(rows: FrameOf<typeof windowRows>, pairs: EpochPairs): void {
  const { type } = rows.columns;
  const found = pairs.upsert(rows as unknown as Frame);
  const { count, views, carts, purchases } = pairs.values;
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    const kind = type[i]!;
    count[row]!++;
    if (kind === VIEW) views[row]!++;
    else if (kind === CART) carts[row]!++;
    else if (kind === PURCHASE) purchases[row]!++;
  }
}

/** Makes the epoch's interactions the totals so far. */
function makeTotals(pairs: EpochPairs, cell: Keyed<InteractionTotals>): void {
  const [users, items] = [pairs.keyOf('user'), pairs.keyOf('item')];
  const [userWords, itemWords] = [pairs.dictionary('user'), pairs.dictionary('item')];
  pairs.touchWhole();
  const { count, views, carts, purchases } = pairs.values;
  const known: (InteractionTotals | undefined)[] = [];
  for (let row = 0; row < pairs.rows; row++) {
    const user = users[row]!;
    const totals = (known[user] ??= cell.get(textAt(userWords, user) ?? '') ?? new Map<string, Totals>());
    const more = [count[row]!, views[row]!, carts[row]!, purchases[row]!] as const;
    const total = addTotals(totals, textAt(itemWords, items[row]!) ?? '', more);
    [count[row], views[row], carts[row], purchases[row]] = total;
  }
  known.forEach((totals, user) => {
    if (totals !== undefined) cell.set(textAt(userWords, user) ?? '', totals);
  });
}

/** A table's users have codes in order of first sight, so that to go by code is to go in that order. */
function rankEpoch(table: EpochInterests, k: number): FrameOf<typeof interests>[] {
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

/** The place of each text in their order. */
function placesOf(texts: readonly string[]): Uint32Array {
  const places = new Uint32Array(texts.length);
  [...texts.keys()].sort((a, b) => compareText(texts[a]!, texts[b]!)).forEach((code, place) => (places[code] = place));
  return places;
}

function rankDecayed(
  table: EpochInterests,
  cell: Keyed<DecayedInterests>,
  halfLifeMs: number,
  k: number,
): FrameOf<typeof interests>[] {
  const [users, categories] = [table.keyOf('user'), table.keyOf('category')];
  const [userWords, categoryWords] = [table.dictionary('user'), table.dictionary('category')];
  const { value, time } = table.values;
  const userTexts = Array.from({ length: userWords.size }, (_, code) => textAt(userWords, code) ?? '');
  const categoryTexts = Array.from({ length: categoryWords.size }, (_, code) => textAt(categoryWords, code));
  const known: (DecayedInterests | undefined)[] = [];
  for (let row = 0; row < table.rows; row++) {
    const user = users[row]!;
    const own = (known[user] ??= cell.get(userTexts[user]!) ?? noInterests());
    addInterest(own, categoryTexts[categories[row]!], { value: value[row]!, time: time[row]! }, halfLifeMs);
  }

  const chunks = new FrameChunks(interests, userWords.size * k);
  for (let user = 1; user < userWords.size; user++) {
    const own = known[user]!;
    const strongest: Partial<Interest>[] = settleInterests(own, halfLifeMs).slice(0, k);
    cell.set(userTexts[user]!, own);
    chunks.group();
    if (strongest.length === 0) strongest.push({});
    strongest.forEach(({ category, interest }, i) => {
      chunks.frame.add({ user: userTexts[user], category, interest, rank: category === undefined ? 0 : i + 1 });
    });
  }
  return chunks.finish();
}
