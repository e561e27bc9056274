/** Events of the past, stage by stage: they count with their own times, are never late, and move nothing that follows the present. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interestRanking } from '../../actors/interest-ranking.js';
import { CART, VIEW } from '../../actors/model.js';
import { parse } from '../../actors/parse.js';
import { window, type WindowOptions } from '../../actors/window.js';
import type { Columns, Row } from '../../runtime/contract/stage.js';
import { batch, json } from '../support/raw-messages.js';
import { type AnyRow, StageDriver } from '../support/stage-driver.js';
import { event, IDLE_AFTER, stageOf } from './watermark-stage.js';

const MINUTE = 60_000;

describe('parse', () => {
  const view = (id: string) => ({
    ...{ event_id: id, event_type: 'view', event_time: '2019-10-01T00:00:00Z', user_id: 'u', item_id: 'i' },
  });
  const flags = (rows: readonly AnyRow[] | undefined) => rows?.map(({ past }) => past);

  it('tells the past by the subject, as published and as the stream stores it', () => {
    const driver = new StageDriver(parse());
    const subjects = ['rivulet.events.past.a', 'rivulet.events.past', 'rivulet.parse.3.events.past.a'];
    const others = ['rivulet.events.view.past', 'rivulet.events.pasta.u', 'rivulet.parse.3.events.view.past'];
    const messages = [...subjects, ...others].map((subject, i) => json(view(`e${i}`), { subject }));
    expect(flags(driver.feed('events', batch(...messages)).rows['rows'])).toEqual([1, 1, 1, 0, 0, 0]);
  });

  it('knows an event that was live and is in the past, whichever comes first, and forgets no live one for an import', () => {
    const driver = new StageDriver(parse({ dedupeMax: 4 }));
    const past = { subject: 'rivulet.events.past.a' };
    const take = (ids: string[], more = {}): number =>
      driver.feed('events', batch(json(ids.map(view), more))).rows['rows']?.length ?? 0;
    expect(take(['a', 'b'])).toBe(2);
    expect(take(['b', 'c', 'd', 'e', 'f', 'g'], past)).toBe(5);
    expect(take(['a', 'b', 'g'])).toBe(0);
  });

  it('has the past in the history, in the order of the log', () => {
    const driver = new StageDriver(parse({ history: true, historyRowsMax: 3 }));
    const { rows } = driver.feed(
      'events',
      batch(json(view('1')), json(view('2'), { subject: 'rivulet.events.past.a' }), json(view('3'))),
    );
    expect(rows['history']?.map(({ eventId }) => eventId)).toEqual(['1', '2', '3']);
    expect(rows['history']?.map(({ past }) => past)).toEqual([0, 1, 0]);
  });
});

describe('watermark', () => {
  const past = (time: number, more: object = {}) => ({ ...event(time), past: 1, ...more });

  it('does not follow the past, and sends it on beside the present', () => {
    const driver = new StageDriver(stageOf('frame', true, Uint8Array.from([1, 1, 1, 1, 1, 1])));
    const { frames, rows } = driver.feed('events', [event(100), past(5_000), past(3), event(101)]);
    expect(rows['rows']?.map(({ time }) => time)).toEqual([100, 101]);
    expect(rows['past']?.map(({ time }) => time)).toEqual([5_000, 3]);
    expect(rows['engagements']?.map(({ time }) => time)).toEqual([100, 101]);
    expect(rows['popularity']?.map(({ time }) => time).sort()).toEqual([100, 101, 3, 5_000]);
    const reported = frames.map(({ output, progress }) => [output, progress?.watermarkMs, progress?.asOfMs]);
    expect(reported).toContainEqual(['rows', 91, 101]);
    expect(reported).toContainEqual(['past', undefined, undefined]);
  });

  it('is idle while only the past comes', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.feed('events', [event(1)]);
    driver.tick(10);
    driver.feed('events', [past(2)]);
    const { frames } = driver.tick(10 + IDLE_AFTER);
    expect(frames[0]?.progress).toMatchObject({ idle: true });
    expect(driver.feed('events', [past(3)]).frames.some(({ progress }) => progress?.everywhere === true)).toBe(false);
  });

  it('gives an event of the past the categories of its item', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.feed('items', [{ item: '1', category: 'drama|war' }]);
    expect(driver.feed('events', [past(1)]).rows['past']).toMatchObject([{ category: 'drama|war' }]);
  });
});

describe('window', () => {
  const view = (minute: number, more: object = {}) => ({
    ...{ time: minute * MINUTE, type: VIEW, user: 'u', item: '1' },
    ...more,
  });
  const rowText = (row: Row<Columns>): string => {
    const minute = (name: string): number => (row[name] as number) / MINUTE;
    return `${minute('windowStart')}-${minute('windowEnd')} ${row['item']}×${row['count']}+${row['added']}@${minute('time')}`;
  };
  const rowsOf = (options: WindowOptions, minutes: readonly number[]): string[] => {
    const driver = new StageDriver(window(options));
    driver.feed('events', [view(1_000)]);
    driver.endEpoch(990 * MINUTE);
    driver.endEpoch(990 * MINUTE);
    const said = driver.feed(
      'past',
      minutes.map((minute) => view(minute)),
    );
    expect(said.rows['late'] ?? []).toEqual([]);
    expect(driver.counts()).toMatchObject({ on_time: 1 + minutes.length, late: 0 });
    return (said.rows['past'] ?? []).map(rowText);
  };

  it.each([
    ['tumbling', {}, ['5-10 1×1+1@7', '0-5 1×1+1@3', '5-10 1×1+1@7']],
    [
      'hopping',
      { kind: { kind: 'hopping', sizeMs: 10 * MINUTE, slideMs: 5 * MINUTE } },
      ['0-10 1×1+1@7', '5-15 1×1+1@7', '-5-5 1×1+1@3', '0-10 1×1+1@3', '0-10 1×1+1@7', '5-15 1×1+1@7'],
    ],
    ['session', { kind: { kind: 'session', gapMs: 5 * MINUTE } }, ['7-12 1×1+1@7', '3-8 1×1+1@3', '7-12 1×1+1@7']],
  ] as const)('gives each event of the past its rows at once, never late: %s', (_, options, expected) => {
    expect(rowsOf(options, [7, 3, 7])).toEqual(expected);
  });

  it('counts the past in no window that is open', () => {
    const driver = new StageDriver(window());
    driver.feed('events', [view(7)]);
    driver.feed('past', [view(7), view(8)]);
    expect(driver.endEpoch(0).rows['rows']?.map(rowText)).toEqual(['5-10 1×1+1@7']);
  });

  it('says the same rows however the past is framed, and after a crash', () => {
    const minutes = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(minutes, fc.nat(), (all, at) => {
        const driver = new StageDriver(window());
        const cut = at % all.length;
        const first = driver.feed(
          'past',
          all.slice(0, cut).map((minute) => view(minute)),
        );
        driver.snapshot();
        driver.crash();
        const second = driver.feed(
          'past',
          all.slice(cut).map((minute) => view(minute)),
        );
        const rows = [...(first.rows['past'] ?? []), ...(second.rows['past'] ?? [])].map(rowText);
        expect(rows).toEqual(rowsOf({}, all));
      }),
      { numRuns: 50 },
    );
  });
});

describe('interest-ranking', () => {
  const HOUR = 3_600_000;
  const decayed = () => new StageDriver(interestRanking({ scope: { kind: 'decayed', halfLifeMs: HOUR } }));
  const row = (time: number, category: string, type = VIEW, user = 'u') => ({
    ...{ windowStart: time, windowEnd: time + 1, user, item: category, type, category },
    ...{ count: 1, added: 1, time },
  });
  const ranked = ({ rows }: { readonly rows: Readonly<Record<string, readonly AnyRow[]>> }): unknown[] =>
    (rows['interests'] ?? []).map(({ user, category, interest }) => [user, category, interest].join(' '));

  const users = (count: number) => Array.from({ length: count }, (_, n) => row(1, 'drama', VIEW, `u${n}`));
  const usersIn = (said: Parameters<typeof ranked>[0]): string[] =>
    (said.rows['interests'] ?? []).map(({ user }) => String(user));

  it('ranks users of the past at a tick, with all that came before it, also after a crash', () => {
    const driver = decayed();
    expect(ranked(driver.feed('past', [row(1, 'drama')]))).toEqual([]);
    expect(driver.instance.holdsBack()).toBe(true);
    expect(ranked(driver.feed('past', [row(1, 'drama')]))).toEqual([]);
    driver.snapshot();
    driver.crash();
    const last = driver.tick(1_000);
    expect(ranked(last)).toEqual(['u drama 2']);
    expect(last.rows['interactions']).toMatchObject([{ user: 'u', item: 'drama', count: 2, time: 1 }]);
    expect(driver.instance.holdsBack()).toBe(false);
    expect(driver.tick(2_000).frames).toEqual([]);
  });

  it('ranks them in portions: some at a tick while an import goes on, two thousand or so at those after it, each user once', () => {
    const driver = decayed();
    driver.feed('past', users(5_000));
    const [first, ...others] = Array.from({ length: 12 }, (_, tick) => usersIn(driver.tick(tick * 1_000)));
    expect(first!.length).toBeGreaterThan(0);
    expect(first!.length).toBeLessThan(400);
    for (const portion of others) expect(portion.length).toBeLessThanOrEqual(2_000);
    const all = [...first!, ...others.flat()];
    expect(all.sort()).toEqual(
      users(5_000)
        .map(({ user }) => user)
        .sort(),
    );
    expect(driver.instance.holdsBack()).toBe(false);
  });

  it('ranks each user of an import that goes on about once a minute, and those of the present at once', () => {
    const driver = decayed();
    const lists: string[] = [];
    for (let tick = 1; tick <= 70; tick++) {
      driver.feed('past', users(1_000));
      driver.feed('rows', [row(2, 'war', VIEW, 'live')]);
      expect(ranked(driver.endEpoch(0))).toEqual([`live war ${tick}`]);
      lists.push(...usersIn(driver.tick(tick * 1_000)));
    }
    expect(new Set(lists).size).toBe(1_000);
    expect(lists.length).toBeLessThan(1_300);
  });

  it('holds no more users back than it has room for: above that it ranks the next portion with the rows that come', () => {
    const driver = decayed();
    expect(usersIn(driver.feed('past', users(61_000)))).toEqual([]);
    const portion = usersIn(driver.feed('past', users(63_000).slice(61_000)));
    expect(portion.length).toBeGreaterThan(1_000);
    expect(portion.length).toBeLessThan(4_000);
  });

  it('ranks the same whatever the frames, and in the same order after a crash', () => {
    const driver = decayed();
    const rest = (from: StageDriver): unknown[] =>
      Array.from({ length: 8 }, (_, tick) => ranked(from.tick(10_000 + tick)));
    driver.feed('past', users(3_000));
    driver.tick(1);
    driver.snapshot();
    const expected = rest(driver);
    driver.crash();
    expect(rest(driver)).toEqual(expected);
    const framed = decayed();
    for (const one of [users(3_000).slice(0, 700), users(3_000).slice(700)]) framed.feed('past', one);
    framed.tick(1);
    expect(rest(framed)).toEqual(expected);
  });

  it('adds the past to the interests as of its time, before or after the present', () => {
    const [now, before] = [row(10 * HOUR, 'drama'), row(8 * HOUR, 'comedy', CART)];
    const interestsOf = (...frames: AnyRow[]): unknown[] => {
      const driver = decayed();
      let last: readonly AnyRow[] = [];
      for (const frame of frames) {
        driver.feed('rows', [frame]);
        last = driver.endEpoch(0).rows['interests'] ?? [];
      }
      return last.map(({ category, interest, rank }) => [category, interest, rank]);
    };
    // A cart counts 3, two half-lives ago 3/4.
    const expected = [
      ['drama', 1, 1],
      ['comedy', 0.75, 2],
    ];
    expect(interestsOf(now, before)).toEqual(expected);
    expect(interestsOf(before, now)).toEqual(expected);
  });
});
