import { describe, expect, it } from 'vitest';
import { parse, type ParseOptions } from '../../actors/parse.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import { batch, json } from '../support/raw-messages.js';
import { type AnyRow, StageDriver } from '../support/stage-driver.js';

const T = '2019-10-01T00:00:00Z';
const driverOf = (options: ParseOptions = {}): StageDriver => new StageDriver(parse({ history: true, ...options }));
const view = (id: string, more: object = {}): object => ({
  ...{ event_id: id, event_type: 'view', event_time: T, user_id: 'u', item_id: 'i' },
  ...more,
});
const SEC = 1_000;

/** What each step published, as event ids. */
const idsOf = ({ rows }: { readonly rows: Readonly<Record<string, readonly AnyRow[]>> }): unknown[] =>
  (rows['history'] ?? []).map(({ eventId }) => eventId);

describe('the history that parse publishes', () => {
  it('has every field of an event, and its position', () => {
    const driver = driverOf();
    const rich = view('e2', {
      ...{ event_type: 'rating', category_code: 'a.b', brand: 'acme', price: 9.5, session_id: 's', rating: 4.5 },
      ...{
        page_url: 'https://shop/i',
        device_type: 'phone',
        click_type: 'card',
        referrer: 'https://mail',
        review_text: 'ok',
      },
    });
    driver.feed('events', batch(json([view('e1'), rich], { sequence: 42, storedAtMs: 1_600_000_000_000 })));
    driver.tick(0);
    expect(driver.tick(10 * SEC).rows['history']).toEqual([
      expect.objectContaining({ eventId: 'e1', sequence: 42, index: 0, receivedAt: 1_600_000_000_000, duplicate: 0 }),
      {
        ...{
          time: Date.parse(T),
          type: 5,
          user: 'u',
          item: 'i',
          category: 'a.b',
          brand: 'acme',
          price: 9.5,
          rating: 4.5,
        },
        ...{ eventId: 'e2', session: 's', pageUrl: 'https://shop/i', deviceType: 'phone', clickType: 'card' },
        ...{ referrer: 'https://mail', reviewText: 'ok', sequence: 42, index: 1, receivedAt: 1_600_000_000_000 },
        duplicate: 0,
        past: 0,
      },
    ]);
  });

  it('has duplicates, marked, with their own fields, and no refused events', () => {
    const driver = driverOf();
    driver.feed(
      'events',
      batch(json([view('e1', { price: 1 }), view('bad', { price: -1 }), view('e1', { price: 2 })])),
    );
    driver.tick(0);
    const rows = driver.tick(10 * SEC).rows['history'];
    expect(rows?.map(({ eventId, price, duplicate }) => [eventId, price, duplicate])).toEqual([
      ['e1', 1, 0],
      ['e1', 2, 1],
    ]);
  });

  it('waits until ten seconds after the tick that found rows, and publishes nothing where nothing waits', () => {
    const driver = driverOf();
    expect(idsOf(driver.tick(0))).toEqual([]);
    driver.feed('events', batch(json(view('e1'))));
    expect(idsOf(driver.tick(100 * SEC))).toEqual([]);
    driver.feed('events', batch(json(view('e2'))));
    expect(idsOf(driver.tick(109 * SEC))).toEqual([]);
    expect(idsOf(driver.tick(110 * SEC))).toEqual(['e1', 'e2']);
    expect(idsOf(driver.tick(200 * SEC))).toEqual([]);
  });

  it('groups rows by the rows alone, however they arrive, also after a crash in between', () => {
    const messages = Array.from({ length: 11 }, (_, i) =>
      json([view(`${i}a`), view(`${i}b`, i === 6 ? { referrer: 'x'.repeat(1_100_000) } : {})], { sequence: i + 1 }),
    );
    const groupsWith = (sizes: readonly number[], crashes: boolean): unknown[] => {
      const driver = driverOf({ historyRowsMax: 5, messageBytesMax: 2_000_000 });
      const groups: unknown[] = [];
      let left: readonly RawMessage[] = messages;
      for (let i = 0; left.length > 0; i++) {
        const size = sizes[i % sizes.length]!;
        const taken = batch(...left.slice(0, size));
        left = left.slice(size);
        if (crashes) {
          driver.snapshot();
          driver.feed('events', taken);
          driver.crash();
        }
        groups.push(
          ...driver
            .feed('events', taken)
            .frames.filter(({ output }) => output === 'history')
            .map(({ frame }) => frame.rows),
        );
      }
      driver.tick(0);
      return [...groups, idsOf(driver.tick(10 * SEC))];
    };
    const expected = groupsWith([1], false);
    expect(expected).toEqual([5, 5, 4, 5, ['9b', '10a', '10b']]);
    for (const sizes of [[11], [2, 3]]) {
      expect(groupsWith(sizes, false)).toEqual(expected);
      expect(groupsWith(sizes, true)).toEqual(expected);
    }
  });

  it('is empty unless it is asked for', () => {
    const driver = driverOf({ history: false });
    driver.feed('events', batch(json(view('e1'))));
    driver.tick(0);
    expect(idsOf(driver.tick(10 * SEC))).toEqual([]);
  });
});
