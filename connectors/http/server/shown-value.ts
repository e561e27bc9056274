import { cutText } from '../../facade/errors/cut-text.js';

/** A client's value as shown in its error: short, and not traversed, because it may be nested more deeply than the stack allows. */
export function shownValue(value: unknown, charactersMax: number): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  // Truncated first: quoting megabytes takes long.
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, charactersMax + 1) : value) ?? String(value);
  return text.length > charactersMax ? `${cutText(text, charactersMax)}…` : text;
}
