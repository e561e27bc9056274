/** merge-sorted: several sorted lists as one. Of equal elements, that of the earlier list comes first. */
export function* mergeSorted<T>(lists: readonly (readonly T[])[], compare: (a: T, b: T) => number): Generator<T> {
  const heads = lists.filter((list) => list.length > 0).map((list) => ({ list, at: 0 }));
  while (heads.length > 0) {
    let best = 0;
    for (let i = 1; i < heads.length; i++) {
      if (compare(heads[i]!.list[heads[i]!.at]!, heads[best]!.list[heads[best]!.at]!) < 0) best = i;
    }
    const head = heads[best]!;
    yield head.list[head.at]!;
    if (++head.at === head.list.length) heads.splice(best, 1);
  }
}
