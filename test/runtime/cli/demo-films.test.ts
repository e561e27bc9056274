import { describe, expect, it } from 'vitest';
import { EventReader, isFault } from '../../../actors/formats/event-reader.js';
import { createFilms } from '../../../runtime/cli/demo/films.js';
import type { DemoEvent, SimulationOptions } from '../../../runtime/cli/demo/simulation.js';
import { utf8 } from '../../../runtime/frames/bytes.js';

const START_MS = Date.UTC(2026, 0, 1);
const SECONDS = 600;
const RATE = 100;
const FAULTS = ['missing_field', 'rating_too_high', 'bad_time', 'not_json', 'unknown_type'];
const UUID = /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/;

function run(options: SimulationOptions, stepMs = 100, seconds = SECONDS): DemoEvent[] {
  const films = createFilms({ eventsPerSecond: RATE, ...options });
  const events: DemoEvent[] = [];
  for (let elapsed = 0; elapsed <= seconds * 1000; elapsed += stepMs) events.push(...films.next(START_MS + elapsed));
  return events;
}

interface FilmEvent {
  readonly event_id: string;
  readonly event_type: 'view' | 'click' | 'rating';
  readonly user_id: string;
  readonly movie_id: string;
  readonly rating?: number;
  readonly [field: string]: unknown;
}

const events = run({ seed: 7 });
const sound = events
  .filter(({ flaw }) => flaw === undefined)
  .map((event) => ({ ...event, fields: JSON.parse(event.text) as FilmEvent }));
const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = (type: FilmEvent['event_type']): number =>
  sound.filter(({ fields }) => fields.event_type === type).length / sound.length;

describe('the films', () => {
  const { items, published } = createFilms({ seed: 1, items: 5_000 });
  const described = items.map((item) => published.call(createFilms({ seed: 1 }), item)) as Record<string, string>[];

  it('are the same for a seed, each with a title and a year of its own', () => {
    expect(createFilms({ seed: 1, items: 5_000 }).items).toEqual(items);
    expect(createFilms({ seed: 2, items: 5_000 }).items).not.toEqual(items);
    expect(new Set(items.map(({ title }) => title)).size).toBe(items.length);
    for (const { title } of items) expect(title).toMatch(/^[A-Z][A-Za-z ]+( \d+)? \((19[4-9]\d|20[0-2]\d)\)$/);
  });

  it('have the genres of MovieLens: two or three each, Drama first of all', () => {
    for (const { movie_id: id, genres } of described) {
      expect(id).toMatch(/^[1-9]\d*$/);
      expect(genres).toMatch(/^[A-Z][A-Za-z-]+(\|[A-Z][A-Za-z-]+){0,4}$/);
      expect(genres!.split('|')).toEqual([...new Set(genres!.split('|'))].sort());
    }
    const perFilm = average(items.map(({ groups }) => groups.length));
    expect(perFilm).toBeGreaterThan(2);
    expect(perFilm).toBeLessThan(2.6);
    const withGenre = (genre: string): number => items.filter(({ groups }) => groups.includes(genre)).length;
    expect(withGenre('Drama')).toBeGreaterThan(withGenre('Western') * 8);
    expect(new Set(items.flatMap(({ groups }) => groups)).size).toBe(18);
  });
});

