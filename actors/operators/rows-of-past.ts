/**
 * rowsOfPast(past): of frames of events those of the past (1), or the live ones (0); frames without any are left out.
 *
 *   frames   --a--b--|      a: live 1, past 2, live 3    b: live 4
 *   0        --x--b--|      x: 1, 3
 *   1        --y-----|      y: 2
 *
 * Law: both together are the frames; the order is unchanged.
 */
import { mergeMap, type MonoTypeOperatorFunction } from 'rxjs';
import { type FrameOf, gather } from '../../runtime/contract/stage.js';
import type { parsedEvents } from '../model.js';

export const rowsOfPast = (past: 0 | 1): MonoTypeOperatorFunction<FrameOf<typeof parsedEvents>> =>
  mergeMap((frame) => {
    const kinds = frame.columns.past;
    if (frame.rows > 0 && kinds.every((kind) => kind === past)) return [frame];
    const rows = Uint32Array.from(kinds.keys()).filter((row) => kinds[row] === past);
    return rows.length === 0 ? [] : [gather(frame, rows)];
  });
