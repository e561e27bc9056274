/**
 * What `--set field=value` sets: `price=12.5` a number, `brand=acme` a text, `brand=null` nothing; `brand="501"`, in quotes, a text too. What is no
 * JSON is text: `007`. So is what would not be sent as it was typed: 1e400, and whole numbers that would be rounded.
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
