import { describe, expect, it } from 'vitest';
import type { trending } from '../../actors/trending.js';
import { StageDriver } from '../support/stage-driver.js';
import { HOUR } from '../support/trending-oracle.js';
import { play, rowsSaid, type Step } from './script.js';
import { closed, closedOf, did, feed, listsOf, live, MINUTE, TICK } from './trending-script.js';

const said = (stage: ReturnType<typeof trending>, ...steps: Step[]): string[] => listsOf(play(stage, steps));

describe('live', () => {
  it('lists views and clicks of the newest hour and day, over all and by category', () => {
    const events = [
      did('view', 'a', 1, 'kids.toys'),
      did('purchase', 'a', 2),
      did('cart', 'b', 3, 'auto'),
      did('view', 'c', 4),
      did('view', 'c', 5),
      did('rating', 'd', 6),
      did('remove_from_cart', 'd', 6),
    ];
    const lists = said(live(), feed(...events), TICK);
    expect(lists).toEqual([
      'hour 0h score *: a 1v1c=3 b 0v1c=2 c 2v0c=2',
      'hour 0h score kids: a 1v1c=3',
      'hour 0h score auto: b 0v1c=2',
      'day -23h score *: a 1v1c=3 b 0v1c=2 c 2v0c=2',
      'day -23h score kids: a 1v1c=3',
      'day -23h score auto: b 0v1c=2',
    ]);
  });

  it('publishes at a tick the lists with events since the last one', () => {
    const steps = [
      feed(did('view', 'a', 1, 'kids'), did('view', 'b', 1, 'auto')),
      TICK,
      TICK,
      feed(did('view', 'b', 2, 'auto')),
      TICK,
    ];
    const heads = play(live(), steps).map((saying) => listsOf([saying]).map((list) => list.split(' ')[3]!));
    expect(heads).toEqual([
      [],
      ['*:', 'kids:', 'auto:', '*:', 'kids:', 'auto:'],
      [],
      [],
      ['*:', 'auto:', '*:', 'auto:'],
    ]);
  });

  it('starts over with the hour, and publishes which lists are empty then; the day goes on', () => {
    const lists = said(live(), feed(did('view', 'a', 59, 'kids')), TICK, feed(did('view', 'b', 60, 'auto')), TICK);
    expect(lists.slice(4)).toEqual([
      'hour 1h score *: b 1v0c=1',
      'hour 1h score kids:',
      'hour 1h score auto: b 1v0c=1',
      'day -22h score *: a 1v0c=1 b 1v0c=1',
      'day -22h score kids: a 1v0c=1',
      'day -22h score auto: b 1v0c=1',
    ]);
  });

  it('knows from others that an hour has begun', () => {
    const lists = said(live(), feed(did('view', 'a', 59)), TICK, { end: true, asOfMs: HOUR }, TICK);
    expect(lists.slice(2)).toEqual(['hour 1h score *:', 'day -22h score *: a 1v0c=1']);
  });

  it('rolls over midnight as over any hour, and forgets after a day', () => {
    const lists = said(
      live(),
      feed(did('view', 'a', 23 * 60)),
      feed(did('view', 'b', 24 * 60)),
      TICK,
      feed(did('view', 'c', 47 * 60 - 1)),
      TICK,
      feed(did('view', 'd', 47 * 60)),
      TICK,
    );
    expect(lists.filter((list) => list.startsWith('day'))).toEqual([
      'day 1h score *: a 1v0c=1 b 1v0c=1',
      'day 23h score *: a 1v0c=1 b 1v0c=1 c 1v0c=1',
      'day 24h score *: b 1v0c=1 c 1v0c=1 d 1v0c=1',
    ]);
  });

  it('counts what comes late into the windows that are open still', () => {
    const lists = said(live(), feed(did('view', 'a', 100)), feed(did('view', 'b', 50)), TICK);
    expect(lists).toEqual(['hour 1h score *: a 1v0c=1', 'day -22h score *: a 1v0c=1 b 1v0c=1']);
  });

  it('takes the weights and the meanings it is given', () => {
    const stage = live({ views: ['view', 'rating'], clicks: ['purchase'], viewWeight: 0.5, clickWeight: 10 });
    const events = [did('rating', 'a', 1), did('purchase', 'b', 1), did('cart', 'c', 1)];
    expect(said(stage, feed(...events), TICK)[0]).toBe('hour 0h score *: b 0v1c=10 a 1v0c=0.5');
  });

  it('ranks equals by item: numbers by value', () => {
    const events = ['10', '9', '100'].map((item) => did('view', item, 1));
    expect(said(live(), feed(...events), TICK)[0]).toBe('hour 0h score *: 9 1v0c=1 10 1v0c=1 100 1v0c=1');
  });

  it('moves an item to the category of its latest event that had one', () => {
    const lists = said(
      live(),
      feed(did('view', 'a', 5, 'kids'), did('view', 'a', 4, 'auto'), did('view', 'a', 6)),
      TICK,
      feed(did('view', 'a', 7, 'auto')),
      TICK,
    );
    expect(lists.filter((list) => list.startsWith('hour'))).toEqual([
      'hour 0h score *: a 3v0c=3',
      'hour 0h score kids: a 3v0c=3',
      'hour 0h score *: a 4v0c=4',
      'hour 0h score kids:',
      'hour 0h score auto: a 4v0c=4',
    ]);
  });

  it('lists an item of several main categories in each of them, and once over all', () => {
    const lists = said(
      live(),
      feed(did('view', 'a', 1, 'Drama|War'), did('view', 'a', 2, 'Drama|War'), did('view', 'b', 3, 'War')),
      TICK,
      feed(did('view', 'a', 4, 'Comedy|Drama')),
      TICK,
    );
    expect(lists.filter((list) => list.startsWith('hour'))).toEqual([
      'hour 0h score *: a 2v0c=2 b 1v0c=1',
      'hour 0h score Drama: a 2v0c=2',
      'hour 0h score War: a 2v0c=2 b 1v0c=1',
      'hour 0h score *: a 3v0c=3 b 1v0c=1',
      'hour 0h score Drama: a 3v0c=3',
      'hour 0h score War: b 1v0c=1',
      'hour 0h score Comedy: a 3v0c=3',
    ]);
  });

  it('by velocity: score per hour against that of the window before', () => {
    // Half an hour has passed when the step ends: a had 4 in the hour before and has 1 now, b had none and has 2.
    const before = [1, 2, 3, 4].map((at) => did('view', 'a', at));
    const now = [did('view', 'a', 61), did('view', 'b', 62), did('view', 'b', 89)];
    const lists = said(live({ rankings: ['velocity'] }), feed(...before, ...now), TICK);
    expect(lists).toContain('hour 1h score *: b 2v0c=2 a 1v0c=1');
    expect(lists).toContain('hour 1h velocity *: b 2v0c=4 a 1v0c=-2');
    const rows = rowsSaid(play(live(), [feed(...before, ...now), TICK]), 'tops').filter((r) => r['window'] === 0);
    expect(rows.map((r) => [r['score'], r['before'], r['asOf']])).toEqual([
      [2, 0, 1.5 * HOUR],
      [1, 4, 1.5 * HOUR],
    ]);
  });

  it('by velocity: the first minutes of an hour count as five', () => {
    const lists = said(live({ rankings: ['velocity'] }), feed(did('view', 'a', 60)), TICK);
    expect(lists).toContain('hour 1h velocity *: a 1v0c=12');
  });

  it('by velocity: all lists again when five minutes have passed, also those without events', () => {
    const steps = [feed(did('view', 'a', 1, 'kids')), TICK, { end: true, asOfMs: 4 * MINUTE }, TICK];
    const later = [{ end: true, asOfMs: 6 * MINUTE }, TICK];
    const lists = play(live({ rankings: ['velocity'] }), [...steps, ...later] as Step[]).map((saying) =>
      listsOf([saying]),
    );
    expect(lists[3]).toEqual([]);
    expect(lists[5]!.filter((list) => list.startsWith('hour'))).toEqual([
      'hour 0h velocity *: a 1v0c=6',
      'hour 0h velocity kids: a 1v0c=6',
    ]);
  });

  it('decayed: what happened a half-life before the end of the window counts half', () => {
    const events = [did('purchase', 'a', 0), did('view', 'a', 60), did('view', 'b', 120), did('purchase', 'b', 60)];
    const lists = said(live({ rankings: ['decayed'], halfLifeMs: HOUR }), feed(...events), TICK);
    expect(lists).toContain('day -21h decayed *: b 1v1c=1 a 1v1c=0.5');
    expect(lists).toContain('hour 2h decayed *: b 1v0c=1');
  });

  it('names its instance', () => {
    const driver = new StageDriver(live(), 3);
    driver.feed('events', [did('view', 'a', 1)]);
    expect(driver.tick(1).rows['tops']!.map((row) => row['origin'])).toEqual([3, 3, 3]);
  });

  it('publishes nothing before the first event', () => {
    expect(play(live(), [TICK, { end: true }, TICK])).toEqual([{ tops: [] }, {}, { tops: [] }]);
  });
});

