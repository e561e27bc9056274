/** The items that a user has interacted with. */
import { type Codec, json } from '../../runtime/contract/stage.js';

/** Item ids, the latest last; and the number of additions, in memory only. */
export class Seen extends Set<string> {
  additions = 0;
}

const ids = json<string[]>();

export const seenItems: Codec<Seen> = {
  encode: (seen) => ids.encode([...seen]),
  decode: (bytes) => new Seen(ids.decode(bytes)),
};
