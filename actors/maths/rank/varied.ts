/**
 * varied: the first n of a ranking, of which at most `most` are of one group; where these are not n, the best of those that were left out come after them.
 *
 *   ranking a₁ a₂ a₃ b₁ a₄ c₁, n = 4, most = 2        a₁ a₂ b₁ c₁
 */
export function varied<T>(ranking: readonly T[], n: number, most: number, groupOf: (one: T) => unknown): readonly T[] {
  const counts = new Map<unknown, number>();
  const [chosen, others]: [T[], T[]] = [[], []];
  for (const one of ranking) {
    if (chosen.length === n) return chosen;
    const group = groupOf(one);
    const count = counts.get(group) ?? 0;
    if (count >= most) {
      others.push(one);
      continue;
    }
    counts.set(group, count + 1);
    chosen.push(one);
  }
  return [...chosen, ...others.slice(0, n - chosen.length)];
}
