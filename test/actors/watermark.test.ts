/** The watermark stage, by hand. */
import { describe, expect, it } from 'vitest';
import { CART, parsedEvents, VIEW } from '../../actors/model.js';
import { frameOf, type Progress } from '../../runtime/contract/stage.js';
import { type Said, StageDriver } from '../support/stage-driver.js';
import { event, stageOf, stored } from './watermark-stage.js';

/** Output and number of rows of each frame. */
const sizes = (said: Said): string[] => said.frames.map(({ output, frame }) => `${output} ${frame.rows}`);
const ALL_EMPTY = ['rows 0', 'popularity 0', 'engagements 0'];

describe('rows', () => {
  it('pass as they are, not copied', () => {
    const frame = frameOf(parsedEvents, [event(1), stored(2, 1)]);
    const { frames } = new StageDriver(stageOf('frame')).feed('events', frame);
    expect(frames.map(({ output }) => output)).toEqual(['rows']);
    const { columns } = frames[0]!.frame;
    expect(Object.keys(columns)).toEqual(
      Object.keys(frame.columns).filter((name) => !['storedAt', 'past', 'position', 'arm'].includes(name)),
    );
    for (const [name, column] of Object.entries(columns)) expect(frame.columns).toHaveProperty(name, column);
    expect(columns['time']).toBe(frame.columns.time);
  });

  describe('also go to popularity and trending, with what they look at', () => {
    const engagements = Uint8Array.from([1, 0, 1, 0, 0, 0]);
    const looked = [
      { time: 1, type: VIEW, item: '1' },
      { time: 2, type: CART, item: '1' },
      { time: 3, type: VIEW, item: '1', category: 'kids' },
    ];
    const rows = [event(1), event(2, CART), { ...event(3), category: 'kids' }];

    it('at once of files, where it counts any of them', () => {
      const driver = new StageDriver(stageOf('file', true, engagements));
      expect(driver.feed('events', rows).rows).toMatchObject({ popularity: looked, engagements: looked });
      expect(sizes(driver.feed('events', [event(4, CART)]))).toEqual(['rows 1']);
    });

    /** A source that has had enough rows: it is not new. */
    const used = (): StageDriver => {
      const driver = new StageDriver(stageOf('frame', true, engagements));
      const sent = driver.feed(
        'events',
        Array.from({ length: 1_000 }, () => event(0)),
      );
      expect(sizes(sent)).toEqual(['rows 1000', 'popularity 1000', 'engagements 1000']);
      return driver;
    };

    it('live at the next tick, once, whatever crashes there are; of a new source at once', () => {
      const driver = used();
      expect(sizes(driver.feed('events', rows.slice(0, 1)))).toEqual(['rows 1']);
      driver.snapshot();
      driver.feed('events', rows.slice(1));
      driver.crash();
      expect(sizes(driver.feed('events', rows.slice(1)))).toEqual(['rows 2']);
      expect(driver.tick(1_000).rows).toMatchObject({ popularity: looked, engagements: looked });
      driver.snapshot();
      driver.crash();
      expect(driver.tick(2_000).rows['engagements']).toEqual([]);
    });

    it('only to trending, where a table says what is popular', () => {
      const driver = new StageDriver(stageOf('file', false, engagements));
      expect(sizes(driver.feed('events', rows))).toEqual(['rows 3', 'engagements 3']);
      expect(driver.feed('events', [event(4)]).rows['engagements']).toEqual([{ time: 4, type: VIEW, item: '1' }]);
    });

    it('live before the tick when there are very many', () => {
      const driver = used();
      const many = Array.from({ length: 5_000 }, (_, i) => event(i));
      expect(sizes(driver.feed('events', many))).toEqual(['rows 5000']);
      expect(sizes(driver.feed('events', many))).toEqual(['rows 5000', 'popularity 10000', 'engagements 10000']);
      expect(driver.tick(1_000).rows['engagements']).toEqual([]);
    });
  });

  it('that are none are nothing', () => {
    const driver = new StageDriver(stageOf('frame'));
    expect(driver.feed('events', []).frames).toEqual([]);
    expect(driver.tick(1).progress[0]).not.toHaveProperty('watermarkMs');
  });
});

