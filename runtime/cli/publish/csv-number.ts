/** Numbers in the columns of a CSV file: in decimal, as programs write them. JavaScript would also take a blank for 0 and 0x10 for 16. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** `undefined` where there is none. A text that is no finite number stays one, and is refused later with its name. */
export function csvNumber(text: string): number | string | undefined {
  const plain = text.trim();
  if (plain === '') return undefined;
  return DECIMAL.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : text;
}
