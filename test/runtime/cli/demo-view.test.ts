/** The demo's page: what it says, and that it fits the terminals that people have. */
import { describe, expect, it } from 'vitest';
import type { Figures } from '../../../runtime/cli/demo/figures.js';
import { FILMS, SHOP } from '../../../runtime/cli/demo/subjects.js';
import { line, page, type Place } from '../../../runtime/cli/demo/view.js';
import { rowsOf } from '../../../runtime/cli/screen.js';
import { duration, grouped, harmless, shortened, table } from '../../../runtime/cli/terminal.js';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);

const FIGURES: Figures = {
  nowMs: NOW,
  upMs: 72_000,
  events: 12_345,
  rate: 49.6,
  late: 21,
  deadLetters: 14,
  duplicates: 19,
  restarts: 0,
  lastError: undefined,
  running: 26,
  instances: 26,
  watermarkMs: NOW - 600_000,
  asOfMs: NOW,
  busiest: [
    ['electronics', 0.4],
    ['apparel', 0.2],
  ],
  user: 'user-0042',
  list: [
    { itemId: 'item-1', rank: 1, score: 0.5, category: 'electronics', type: 't', before: 3 },
    { itemId: 'item-2', rank: 2, score: 0.25, category: undefined, type: 't', before: 0 },
    { itemId: 'item-3', rank: 3, score: 0.125, category: 'apparel', type: 't', before: undefined },
  ],
  latency: { p50Ms: 4.2, p99Ms: 11, count: 100 },
};

const PLACE: Place = {
  subject: SHOP,
  nats: 'nats://127.0.0.1:4222',
  natsVersion: '2.15.1',
  grpc: '127.0.0.1:50051',
  http: 'http://127.0.0.1:8080',
  dataDir: './.rivulet',
  watermarkDelayMs: 600_000,
  resumedEvents: 0,
  news: () => undefined,
};

const COMMANDS = ['rivulet get user-0042 --explain', 'rivulet dlq ls', 'g'.repeat(130), 'n'.repeat(200)];
const texts = (rows: number, columns: number, figures = FIGURES, place = PLACE): string[] =>
  page(figures, place, COMMANDS, { rows, columns }).map(({ text }) => text);

describe('the page', () => {
  it('says what happens', () => {
    const text = texts(60, 200).join('\n');
    for (const says of [
      'up 72 s   page http://127.0.0.1:8080   gRPC 127.0.0.1:50051   NATS nats://127.0.0.1:4222',
      'events      50 per second, 12,345 so far\n',
      'late 21   dead letters 14   duplicates 19',
      '26 of 26 run   restarts 0\n',
      'watermark 2026-11-21 11:50:00 UTC, 10 min ago (delay 10 min)',
      'event to list p50 4 ms, p99 11 ms',
      'Recommendations of user-0042',
      'item-1         electronics       0.500  up from 3\n',
      'item-2         –                 0.250  new\n',
      'item-3         apparel           0.125\n',
      ...COMMANDS,
    ]) {
      expect(text).toContain(says);
    }
    expect(text).toMatch(/electronics +█+ +40 %/);
  });

  it('speaks of films, by their titles', () => {
    const list = [{ ...FIGURES.list[0]!, itemId: '7', title: 'The Silent Harbor (1994)', category: 'Drama' }];
    const text = texts(60, 200, { ...FIGURES, user: '42', list }, { ...PLACE, subject: FILMS }).join('\n');
    expect(text).toContain('Busiest genres, last minute');
    expect(text).toContain('Recommendations of 42, who is watching now');
    expect(text).toMatch(/ 1 {2}The Silent Harbor \(1994\) +Drama +0\.500/);
    expect(text).not.toMatch(/shop|categories/);
    expect(line({ ...FIGURES, user: '42', list }, FILMS)).toMatch(/42: The Silent Harbor \(1994\)$/);
  });

  it('says what went on before, and what went wrong', () => {
    const text = texts(
      60,
      200,
      { ...FIGURES, restarts: 2, lastError: 'BUG: \u001b[31moops' },
      { ...PLACE, resumedEvents: 1000, news: () => 'nats-server died' },
    ).join('\n');
    expect(text).toContain('12,345 so far, 1,000 before this start');
    expect(text).toContain('restarts 2   last: BUG: \\x1b[31moops');
    expect(text).toContain('news        nats-server died');
  });

  it.each([
    [23, 79],
    [30, 100],
    [50, 160],
  ])('fits into %d rows of %d columns, with all commands', (rows, columns) => {
    const full = {
      ...FIGURES,
      list: Array.from({ length: 6 }, (_, i) => ({ ...FIGURES.list[0]!, rank: i + 1 })),
      busiest: Array.from({ length: 6 }, (_, i) => [`c${i}`, 0.1] as const),
    };
    const lines = page(full, PLACE, COMMANDS, { rows, columns });
    const taken = lines.reduce((sum, { text, whole }) => sum + (whole === true ? rowsOf(text, columns) : 1), 0);
    expect(taken).toBeLessThanOrEqual(rows);
    expect(lines.at(-1)!.text).toContain('Ctrl-C');
  });

  it('is one line where there is no terminal', () => {
    expect(line(FIGURES, SHOP)).toBe(
      '12:00:00  events 12,345 (50/s)  late 21  dead letters 14  duplicates 19  restarts 0  latency event to list p50 4 ms, p99 11 ms  user-0042: item-1, item-2, item-3',
    );
  });
});

describe('what people read', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_000, '1 s'],
    [119_000, '119 s'],
    [600_000, '10 min'],
    [7_200_000, '2 h'],
    [NaN, '–'],
  ])('%d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it.each([
    [0, '0'],
    [999.6, '1,000'],
    [1_234_567, '1,234,567'],
  ])('%d is %s', (value, text) => {
    expect(grouped(value)).toBe(text);
  });

  it('is cut by characters, and moves no cursor', () => {
    expect(shortened('añb😀c', 4)).toBe('añb…');
    expect(harmless('a\u001b[2Jb\n\u009bc')).toBe('a\\x1b[2Jb\\x0a\\x9bc');
    expect(harmless('cba\u202e \u2066x\u061c é💥')).toBe('cba\\u202e \\u2066x\\u061c é💥');
  });

  it('stands in columns', () => {
    expect(
      table(
        ['#', 'NAME', 'LAST'],
        [
          ['1', 'é', 'x'],
          ['10', 'longer', 'y'],
        ],
        new Set([0]),
      ),
    ).toBe([' #  NAME    LAST', ' 1  é       x', '10  longer  y'].join('\n'));
  });
});
