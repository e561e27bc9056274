/**
 * The beginning of a text, at most so many UTF-16 units, that UTF-8 has: a character of two units that does not fit is left out whole, and halves
 * that the text had already become U+FFFD.
 */
export function cutText(text: string, unitsMax: number): string {
  const cut = text.slice(0, unitsMax);
  const isHalved = text.length > unitsMax && /[\uD800-\uDBFF]$/.test(cut);
  return (isHalved ? cut.slice(0, -1) : cut).replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}
