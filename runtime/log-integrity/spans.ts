/** Ranges of sequences: which messages of a stream are lost. */

/** Sequences from … to, both included. */
export type Span = readonly [from: number, to: number];

/** In order, none touching another. */
export function spansOf(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    const before = joined.at(-1);
    if (before !== undefined && from <= before[1] + 1) joined[joined.length - 1] = [before[0], Math.max(to, before[1])];
    else joined.push([from, to]);
  }
  return joined;
}

/** Is all of a span in one of these, which `spansOf` has joined? */
export const isWithin = (spans: readonly Span[], [from, to]: Span): boolean =>
  spans.some(([first, last]) => first <= from && to <= last);

/** `message 7`, `messages 7 to 9, 12`. */
export function spanText(spans: readonly Span[]): string {
  const isOne = spans.length === 1 && spans[0]![0] === spans[0]![1];
  const texts = spans.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
  return `${isOne ? 'message' : 'messages'} ${texts.join(', ')}`;
}
