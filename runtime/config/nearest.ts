/** Suggests the nearest existing name for an unknown one, or none when no name is near. */

/** Compares letters and digits only: `grpc_port`, `grpc-port` and `RIVULET_GRPC_PORT` all mean `grpcPort`. */
const bare = (name: string): string =>
  name
    .toLowerCase()
    .replace(/^rivulet_/, '')
    .replaceAll(/[^a-z0-9]/g, '');

/** Edits per letter beyond which a name is not considered near. */
const EDITS_PER_LETTER_MAX = 0.34;

/** A name that only lacks its end, as a unit, is near if it has at least this many letters. */
const BEGINNING_MIN = 4;

/** No name of ours is longer, so a longer text is not a misspelt one; the cost of a comparison grows with its length. */
const NAME_CHARACTERS_MAX = 64;

/** Dotted names also match by their last part, at a small penalty. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > NAME_CHARACTERS_MAX) return undefined;
  const wanted = bare(name);
  let best: { readonly candidate: string; readonly edits: number } | undefined;
  for (const candidate of candidates) {
    const last = bare(candidate.split('.').at(-1)!);
    const begins = wanted.length >= BEGINNING_MIN && last.startsWith(wanted) ? 1 : Infinity;
    const edits = Math.min(editsBetween(wanted, bare(candidate)), editsBetween(wanted, last) + 0.5, begins);
    if (edits < (best?.edits ?? Infinity)) best = { candidate, edits };
  }
  const allowed = Math.max(2, wanted.length * EDITS_PER_LETTER_MAX);
  return best !== undefined && best.edits <= allowed && best.edits < wanted.length ? best.candidate : undefined;
}

/** Levenshtein distance, where swapping two neighbours is one edit. */
export function editsBetween(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
