/** `rivulet trending` against a façade with lists in hand, over a socket. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrendingUpdate } from '../../../connectors/grpc/client/client.js';
import { run } from '../../../runtime/cli/program.js';
import { Board, changeOf, lineOf, pageOf } from '../../../runtime/cli/node/trending-view.js';
import { facade } from '../../connectors/grpc/facade.js';
import { entries, entry, HandLists } from '../../connectors/facade/trending/trending-lists.js';
import { eventually } from '../../support/eventually.js';

const HEAD = ['Trending since 2019-10-01 00:00:00 UTC, by score   as of 2019-10-01 00:00:01 UTC'];

let [stdout, stderr] = ['', ''];
beforeEach(() => {
  [stdout, stderr] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((stderr += String(text)), true));
});
afterEach(() => {
  process.exitCode = undefined;
});

async function listsAndAddress() {
  const lists = new HandLists();
  const { address, server } = await facade({ trending: lists });
  return { lists, server, address: ['--address', address] };
}

describe('the list', () => {
  it('is printed once, as a table', async () => {
    const { lists, address } = await listsAndAddress();
    lists.set([{ ...entry('item-1', 1234, 'toys'), score: 1234.5 }, entry('\u001b[2J', 2)]);
    expect(await run(['trending', ...address])).toBe(0);
    expect(stdout.split('\n')).toEqual([
      ...HEAD,
      '',
      '#  ITEM     CATEGORY    SCORE  VIEWS  CLICKS  VELOCITY',
      '1  item-1   toys      1234.50  1,234       0      +617',
      '2  \\x1b[2J  –               2      2       0        +1',
      '',
    ]);
  });

  it('is the one that was asked for, as JSON', async () => {
    const { lists, address } = await listsAndAddress();
    lists.rankings.add('velocity');
    lists.set(entries('a:2 b:1'), { window: 'day', ranking: 'velocity', category: 'toys' });
    const flags = ['--window', '24h', '--ranking', 'velocity', '--category', 'toys', '-n', '1', '--json'];
    expect(await run(['trending', ...flags, ...address])).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      ...{ window: '24h', ranking: 'velocity', category: 'toys', revision: 1, as_of: '2019-10-01T00:00:01.000Z' },
      ...{ window_start: '2019-10-01T00:00:00.000Z', window_end: '2019-10-01T01:00:00.000Z' },
      items: [{ item_id: 'a', rank: 1, score: 2, views: 2, clicks: 0, velocity: 1 }],
    });
  });

  it('is the last hour, when that is asked for', async () => {
    const { lists, address } = await listsAndAddress();
    lists.set(entries('a:2'), { window: 'hour' });
    lists.set(entries('b:3'), { window: 'last-hour' });
    expect(await run(['trending', '--window', 'last-hour', '--json', ...address])).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ window: 'last-hour', items: [{ item_id: 'b' }] });
  });

  it('that is empty says why', async () => {
    const { lists, address } = await listsAndAddress();
    await run(['trending', ...address]);
    expect(stdout).toContain('Nothing yet: the node has not seen an event.');
    lists.set([]);
    await run(['trending', ...address]);
    expect(stdout).toContain('Nothing: no item is in this list.');
  });

  it('of a category without a name is not asked for', async () => {
    expect(await run(['trending', '--category='])).toBe(2);
    expect(stderr).toContain('Give a name, or leave the option out.');
  });

  it('that is not made names the setting', async () => {
    const { address } = await listsAndAddress();
    expect(await run(['trending', '--ranking', 'decayed', ...address])).toBe(1);
    expect(stderr).toMatch(/^error: this deployment does not make the ranking decayed: .*trending\.rankings/);
    expect(stdout).toBe('');
  });
});

describe('--follow without a terminal', () => {
  /** What Ctrl-C does, to this command alone. */
  const interrupt = (): void => process.listeners('SIGINT').at(-1)!('SIGINT');

  it('appends a line of JSON for each change, until Ctrl-C', async () => {
    const { lists, address } = await listsAndAddress();
    lists.set(entries('a:2 b:1'));
    const ended = run(['trending', '--follow', '--json', ...address]);
    const lines = (): { revision: number }[] =>
      stdout.split('\n').flatMap((one) => (one === '' ? [] : [JSON.parse(one)]));
    await eventually(() => expect(lines()).toMatchObject([{ revision: 1, entered: [], moved: [], left: [] }]));
    lists.set(entries('c:3 a:2'));
    await eventually(() => expect(lines()).toHaveLength(2));
    const changes = { entered: ['c'], moved: [{ item_id: 'a', from: 1, to: 2 }], left: ['b'] };
    expect(lines()[1]).toMatchObject({ revision: 2, ...changes });
    interrupt();
    expect(await ended).toBe(0);
    expect(stderr).toBe('');
  });

  it('appends tables with marks, and goes on after the node was away', async () => {
    const { lists, server, address } = await listsAndAddress();
    lists.set(entries('a:2 b:1'));
    const ended = run(['trending', '--follow', ...address]);
    await eventually(() => expect(stdout).toContain('MOVE'));
    await server.stop(1000);
    await facade({ trending: lists, port: server.port });
    lists.set(entries('b:3 a:2 c:1'));
    await eventually(() => expect(stdout).toMatch(/^1 {2}▲ 1 +b .*\n2 {2}▼ 1 +a .*\n3 {2}new +c /m));
    expect(stderr).toMatch(/^warning: the node stops.*; trying again in \d+ ms\n/);
    interrupt();
    expect(await ended).toBe(0);
  });
});

describe('the live page', () => {
  const items = entries('b:3 a:2').map((one, i) => ({ ...one, rank: i + 1 }));
  const update: TrendingUpdate = {
    ...{ revision: 2, asOfMs: Date.UTC(2019, 9, 1, 0, 0, 1), items, entered: ['b'], left: ['c'] },
    ...{ window: undefined, moved: [{ itemId: 'a', from: 1, to: 2 }] },
  };
  const listing = { window: '1h', ranking: 'score', category: 'toys' } as const;
  const text = (board: Board, nowMs: number): string =>
    pageOf(listing, board, nowMs)
      .map((line) => line.text)
      .join('\n');

  it('marks what has changed for some seconds, and says when the node is unreachable', () => {
    const board = new Board();
    expect(pageOf(listing, board, 0)).toEqual([]);
    board.take(update, 1000);
    expect(text(board, 1000)).toMatch(/^Trending in toys, 1h, by score {3}as of .*\n\n#.*\n1 {2}new .*\n2 {2}▼ 1 /);
    expect(text(board, 7000)).not.toMatch(/new|▼/);
    board.tell('the node stops; trying again in 1 s', 8000, 1000);
    expect(text(board, 8000)).toContain('the node stops; trying again in 1 s');
    expect(text(board, 15_000)).not.toContain('the node stops');
    board.tell('the node is unreachable; trying again in 9 s', 20_000, 9000);
    board.take(update, 21_000);
    expect(text(board, 21_000)).not.toContain('away');
  });

  it('in other forms says the same', () => {
    expect(changeOf(listing, update)).toContain('▼ 1');
    expect(JSON.parse(lineOf(listing, update))).toMatchObject({ window_start: null, category: 'toys', left: ['c'] });
  });
});
