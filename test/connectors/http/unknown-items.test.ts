/** GET /items/unknown: in pages, which go on where the last one ended though the list changes. */
import { describe, expect, it } from 'vitest';
import type { UnknownItem } from '../../../connectors/facade/ports.js';
import { CATALOGUE, httpFacade } from './http-facade.js';

const item = (itemId: string, lastEventMs: number): UnknownItem => ({ itemId, events: 1, lastEventMs });
const LIST = [item('e', 9), item('a', 5), item('b', 5), item('c', 5), item('d', 2)];

interface Page {
  readonly count: number;
  readonly items: readonly { readonly item_id: string }[];
  readonly next_cursor?: string;
}

describe('GET /items/unknown', () => {
  it.each([1, 2, 3, 4, 5, 6])('gives all items once, %i at a time', async (limit) => {
    const facade = await httpFacade({ catalogue: { ...CATALOGUE, unknown: () => LIST } });
    const found: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const { json } = await facade.ask(`/items/unknown?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      const page = json as Page;
      expect(page.count).toBe(page.items.length);
      found.push(...page.items.map(({ item_id: id }) => id));
      cursor = page.next_cursor;
    }
    expect(found).toEqual(['e', 'a', 'b', 'c', 'd']);
  });

  it('goes on behind an item that has left the list', async () => {
    let list = LIST;
    const facade = await httpFacade({ catalogue: { ...CATALOGUE, unknown: () => list } });
    const first = (await facade.ask('/items/unknown?limit=4')).json as Page;
    list = [item('new', 10), ...LIST.filter(({ itemId }) => itemId !== 'e')];
    const rest = (await facade.ask(`/items/unknown?cursor=${first.next_cursor}`)).json as Page;
    expect(rest.items).toEqual([{ item_id: 'd', events: 1, last_event_time: '1970-01-01T00:00:00.002Z' }]);
    list = [];
    expect((await facade.ask(`/items/unknown?cursor=${first.next_cursor}`)).json).toEqual({ count: 0, items: [] });
  });
});
