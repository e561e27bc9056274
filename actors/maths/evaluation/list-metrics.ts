/**
 * list-metrics: what all lists of a model have in common, whether they hit or not.
 *
 *   coverage   distinct items in the lists / items in training
 *   novelty    mean over listed items of log2(U / n(i))                        Zhou et al. 2010
 *   diversity  mean over lists of 1 − the mean cosine of two of its items      Ziegler et al. 2005
 *
 *   U  users in training    n(i)  users of item i there    cosine(i, j) = |users of both| / √(n(i) n(j))
 */
import { columnsOf, type Sparse } from '../als/sparse.js';

export interface ListScores {
  readonly coverage: number;
  readonly novelty: number;
  readonly diversity: number;
}

/** `byItem`: the training part. Items without users there are not listed. */
export function listScores(lists: readonly Uint32Array[], byItem: Sparse): ListScores {
  const usersOf = (item: number): Uint32Array => columnsOf(byItem, item);
  const listed = new Set<number>();
  let [items, surprise, different, withPairs] = [0, 0, 0, 0];
  for (const list of lists) {
    for (const item of list) {
      listed.add(item);
      items++;
      surprise += Math.log2(byItem.columns / usersOf(item).length);
    }
    if (list.length < 2) continue;
    withPairs++;
    different += 1 - meanCosine([...list].map(usersOf));
  }
  let known = 0;
  for (let item = 0; item < byItem.rows; item++) if (usersOf(item).length > 0) known++;
  return { coverage: listed.size / known, novelty: surprise / items, diversity: different / withPairs };
}

function meanCosine(sets: readonly Uint32Array[]): number {
  let [sum, pairs] = [0, 0];
  for (let i = 0; i < sets.length; i++) {
    for (let j = 0; j < i; j++, pairs++) sum += both(sets[i]!, sets[j]!) / Math.sqrt(sets[i]!.length * sets[j]!.length);
  }
  return sum / pairs;
}

/** How many numbers are in both; each ascends. */
function both(a: Uint32Array, b: Uint32Array): number {
  let count = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const difference = a[i]! - b[j]!;
    if (difference === 0) count++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  return count;
}
