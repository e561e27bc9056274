/** What people read: tables, numbers, times. */

/** Left-aligned columns, right-aligned where named, two spaces apart; the last column is not padded. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string {
  const widths = header.map((name, c) => Math.max(name.length, ...rows.map((row) => width(row[c] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, c) => {
        const padding = ' '.repeat(widths[c]! - width(cell));
        if (right.has(c)) return padding + cell;
        return c === cells.length - 1 ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

/** Characters, not code units; wide scripts are beyond it. */
const width = (text: string): number => [...text].length;

/** At most so many characters. */
export function shortened(text: string, charactersMax: number): string {
  const characters = [...text];
  return characters.length <= charactersMax ? text : `${characters.slice(0, charactersMax - 1).join('')}…`;
}

export const grouped = (value: number): string =>
  Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ',');

/** `512 bytes`, `45.2 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  if (bytes < 1024) return `${bytes} bytes`;
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** `350 ms`, `12 s`, `4 min`, `3 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (Math.abs(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.abs(ms) < 120_000) return `${Math.round(ms / 1_000)} s`;
  return Math.abs(ms) < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** `2026-11-21 12:48:00 UTC`, to the second. */
export const instant = (ms: number | undefined | null): string =>
  ms === undefined || ms === null || !Number.isFinite(ms)
    ? '–'
    : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** Characters that could control the terminal, or reverse the text after them: events come from untrusted publishers. */
const DRIVING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export const harmless = (text: string): string =>
  text.replaceAll(DRIVING, (c) => {
    const hex = c.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`;
  });
