/**
 * upsertInterests(state, scope, tablesFor): adds window rows to the interests and interactions of an epoch, or of the past; emits nothing.
 *
 *   rows     --a--|      a: u, electronics.audio, item 7, a view    u, electronics.video, item 8, a purchase
 *   result   -----|      scope epoch: interests u/electronics 2; interactions u/7 (1 row, 1 view), u/8 (1 row, 1 purchase)
 *
 * A row of an item with k main categories adds 1/k of its weight to the interest in each of them.
 *
 * Law: the state depends on the rows and on the order of first appearance alone, not on how rows are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import type { FrameOf } from '../../runtime/contract/stage.js';
import { addDecayed } from '../maths/decay.js';
import { type DecayedScope, type InterestScope, WEIGHTS } from '../maths/interest-scope.js';
import { sharedByMainCategory } from '../maths/main-category.js';
import { CART, EVENT_TYPES, PURCHASE, VIEW, type windowRows } from '../model.js';
import {
  type EpochInterests,
  type EpochPairs,
  ofEpoch,
  type RunningEpoch,
  type TablesFor,
} from '../state/epoch-interests.js';

type Rows = FrameOf<typeof windowRows>;

export const upsertInterests =
  ({ interests, pairs }: RunningEpoch, scope: InterestScope, tablesFor: TablesFor = ofEpoch) =>
  (frames: Observable<Rows>): Observable<never> =>
    frames.pipe(
      tap((rows) => {
        const shared = shareByCategory(rows);
        for (const [table, selection] of tablesFor(shared.user))
          addInterests(shared, selection, interests.table(table), scope);
        for (const [table, selection] of tablesFor(rows.columns.user)) addPairs(rows, selection, pairs.table(table));
      }),
      ignoreElements(),
    );

/** A row per main category. */
interface Shared extends Pick<Rows['columns'], 'user' | 'category' | 'type' | 'added' | 'time'> {
  /** Of the row's weight; absent: all of it. */
  readonly shares: Float64Array | undefined;
}

function shareByCategory({ columns }: Rows): Shared {
  const { category, several } = sharedByMainCategory(columns.category);
  const { user, type, added, time } = columns;
  if (several === undefined) return { user, category, type, added, time, shares: undefined };
  const { rows, shares } = several;
  return {
    ...{ category, shares },
    user: { codes: rows.map((row) => user.codes[row]!), dictionary: user.dictionary },
    type: Uint8Array.from(rows, (row) => type[row]!),
    added: rows.map((row) => added[row]!),
    time: Float64Array.from(rows, (row) => time[row]!),
  };
}

function addInterests(rows: Shared, selection: Uint32Array | undefined, table: EpochInterests, scope: InterestScope) {
  const found = table.upsert(rows, selection);
  if (scope.kind === 'decayed') {
    addWeights(found, table, scope, rows, selection);
    return;
  }
  const { value } = table.values;
  for (let i = 0; i < found.length; i++) value[found[i]!]! += rows.shares?.[selection?.[i] ?? i] ?? 1;
}

/** A new row of the table is a sum of 0 at 1970: the first value added to it is not affected. */
function addWeights(
  found: Uint32Array,
  table: EpochInterests,
  { halfLifeMs, weights = WEIGHTS }: DecayedScope,
  { type, added, time, shares }: Shared,
  selection: Uint32Array | undefined,
): void {
  const weightOf = Float64Array.from(EVENT_TYPES, (name) => (name === 'impression' ? 0 : weights[name]));
  const { value: values, time: times } = table.values;
  const sum = { value: 0, time: 0 };
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    const from = selection?.[i] ?? i;
    sum.value = values[row]!;
    sum.time = times[row]!;
    const weight = (weightOf[type[from]!] ?? 0) * added[from]! * (shares?.[from] ?? 1);
    addDecayed(sum, weight, time[from]!, halfLifeMs);
    values[row] = sum.value;
    times[row] = sum.time;
  }
}

function addPairs(rows: Rows, selection: Uint32Array | undefined, pairs: EpochPairs): void {
  const { type, time } = rows.columns;
  const found = pairs.upsert(rows.columns, selection);
  const { count, views, carts, purchases, time: latest } = pairs.values;
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    const from = selection?.[i] ?? i;
    const kind = type[from]!;
    if (!(latest[row]! >= time[from]!)) latest[row] = time[from]!;
    count[row]!++;
    if (kind === VIEW) views[row]!++;
    else if (kind === CART) carts[row]!++;
    else if (kind === PURCHASE) purchases[row]!++;
  }
}
