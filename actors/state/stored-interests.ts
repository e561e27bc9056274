/** The decaying interests of a user as JSON: each category as [category, value, how long before the user's latest event it was added to, ms]. */
import { type Codec, json } from '../../runtime/contract/stage.js';
import type { DecayedInterests } from '../maths/decayed-interests.js';

interface Stored {
  readonly time: number;
  /** Versions before wrote objects. */
  readonly categories: readonly (readonly [string, number, number] | DecayedInterests['categories'][number])[];
}

const stored = json<Stored>();

export const storedInterests: Codec<DecayedInterests> = {
  encode: ({ time: latest, categories }) =>
    stored.encode({
      time: latest,
      categories: categories.map(({ category, value, time }) => [category, value, latest - time]),
    }),
  decode: (bytes) => {
    const { time: latest, categories } = stored.decode(bytes);
    const sums = categories.map((one) => {
      if (!('length' in one)) return one;
      const [category, value, before] = one;
      return { category, value, time: latest - before };
    });
    return { time: latest, categories: sums };
  },
};