describe('at the close of windows', () => {
  it('publishes each window once, when W has passed its end, and the rest at the end of the input', () => {
    // The hour from 0 closes at W + 10 min = 3 h, the day that ends with it 26 h after that.
    const steps: Step[] = [
      feed(did('view', 'a', 1)),
      { end: true, watermarkMs: 2 * HOUR + 50 * MINUTE - 1 },
      { end: true, watermarkMs: 2 * HOUR + 50 * MINUTE },
      feed(did('view', 'b', 61)),
      { end: true, watermarkMs: 2 * HOUR + 50 * MINUTE },
      { over: true },
      // The input goes on: what was open still is.
      feed(did('view', 'c', 62)),
      { over: true },
    ];
    const lists = play(closed(), steps).map((saying) => closedOf([saying]));
    expect(lists.slice(0, 5)).toEqual([[], [], ['hour 0h: a 1v0c=1'], [], []]);
    expect(lists[5]).toHaveLength(1 + 25);
    expect(lists[5]!.slice(0, 3)).toEqual(['hour 1h: b 1v0c=1', 'day -23h: a 1v0c=1', 'day -22h: a 1v0c=1 b 1v0c=1']);
    expect(lists[5]!.at(-1)).toBe('day 1h: b 1v0c=1');
    expect(lists[6]).toEqual([]);
    expect(lists[7]).toHaveLength(1 + 25);
    expect(lists[7]![0]).toBe('hour 1h: b 1v0c=1 c 1v0c=1');
  });

  it('an event that is late for the hour counts in the days that are open', () => {
    const steps: Step[] = [
      feed(did('view', 'a', 1)),
      { end: true, watermarkMs: 3 * HOUR },
      feed(did('view', 'late', 2)),
      { end: true, watermarkMs: 3 * HOUR },
      { over: true },
    ];
    const lists = closedOf(play(closed(), steps));
    expect(lists[0]).toBe('hour 0h: a 1v0c=1');
    expect(lists.filter((list) => list.startsWith('hour'))).toHaveLength(1);
    expect(lists.at(-1)).toBe('day 0h: a 1v0c=1 late 1v0c=1');
  });

  it('an event whose windows are all closed is let go', () => {
    const steps: Step[] = [
      feed(did('view', 'a', 1)),
      // The last day with the hour from 0 ends at 24 h.
      { end: true, watermarkMs: 50 * HOUR - 10 * MINUTE },
      feed(did('view', 'late', 2)),
      { over: true },
    ];
    expect(closedOf(play(closed(), steps)).join()).not.toContain('late');
  });
});
