/** Decimal numbers in the columns of a CSV file. JavaScript would also read a blank as 0 and 0x10 as 16. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** `undefined` if empty. Text that is not a finite number stays text, and validation rejects it with its name. */
export function csvNumber(text: string): number | string | undefined {
  const plain = text.trim();
  if (plain === '') return undefined;
  return DECIMAL.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : text;
}