describe('their viewers', () => {
  it('do the same for a seed, however often they are asked', () => {
    expect(run({ seed: 1 }, 100, 60)).toEqual(run({ seed: 1 }, 2_500, 60));
    expect(run({ seed: 1 }, 100, 60)).not.toEqual(run({ seed: 2 }, 100, 60));
  });

  it('send events by the names of MovieLens, without category and price', () => {
    for (const { fields, userId } of sound.filter((_, i) => i % 20 === 0)) {
      expect(fields).toMatchObject({
        event_id: expect.stringMatching(UUID),
        event_ts: expect.stringMatching(/^2026-01-01T00:\d\d:\d\d\.\d{3}Z$/),
        user_id: userId,
        movie_id: expect.stringMatching(/^[1-9]\d*$/),
        session_id: expect.stringMatching(/^session-/),
      });
      const own = { view: ['page_url', 'device_type'], click: ['click_type', 'referrer'], rating: ['rating'] };
      for (const name of own[fields.event_type]) expect(fields).toHaveProperty(name);
      expect(Object.keys(fields)).not.toContain('price');
    }
    expect(new Set(sound.map(({ fields }) => fields.event_id)).size).toBe(sound.length);
    const later = createFilms({ seed: 7 }).next(START_MS + 1)[0]!;
    expect((JSON.parse(later.text) as FilmEvent).event_id).not.toBe(sound[0]!.fields.event_id);
  });

  it('keep the contracts of film events; their bad events break a rule of all schemas', () => {
    const reader = (schema: 'movielens-strict' | 'auto') => {
      const read = new EventReader({ schema });
      return (text: string) => isFault(read.json(utf8(text), START_MS + SECONDS * 1000));
    };
    const [isRefused, isRefusedByAll] = [reader('movielens-strict'), reader('auto')];
    expect(sound.filter(({ text }) => isRefused(text)).map(({ text }) => text)).toEqual([]);
    const bad = events.filter(({ flaw }) => flaw !== undefined && FAULTS.includes(flaw));
    expect(bad.filter(({ text }) => !isRefusedByAll(text)).map(({ text }) => text)).toEqual([]);
  });

  it('view most of all, and rate about one film in eight events', () => {
    expect(share('view') + share('click') + share('rating')).toBe(1);
    expect(share('view')).toBeGreaterThan(0.5);
    expect(share('rating')).toBeGreaterThan(0.08);
    expect(share('rating')).toBeLessThan(0.18);
  });

  it('rate in half steps, as people do: 3.5 on average, and what is to their taste higher', () => {
    const ratings = sound.flatMap(({ fields }) => fields.rating ?? []);
    for (const rating of ratings) expect([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]).toContain(rating);
    expect(average(ratings)).toBeGreaterThan(3.1);
    expect(average(ratings)).toBeLessThan(3.9);
  });

  it('have tastes: half of what a user does is of three genres, where all users together have many', () => {
    const genresOf = new Map<string, Map<string, number>>();
    const all = new Map<string, number>();
    for (const { userId, groups } of sound) {
      const own = genresOf.get(userId) ?? new Map<string, number>();
      genresOf.set(userId, own);
      for (const genre of groups)
        for (const counts of [own, all]) counts.set(genre, (counts.get(genre) ?? 0) + 1 / groups.length);
    }
    const topShare = (counts: ReadonlyMap<string, number>): number => {
      const sorted = [...counts.values()].sort((a, b) => b - a);
      return sorted.slice(0, 3).reduce((sum, value) => sum + value, 0) / sorted.reduce((sum, value) => sum + value, 0);
    };
    const busy = [...genresOf.values()].filter((counts) => [...counts.values()].reduce((a, b) => a + b, 0) >= 40);
    expect(busy.length).toBeGreaterThan(50);
    expect(average(busy.map(topShare))).toBeGreaterThan(topShare(all) + 0.1);
  });

  it('change their tastes with time', () => {
    const favourites = (from: number, to: number): Map<string, string> => {
      const counts = new Map<string, Map<string, number>>();
      for (const { userId, groups, fields } of sound) {
        const second = (Date.parse(String(fields['event_ts'])) - START_MS) / 1000;
        if (second < from || second >= to) continue;
        const own = counts.get(userId) ?? new Map<string, number>();
        counts.set(userId, own);
        for (const genre of groups) own.set(genre, (own.get(genre) ?? 0) + 1);
      }
      return new Map([...counts].map(([user, own]) => [user, [...own].sort((a, b) => b[1] - a[1])[0]![0]]));
    };
    const [early, late] = [favourites(0, 200), favourites(400, 600)];
    const both = [...early].filter(([user]) => late.has(user));
    expect(both.filter(([user, genre]) => late.get(user) !== genre).length).toBeGreaterThan(both.length / 4);
  });

  it('send a few bad, late and repeated events', () => {
    const among = (flaws: readonly unknown[]): number =>
      events.filter(({ flaw }) => flaws.includes(flaw)).length / events.length;
    expect(among(FAULTS)).toBeGreaterThan(1 / 800);
    expect(among(FAULTS)).toBeLessThan(1 / 300);
    for (const fault of FAULTS) expect(among([fault]), fault).toBeGreaterThan(0);
    expect(among(['late'])).toBeGreaterThan(1 / 600);
    expect(among(['duplicate'])).toBeGreaterThan(1 / 800);
  });
});