describe('trigger frame, by hand', () => {
  it('ends an epoch with each frame; W never moves back', () => {
    const driver = new StageDriver(stageOf('frame'));
    const said = (...times: number[]) =>
      driver.feed(
        'events',
        times.map((time) => event(time)),
      ).progress;
    expect(said(100, 70)).toEqual([{ watermarkMs: 90, asOfMs: 100, endsEpoch: true }]);
    expect(said(80)).toEqual([{ watermarkMs: 90, asOfMs: 100, endsEpoch: true }]);
    expect(said(101)).toEqual([{ watermarkMs: 91, asOfMs: 101, endsEpoch: true }]);
  });

  it.each([
    // [event time, stored], …         W       as of
    ['on time', [[100, 100]], { watermarkMs: 90, asOfMs: 100 }],
    ['late', [[40, 100]], { watermarkMs: 30, asOfMs: 40 }],
    ['ahead by less than the skew', [[103, 100]], { watermarkMs: 93, asOfMs: 100 }],
    ['ahead by the skew', [[105, 100]], { watermarkMs: 95, asOfMs: 100 }],
    ['ahead by more', [[9_000, 100]], { watermarkMs: 95, asOfMs: 100 }],
    [
      'ahead, among others',
      [
        [99, 99],
        [9_000, 100],
        [101, 101],
      ],
      { watermarkMs: 95, asOfMs: 101 },
    ],
    [
      'ahead, and passed by the clock',
      [
        [120, 100],
        [121, 122],
      ],
      { watermarkMs: 111, asOfMs: 121 },
    ],
  ])('follows events no further than the clock of the log and the skew: %s', (_, rows, expected) => {
    const driver = new StageDriver(stageOf('frame'));
    const fed = (rows as [number, number][]).map(([time, at]) => stored(time, at));
    expect(driver.feed('events', fed).progress).toEqual([{ ...expected, endsEpoch: true }]);
    expect(driver.tick(1_000).progress[0]).toMatchObject(expected);
  });

  it('at each tick tells all partitions of all outputs', () => {
    const driver = new StageDriver(stageOf('frame'));
    const beforeAny = driver.tick(1_000);
    expect(sizes(beforeAny)).toEqual(ALL_EMPTY);
    const nothing: Progress = { tickMs: 1_000, idle: false, endsEpoch: true, everywhere: true };
    expect(beforeAny.progress).toEqual([nothing, nothing, nothing]);
    driver.feed('events', [event(100)]);
    const told: Progress = { ...nothing, tickMs: 1_001, watermarkMs: 90, asOfMs: 100 };
    expect(driver.tick(1_001).progress).toEqual([told, told, told]);
  });

  it('is idle when no rows came since a tick long enough ago, and awake everywhere with the next rows', () => {
    const driver = new StageDriver(stageOf('frame'));
    const idleAt = (timeMs: number) => [...new Set(driver.tick(timeMs).progress.map(({ idle }) => idle))];
    driver.tick(1_000);
    driver.feed('events', [event(100)]);
    // Silent since the tick 1 010: the rows came before it.
    expect(idleAt(1_010)).toEqual([false]);
    expect(idleAt(1_069)).toEqual([false]);
    expect(idleAt(1_070)).toEqual([true]);
    const woken = driver.feed('events', [event(101)]);
    expect(sizes(woken)).toEqual(['rows 1', 'popularity 0', 'engagements 0']);
    const awake: Progress = { watermarkMs: 91, asOfMs: 101, endsEpoch: true, idle: false, everywhere: true };
    expect(woken.progress).toEqual([awake, awake, awake]);
    expect(sizes(driver.feed('events', [event(102)]))).toEqual(['rows 1']);
    expect(idleAt(1_080)).toEqual([false]);
  });

  it('is idle though no rows ever came', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.tick(1_000);
    expect(driver.tick(1_060).progress[0]).toMatchObject({ idle: true });
  });

  it('says nothing at the end of an epoch of its own', () => {
    const driver = new StageDriver(stageOf('frame'));
    driver.feed('events', [event(1)]);
    expect(driver.endEpoch().frames).toEqual([]);
  });
});

describe('trigger file, by hand', () => {
  it('says W at the end of a file only; ticks are nothing', () => {
    const driver = new StageDriver(stageOf('file'));
    expect(driver.feed('events', [event(100)]).progress).toEqual([]);
    expect(driver.tick(1_000).frames).toEqual([]);
    const end = driver.endEpoch();
    expect(sizes(end)).toEqual(ALL_EMPTY);
    const marker: Progress = { watermarkMs: 90, asOfMs: 100, everywhere: true };
    expect(end.progress).toEqual([marker, marker, marker]);
    driver.tick(9_000);
    expect(driver.feed('events', [event(50)]).progress).toEqual([]);
    expect(driver.endEpoch().progress).toEqual([marker, marker, marker]);
  });

  it('has an end also for a file without rows', () => {
    expect(new StageDriver(stageOf('file')).endEpoch().progress).toEqual([
      { everywhere: true },
      { everywhere: true },
      { everywhere: true },
    ]);
  });
});

describe('trigger interval, by hand', () => {
  it('ends epochs at the first tick past a multiple, as many as were passed', () => {
    const driver = new StageDriver(stageOf('interval'));
    const ticks = [1_003, 1_024, 1_026, 1_049, 1_050, 1_120, 1_124].map((timeMs) => {
      driver.feed('events', [event(timeMs - 1_000)]);
      return driver.tick(timeMs);
    });
    expect(ticks.map(sizes)).toEqual([ALL_EMPTY, [], ALL_EMPTY, [], ALL_EMPTY, ALL_EMPTY, []]);
    const marker = { idle: false, endsEpoch: true, everywhere: true };
    expect(ticks.flatMap(({ progress }) => progress.slice(0, 1))).toEqual([
      { ...marker, epochs: 40, tickMs: 1_003, watermarkMs: -7, asOfMs: 3 },
      { ...marker, tickMs: 1_026, watermarkMs: 16, asOfMs: 26 },
      { ...marker, tickMs: 1_050, watermarkMs: 40, asOfMs: 50 },
      { ...marker, epochs: 2, tickMs: 1_120, watermarkMs: 110, asOfMs: 120 },
    ]);
  });

  it('lets rows go without progress, but for those that wake it', () => {
    const driver = new StageDriver(stageOf('interval'));
    expect(driver.feed('events', [event(1)]).progress).toEqual([]);
    driver.tick(1_000);
    expect(driver.tick(1_060).progress[0]).toMatchObject({ idle: true });
    const awake: Progress = { idle: false, everywhere: true };
    expect(driver.feed('events', [event(2)]).progress).toEqual([awake, awake, awake]);
    expect(driver.feed('events', [event(3)]).progress).toEqual([]);
  });
});
