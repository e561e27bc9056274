import { describe, expect, it } from 'vitest';
import { createShop, titleOf } from '../../../runtime/cli/demo/shop.js';
import type { DemoEvent, SimulationOptions } from '../../../runtime/cli/demo/simulation.js';

const START_MS = Date.UTC(2026, 0, 1);
const SECONDS = 600;
const RATE = 100;
const FAULTS = ['missing_field', 'negative_price', 'rating_too_high', 'bad_time', 'not_json', 'unknown_type'];

function run(options: SimulationOptions, stepMs = 100, seconds = SECONDS): DemoEvent[] {
  const shop = createShop({ eventsPerSecond: RATE, ...options });
  const events: DemoEvent[] = [];
  for (let elapsed = 0; elapsed <= seconds * 1000; elapsed += stepMs) events.push(...shop.next(START_MS + elapsed));
  return events;
}

const events = run({ seed: 7 });
const sound = events.filter(({ flaw }) => flaw === undefined).map(({ text }) => JSON.parse(text));
const among = (flaws: readonly unknown[]): number =>
  events.filter(({ flaw }) => flaws.includes(flaw)).length / events.length;

describe('the shop', () => {
  it('is the same for a seed, however often it is asked', () => {
    expect(run({ seed: 1 }, 100, 60)).toEqual(run({ seed: 1 }, 2_500, 60));
    expect(run({ seed: 1 }, 100, 60)).not.toEqual(run({ seed: 2 }, 100, 60));
  });

  it('calls each of its items by a title of its own kind, the same at each start', () => {
    const titles = ({ seed }: SimulationOptions) => createShop({ seed }).items.map((item) => [item.id, titleOf(item)]);
    expect(titles({ seed: 1 })).toEqual(titles({ seed: 1 }));
    const all = createShop({ seed: 1 }).items;
    for (const item of all) expect(titleOf(item)).toMatch(/^[A-Z][A-Za-z ]+ \d{3,}$/);
    const { brand = '' } = all.find((item) => item.brand !== undefined)!;
    expect(
      titleOf(all.find((item) => item.brand === brand)!)
        .toLowerCase()
        .startsWith(brand),
    ).toBe(true);
  });

  it('keeps about the rate it is given', () => {
    expect(events.length / SECONDS / RATE).toBeCloseTo(1, 1);
    expect(run({ seed: 3, eventsPerSecond: 2 }).length / SECONDS).toBeCloseTo(2, 0);
  });

  it('has canonical events', () => {
    for (const event of sound.filter((_, i) => i % 20 === 0)) {
      expect(event).toMatchObject({
        event_id: expect.stringMatching(/^7-/),
        event_type: expect.stringMatching(/^(view|click|cart|purchase|remove_from_cart|rating)$/),
        event_time: expect.stringMatching(/^2026-01-01T00:\d\d:\d\d\.\d{3}Z$/),
        user_id: expect.stringMatching(/^user-\d{4}$/),
        item_id: expect.stringMatching(/^item-\d{4}$/),
        session_id: expect.stringMatching(/^session-/),
      });
      expect(event.category_code ?? 'a.b').toMatch(/^[a-z]+\.[a-z_]+$/);
      expect(event.price).toBeGreaterThan(0);
      if (event.event_type === 'rating') expect([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]).toContain(event.rating);
    }
    expect(new Set(sound.map(({ event_id }) => event_id)).size).toBe(sound.length);
  });

  it('names events after the run as well: a second one is not taken for a repeat', () => {
    const later = createShop({ seed: 7 });
    expect(JSON.parse(later.next(START_MS + 1)[0]!.text).event_id).not.toBe(sound[0].event_id);
  });

  it('has few bad, late and repeated events', () => {
    expect(among(FAULTS)).toBeGreaterThan(1 / 800);
    expect(among(FAULTS)).toBeLessThan(1 / 300);
    for (const fault of FAULTS) expect(among([fault])).toBeGreaterThan(0);
    expect(among(['late'])).toBeGreaterThan(1 / 600);
    expect(among(['late'])).toBeLessThan(1 / 150);
    expect(among(['duplicate'])).toBeGreaterThan(1 / 800);
    expect(among(['duplicate'])).toBeLessThan(1 / 200);
  });

  it('makes late and repeated events so', () => {
    const seen = new Set<string>();
    for (const { text, flaw } of events) {
      if (flaw === 'duplicate') expect(seen).toContain(text);
      seen.add(text);
      if (flaw === 'late')
        expect(Date.parse(JSON.parse(text).event_time)).toBeLessThan(START_MS + SECONDS * 1000 - 20 * 60_000);
      if (flaw === 'not_json') expect(() => JSON.parse(text)).toThrow();
    }
  });

  it('makes up for a few seconds at most', () => {
    const shop = createShop({ seed: 1, eventsPerSecond: RATE });
    shop.next(START_MS);
    expect(shop.next(START_MS + 3_600_000).length).toBeLessThan(RATE * 5 * 1.5);
    expect(shop.next(START_MS)).toEqual([]);
  });
});
