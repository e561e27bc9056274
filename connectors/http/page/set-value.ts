/**
 * Parses a typed value as `rivulet dlq retry --set field=value` does: `12.5` is a number, `null` is null, `acme` is a text; `"501"`, in quotes, is a
 * text too. Text that is not JSON stays text: `007`. So do numbers that would change when parsed: 1e400, and whole numbers that would be rounded.
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
