/** The items that a user has interacted with. */
import { type Codec, json } from '../../runtime/contract/stage.js';
import { compareText } from '../maths/item-order.js';

/** By item id the event time of the latest interaction, epoch ms; and the number of additions, in memory only. */
export class Seen extends Map<string, number> {
  additions = 0;

  /** Removes the item that was seen before all others; of several the first by id, so that it does not depend on the order of arrival. */
  deleteOldest(): void {
    let oldest: readonly [string, number] | undefined;
    for (const entry of this) {
      if (
        oldest === undefined ||
        entry[1] < oldest[1] ||
        (entry[1] === oldest[1] && compareText(entry[0], oldest[0]) < 0)
      )
        oldest = entry;
    }
    if (oldest !== undefined) this.delete(oldest[0]);
  }
}

/** Before there were times: ids alone. */
const entries = json<(readonly [string, number] | string)[]>();

export const seenItems: Codec<Seen> = {
  encode: (seen) => entries.encode([...seen]),
  decode: (bytes) => new Seen(entries.decode(bytes).map((entry) => (typeof entry === 'string' ? [entry, 0] : entry))),
};
