/**
 * The beginning of a text, at most so many UTF-16 units, valid as UTF-8: a surrogate pair that does not fit is left out whole, and lone surrogates of
 * the text become U+FFFD.
 */
export function cutText(text: string, unitsMax: number): string {
  const cut = text.slice(0, unitsMax);
  const isHalved = text.length > unitsMax && /[\uD800-\uDBFF]$/.test(cut);
  return (isHalved ? cut.slice(0, -1) : cut).replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}
