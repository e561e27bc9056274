/**
 * upsertInterests(state, scope, number): adds window rows to the interests and interactions of an epoch, or of the past; emits nothing.
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
  type Counted,
  type EpochInterests,
  type EpochPairs,
  RUNNING,
  type RunningEpoch,
} from '../state/epoch-interests.js';

type Rows = FrameOf<typeof windowRows>;

export const upsertInterests =
  ({ interests, pairs }: RunningEpoch, scope: InterestScope, number: Counted = RUNNING) =>
  (frames: Observable<Rows>): Observable<never> =>
    frames.pipe(
      tap((rows) => {
        addInterests(rows, interests.table(number), scope);
        addPairs(rows, pairs.table(number));
      }),
      ignoreElements(),
    );

function addInterests({ columns }: Rows, table: EpochInterests, scope: InterestScope): void {
  const { category, several } = sharedByMainCategory(columns.category);
  const rows = several === undefined ? columns : ofRows(columns, several.rows);
  const found = table.upsert({ user: rows.user, category });
  if (scope.kind === 'epoch') {
    const { value } = table.values;
    for (let i = 0; i < found.length; i++) value[found[i]!]! += several?.shares[i] ?? 1;
  } else addWeights(found, table, scope, rows, several?.shares);
}

type Weighed = Pick<Rows['columns'], 'user' | 'type' | 'added' | 'time'>;

const ofRows = ({ user, type, added, time }: Weighed, rows: Uint32Array): Weighed => ({
  user: { codes: rows.map((row) => user.codes[row]!), dictionary: user.dictionary },
  type: Uint8Array.from(rows, (row) => type[row]!),
  added: rows.map((row) => added[row]!),
  time: Float64Array.from(rows, (row) => time[row]!),
});

/** A new row of the table is a sum of 0 at 1970: the first value added to it is not affected. */
function addWeights(
  found: Uint32Array,
  table: EpochInterests,
  { halfLifeMs, weights = WEIGHTS }: DecayedScope,
  { type, added, time }: Weighed,
  shares: Float64Array | undefined,
): void {
  const weightOf = Float64Array.from(EVENT_TYPES, (name) => weights[name]);
  const { value: values, time: times } = table.values;
  const sum = { value: 0, time: 0 };
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    sum.value = values[row]!;
    sum.time = times[row]!;
    const weight = (weightOf[type[i]!] ?? 0) * added[i]! * (shares?.[i] ?? 1);
    addDecayed(sum, weight, time[i]!, halfLifeMs);
    values[row] = sum.value;
    times[row] = sum.time;
  }
}

function addPairs(rows: Rows, pairs: EpochPairs): void {
  const { type, time } = rows.columns;
  const found = pairs.upsert(rows.columns);
  const { count, views, carts, purchases, time: latest } = pairs.values;
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    const kind = type[i]!;
    if (!(latest[row]! >= time[i]!)) latest[row] = time[i]!;
    count[row]!++;
    if (kind === VIEW) views[row]!++;
    else if (kind === CART) carts[row]!++;
    else if (kind === PURCHASE) purchases[row]!++;
  }
}
