/**
 * upsertInterests(state, scope): adds window rows to the current epoch's interests and interactions; emits nothing.
 *
 *   rows     --a--|      a: u, electronics.audio, item 7, a view    u, electronics.video, item 8, a purchase
 *   result   -----|      scope epoch: interests u/electronics 2; interactions u/7 (1 row, 1 view), u/8 (1 row, 1 purchase)
 *
 * Law: the state depends on the rows and on the order of first appearance alone, not on how rows are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import type { FrameOf } from '../../runtime/contract/stage.js';
import { addDecayed } from '../maths/decay.js';
import { type DecayedScope, type InterestScope, WEIGHTS } from '../maths/interest-scope.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { CART, EVENT_TYPES, PURCHASE, VIEW, type windowRows } from '../model.js';
import { type EpochInterests, type EpochPairs, RUNNING, type RunningEpoch } from '../state/epoch-interests.js';

type Rows = FrameOf<typeof windowRows>;

export const upsertInterests =
  ({ interests, pairs }: RunningEpoch, scope: InterestScope) =>
  (frames: Observable<Rows>): Observable<never> =>
    frames.pipe(
      tap((rows) => {
        addInterests(rows, interests.table(RUNNING), scope);
        addPairs(rows, pairs.table(RUNNING));
      }),
      ignoreElements(),
    );

function addInterests(rows: Rows, table: EpochInterests, scope: InterestScope): void {
  const { user, category, type, added, time } = rows.columns;
  const found = table.upsert({ user, category: mainCategoryColumn(category) });
  if (scope.kind === 'epoch') {
    const { value } = table.values;
    for (let i = 0; i < found.length; i++) value[found[i]!]!++;
  } else addWeights(found, table, scope, type, added, time);
}

/** A new row of the table is a sum of 0 at 1970: the first value added to it is not affected. */
function addWeights(
  found: Uint32Array,
  table: EpochInterests,
  { halfLifeMs, weights = WEIGHTS }: DecayedScope,
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

function addPairs(rows: Rows, pairs: EpochPairs): void {
  const { type } = rows.columns;
  const found = pairs.upsert(rows.columns);
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
