/**
 * What a typed value means, as `rivulet dlq retry --set field=value` has it: `12.5` a number, `null` nothing, `acme` a text; `"501"`, in quotes, a
 * text too. What is no JSON is text: `007`. So is what would not be sent as it was typed: 1e400, and whole numbers that would be rounded.
 */
export function meantBy(typed: string): unknown {
  const text = typed.trim();
  try {
    return JSON.parse(text, (_, value: unknown) => {
      if (typeof value === 'number' && !isSound(value)) throw new RangeError(`${text} would be changed`);
      return value;
    });
  } catch {
    return text;
  }
}

const isSound = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
