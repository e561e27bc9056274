/** Which texts a dictionary holds: a read-only index over its entries, for asking without adding. */
import { type Dictionary, entryStart, hashAt } from '../../runtime/stage.js';

export class TextIndex {
  private readonly slots: Uint32Array;
  private readonly mask: number;

  constructor(private readonly dictionary: Dictionary) {
    this.slots = new Uint32Array(2 ** Math.ceil(Math.log2(dictionary.size * 2)));
    this.mask = this.slots.length - 1;
    for (let code = 1; code < dictionary.size; code++) {
      let slot = this.slotOf(hashAt(dictionary, code));
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = code;
    }
  }

  /** Whether the text of a code of another dictionary is in this one. */
  has(other: Dictionary, code: number): boolean {
    let slot = this.slotOf(hashAt(other, code));
    for (let entry = this.slots[slot]!; entry !== 0; entry = this.slots[slot]!) {
      if (this.holds(entry, other, code)) return true;
      slot = (slot + 1) & this.mask;
    }
    return false;
  }

  private slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.mask;
  }

  private holds(entry: number, other: Dictionary, code: number): boolean {
    const { dictionary } = this;
    let at = entryStart(dictionary, entry);
    const end = other.ends[code]!;
    let theirs = entryStart(other, code);
    if (dictionary.ends[entry]! - at !== end - theirs) return false;
    while (theirs < end) if (dictionary.bytes[at++] !== other.bytes[theirs++]) return false;
    return true;
  }
}
