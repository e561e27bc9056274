/**
 * The value of `--set field=value`: `price=12.5` a number, `brand=acme` text, `brand=null` nothing; `brand="501"`, quoted, text too. Anything that is not
 * JSON is text: `007`. So are numbers that would change: 1e400, and whole numbers that would be rounded.
 */
export function meantBy(typed: string): unknown {
  try {
    return JSON.parse(typed, (_, value: unknown) => {
      if (typeof value === 'number' && !isSound(value)) throw new RangeError(`${typed} would be changed`);
      return value;
    });
  } catch {
    return typed;
  }
}

const isSound = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
