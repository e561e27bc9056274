/**
 * Of the rows with one id, the first passes and the others do not; rows without an id all pass.
 *
 *   ids    a b a - b c -        (idsMax large)
 *   pass   a b . - . c -
 *
 * State    the ids seen, in two generations of at most ⌊idsMax / 2⌋: a full one becomes the old one, and the one before is forgotten. So at
 *          least the last ⌊idsMax / 2⌋ ids are known, and at most idsMax. Generations turn at an id, not at the end of a frame: what
 *          passes does not depend on how rows were framed.
 * Restart  restored with the snapshot; the index of the old generation is built anew from it.
 */
import { map, type OperatorFunction } from 'rxjs';
import {
  ABSENT,
  type Columns,
  type Dictionary,
  type Frame,
  frameType,
  gather,
  hashAt,
  entryStart,
  type Tables,
} from '../../runtime/stage.js';

/** Ids of rows, in a frame beside theirs; absent where a row has none. */
export const rowIds = frameType('row-id', { id: 'text' });
type Ids = typeof rowIds.columns;

/** Rows, and their ids unless none has one. */
export interface Identified<C extends Columns> {
  readonly rows: Frame<C>;
  readonly ids: Frame<Ids> | undefined;
}

export interface Distinct<C extends Columns> {
  readonly rows: Frame<C>;
  readonly duplicates: number;
}

export function dropDuplicates<C extends Columns, I extends Identified<C>>(
  seen: Tables<Ids>,
  idsMax: number,
): OperatorFunction<I, Omit<I, 'rows' | 'ids'> & Distinct<C>> {
  const generations = new Generations(seen, Math.max(1, Math.floor(idsMax / 2)));
  return map(({ rows, ids, ...rest }) => {
    if (ids === undefined) return { ...rest, rows, duplicates: 0 };
    const kept = generations.firsts(ids);
    const duplicates = rows.rows - kept.length;
    return { ...rest, rows: duplicates === 0 ? rows : gather(rows, kept), duplicates };
  });
}

class Generations {
  /** The index of the old generation, and which that is. */
  private index: TextIndex | undefined;
  private indexed = NaN;

  constructor(
    private readonly seen: Tables<Ids>,
    private readonly max: number,
  ) {}

  /** The rows whose id was not seen before, ascending; their ids then are. */
  firsts(ids: Frame<Ids>): Uint32Array {
    const kept = new Uint32Array(ids.rows);
    let count = 0;
    for (let from = 0; from < ids.rows; ) {
      const young = this.young();
      // As many rows as the young generation has room for, all of which may be new.
      const to = Math.min(ids.rows, from + young.room);
      ...
    }
    return kept.subarray(0, count);
  }
}
