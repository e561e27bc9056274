import { cutText } from '../../facade/errors/cut-text.js';

/** A value that a client sent, as its error shows it: short, and without looking into it, since it may be nested more deeply than there is stack. */
export function shownValue(value: unknown, charactersMax: number): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  // Cut first: to quote a text of megabytes takes long.
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, charactersMax + 1) : value) ?? String(value);
  return text.length > charactersMax ? `${cutText(text, charactersMax)}…` : text;
}
