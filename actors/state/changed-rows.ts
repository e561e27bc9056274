/**
 * changedRows(epoch, windows, C): the rows of fixed windows that an epoch changes, for output `update`: one for each open window and key.
 *
 *   added(w, key) = Σ added(pane, key)      over the panes of w, in this epoch; count = added, time the latest
 *
 * Windows ascending, then keys in order of first appearance. What a window had before is not needed for it: no row of an open window is stored.
 */
import { HashedIndex } from '../../runtime/contract/stage.js';
import { type FixedWindows, openStartsOf, rowsByWindow } from '../maths/window.js';
import { type EpochRows, ROW_TEXTS } from './epoch-log.js';
import { WindowOutput, type WindowRows } from './window-output.js';

/** The codes of the texts, the type, and the two halves of the price. */
const KEY_WORDS = ROW_TEXTS.length + 3;

export function changedRows(epoch: EpochRows, windows: FixedWindows, closedUpToMs: number): WindowRows {
  const { pane, added, time } = epoch.columns;
  const output = new WindowOutput(epoch);
  const keys = keysOf(epoch);
  for (const { start, rows } of rowsByWindow(pane, openStartsOf(windows, closedUpToMs))) {
    const index = new HashedIndex(KEY_WORDS);
    index.reserve(rows.length);
    const first = output.rows;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const at = first + index.findOrAdd(keys, row);
      if (at === output.rows) output.add(row, start, start + windows.sizeMs, added[row]!, added[row]!, time[row]!);
      else output.addTo(at, added[row]!, time[row]!);
    }
  }
  return output.frame();
}

/** The key of each row, interleaved. An entry of a dictionary is there once, so that equal texts have equal codes. */
function keysOf({ rows, columns }: EpochRows): Uint32Array {
  const keys = new Uint32Array(rows * KEY_WORDS);
  const fill = (at: number, words: Uint32Array | Uint8Array, each = 1, from = 0): void => {
    for (let row = 0, word = at; row < rows; row++, word += KEY_WORDS) keys[word] = words[row * each + from]!;
  };
  ROW_TEXTS.forEach((name, at) => {
    fill(at, columns[name].codes);
  });
  fill(ROW_TEXTS.length, columns.type);
  const { buffer, byteOffset } = columns.price;
  const halves = new Uint32Array(buffer, byteOffset, rows * 2);
  fill(ROW_TEXTS.length + 1, halves, 2);
  fill(ROW_TEXTS.length + 2, halves, 2, 1);
  return keys;
}
