/** The hour that slides by five minutes, worked by hand. */
import { describe, expect, it } from 'vitest';
import { StageDriver } from '../support/stage-driver.js';
import { HOUR } from '../support/trending-oracle.js';
import { play, type Saying, type Step } from './script.js';
import { closed, closedOf, did, feed, lastHoursOf, listsOf, live, MINUTE, TICK } from './trending-script.js';

describe('the last hour', () => {
  const minutes = (...at: readonly number[]): Step => ({ end: true, asOfMs: Math.max(...at) * MINUTE });

  it('is the sum of the twelve steps of five minutes that end with that of the latest event', () => {
    // The step of 64 ends at 65: from 5 on. That of 65 ends at 70: from 10 on.
    const steps = [
      feed(did('view', 'early', 4), did('view', 'a', 5), did('view', 'a', 9), did('purchase', 'b', 12)),
      feed(did('view', 'c', 64)),
      TICK,
      feed(did('view', 'd', 65)),
      TICK,
    ];
    expect(lastHoursOf(play(live(), steps))).toEqual([
      'last-hour 5m score *: a 2v0c=2 b 0v1c=2 c 1v0c=1',
      'last-hour 10m score *: b 0v1c=2 c 1v0c=1 d 1v0c=1',
    ]);
  });

  it('at nine minutes past one has what happened in an hour, and the hour of the clock what happened in nine minutes', () => {
    const events = Array.from({ length: 70 }, (_, at) => did('view', 'a', at));
    const said = play(live(), [feed(...events), TICK]);
    expect(listsOf(said)[0]).toBe('hour 1h score *: a 10v0c=10');
    expect(lastHoursOf(said)).toEqual(['last-hour 10m score *: a 60v0c=60']);
  });

  it('moves on with each step, also by the progress of others, and then publishes all its lists, empty ones included', () => {
    const steps = [
      feed(did('view', 'a', 2, 'kids'), did('view', 'b', 8, 'auto')),
      TICK,
      ...[minutes(60), TICK, minutes(62), TICK],
      ...[minutes(65), TICK, minutes(70), TICK],
    ];
    expect(play(live(), steps).map((saying) => lastHoursOf([saying]))).toEqual([
      [],
      [
        'last-hour -50m score *: a 1v0c=1 b 1v0c=1',
        'last-hour -50m score kids: a 1v0c=1',
        'last-hour -50m score auto: b 1v0c=1',
      ],
      [],
      ['last-hour 5m score *: b 1v0c=1', 'last-hour 5m score kids:', 'last-hour 5m score auto: b 1v0c=1'],
      ...[[], []],
      [],
      ['last-hour 10m score *:', 'last-hour 10m score kids:', 'last-hour 10m score auto:'],
      [],
      ['last-hour 15m score *:', 'last-hour 15m score kids:', 'last-hour 15m score auto:'],
    ]);
  });

  it('has what comes late and happened in it, and not what happened before', () => {
    const steps = [feed(did('view', 'a', 100)), feed(did('view', 'late', 45), did('view', 'later', 44)), TICK];
    expect(lastHoursOf(play(live(), steps))).toEqual(['last-hour 45m score *: a 1v0c=1 late 1v0c=1']);
  });

  it('by velocity: against the hour before it', () => {
    const before = [1, 2, 3].map((at) => did('view', 'a', at));
    const now = [did('view', 'a', 61), did('view', 'b', 119)];
    const lists = lastHoursOf(play(live({ rankings: ['velocity'] }), [feed(...before, ...now), TICK]));
    expect(lists[1]).toBe('last-hour 60m velocity *: b 1v0c=1 a 1v0c=-2');
  });

  it('decayed: as of its end', () => {
    // Its end is an hour after the view, and two after the purchase.
    const events = [did('purchase', 'a', 5), did('view', 'a', 65), did('view', 'b', 124)];
    const lists = lastHoursOf(play(live({ rankings: ['decayed'], halfLifeMs: HOUR }), [feed(...events), TICK]));
    expect(lists[1]).toBe('last-hour 65m decayed *: a 1v0c=1 b 1v0c=0.99');
  });

  it('is not counted where windows close: nobody reads it there', () => {
    const driver = new StageDriver(closed());
    driver.feed('events', [did('view', 'a', 1)]);
    // An item, its category's name, and a row of its hour.
    const keys = driver.instance.keys();
    driver.feed('events', [did('view', 'a', 11)]);
    expect(driver.instance.keys()).toBe(keys);
    const said = closedOf([driver.endInput().rows as Saying]);
    expect(said).toHaveLength(25);
  });
});
