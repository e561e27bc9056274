/** Impressions: what they carry, in every format; where they go, and where not; and what ranking learns of them. */
import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { IMPRESSION, VIEW } from '../../actors/model.js';
import { parse } from '../../actors/parse.js';
import { rankingLearner, rankingReader } from '../../actors/ranking-learner.js';
import { watermark } from '../../actors/watermark.js';
import { EventSchema, EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import { batch, csv, deadLettersOf, json, message } from '../support/raw-messages.js';
import { StageDriver } from '../support/stage-driver.js';

const T = '2019-10-01T00:00:00Z';
const AT = Date.parse(T);
const MINUTE = 60_000;
const GOOD = { event_type: 'impression', event_time: T, user_id: 'ann', item_id: 'tv' };
const LIST = { position: 3, model: 'streaming-hybrid', arm: 'lists/new' };

const parsed = (of: RawMessage) => new StageDriver(parse()).feed('events', batch(of));
const refusal = (more: object): unknown => {
  const [letter] = deadLettersOf(parsed(json({ ...GOOD, ...more })));
  return letter === undefined ? undefined : [letter.rule, letter.field];
};

describe('an impression', () => {
  it.each([
    ['JSON', json({ ...GOOD, ...LIST })],
    [
      'CSV',
      csv(
        'event_type,event_time,user_id,item_id,position,model,arm',
        `impression,${T},ann,tv,3,streaming-hybrid,lists/new\n`,
      ),
    ],
    [
      'protobuf',
      message(
        toBinary(
          EventSchema,
          create(EventSchema, {
            ...{
              eventType: EventType.IMPRESSION,
              eventTime: timestampFromMs(AT),
              userId: 'ann',
              itemId: 'tv',
              ...LIST,
            },
          }),
        ),
      ),
    ],
  ])('has a position, a model and an arm, in %s', (_, given) => {
    expect(parsed(given).rows['rows']).toMatchObject([
      { type: IMPRESSION, user: 'ann', item: 'tv', position: 3, arm: 'lists/new' },
    ]);
    const driver = new StageDriver(parse({ history: true }));
    driver.feed('events', batch(given));
    driver.tick(0);
    expect(driver.tick(10_000).rows['history']).toMatchObject([LIST]);
  });

  it('needs none of them', () => {
    expect(parsed(json(GOOD)).rows['rows']).toMatchObject([{ type: IMPRESSION, position: undefined, arm: undefined }]);
  });

  it('with a wrong one is refused, by its name', () => {
    for (const position of [0, 1.5, 1001, -1])
      expect(refusal({ position })).toEqual(['position_out_of_range', 'position']);
    expect(refusal({ position: 'first' })).toEqual(['wrong_type', 'position']);
    expect(refusal({ model: 7 })).toEqual(['wrong_type', 'model']);
    expect(refusal({ arm: 'x'.repeat(257) })).toEqual(['text_too_long', 'arm']);
  });

  it('is the only event whose fields these are: what others have by these names is ignored', () => {
    const view = { ...GOOD, event_type: 'view', position: 'top', model: { year: 7 }, arm: 'x'.repeat(500) };
    expect(parsed(json(view)).rows['rows']).toMatchObject([{ type: VIEW, position: undefined, arm: undefined }]);
  });
});

it('watermark passes impressions to what learns from them, and to nothing else', () => {
  const stage = watermark({
    ...{ trigger: { kind: 'frame' }, delayMs: 0, popularity: true, samples: true },
    engagements: new Uint8Array(7).fill(1),
  });
  const driver = new StageDriver(stage);
  const row = { user: 'ann', item: 'tv', price: NaN, rating: NaN, storedAt: NaN, past: 0 };
  const shown = { ...row, time: AT + MINUTE, type: IMPRESSION, position: 1, arm: 'lists/new' };
  // A new source reports at once what is counted.
  const { rows: first } = driver.feed('events', [shown, { ...row, time: AT, type: VIEW }]);
  for (const output of ['rows', 'engagements', 'popularity']) expect(first[output]).toMatchObject([{ type: VIEW }]);
  expect(driver.feed('events', [{ ...shown, past: 1 }]).frames).toEqual([]);
  // So that events = on time + late + dead letters + duplicates.
  expect(driver.counts().on_time).toBe(2);
  const { rows, progress } = driver.tick(AT);
  expect(rows['sampled']).toMatchObject([
    { type: IMPRESSION, position: 1, arm: 'lists/new' },
    { type: VIEW, position: undefined },
  ]);
  // Of the view, which was before.
  expect(progress.map(({ watermarkMs }) => watermarkMs)).toContain(AT);
});

interface Given {
  readonly user: string;
  readonly item: string;
  /** Minutes after noon. */
  readonly at: number;
  /** Of an impression. */
  readonly position?: number;
  readonly arm?: string;
}

const learnerOf = (...given: readonly Given[]): StageDriver => {
  const driver = new StageDriver(rankingLearner());
  driver.feed('events', given.map(rowOf));
  return driver;
};
const rowOf = ({ at, ...one }: Given) => ({
  ...{ ...one, time: AT + at * MINUTE, type: one.position === undefined ? VIEW : IMPRESSION, price: NaN, past: 0 },
});
const reportOf = (driver: StageDriver) => rankingReader(driver.instance.states()).report();

describe('what was shown', () => {
  const list = (user: string, at: number, arm: string, ...items: readonly string[]): Given[] =>
    items.map((item, i) => ({ user, item, at, position: i + 1, arm }));

  it('and then followed counts for its arm, by hand', () => {
    const { arms } = reportOf(
      learnerOf(
        ...list('ann', 0, 'new', 'a', 'b', 'c'),
        ...list('bob', 0, 'old', 'a', 'b'),
        // Followed, once; then something else; then too late.
        ...[
          { user: 'ann', item: 'b', at: 1 },
          { user: 'ann', item: 'b', at: 2 },
          { user: 'ann', item: 'z', at: 3 },
        ],
        { user: 'ann', item: 'c', at: 31 },
        { user: 'bob', item: 'z', at: 1 },
        // Nobody showed him anything.
        { user: 'cid', item: 'a', at: 1 },
      ),
    );
    expect(arms).toEqual({
      // n = 3, c = 1.
      new: { ...{ users: 1, shown: 3, followed: 1, shownSquared: 9, both: 3, followedSquared: 1 }, judged: 3, hits: 2 },
      old: { ...{ users: 1, shown: 2, followed: 0, shownSquared: 4, both: 0, followedSquared: 0 }, judged: 1, hits: 0 },
    });
  });

  it('without an arm counts for none, and an item that was only shown is not known', () => {
    const driver = learnerOf({ user: 'ann', item: 'a', at: 0, position: 1 }, { user: 'ann', item: 'b', at: 1 });
    expect(reportOf(driver).arms).toEqual({});
    expect(rankingReader(driver.instance.states()).similar('a', 10, undefined)).toBeUndefined();
  });

  it('is remembered for sixteen arms: names come from outside', () => {
    const given = Array.from({ length: 20 }, (_, i) => list(`u${i}`, i, `arm-${i}`, 'a')).flat();
    const { arms } = reportOf(learnerOf(...given));
    expect(Object.keys(arms)).toEqual(Array.from({ length: 16 }, (_, i) => `arm-${i + 4}`));
  });

  it('is there after a crash', () => {
    const [steady, crashed] = [
      learnerOf(...list('ann', 0, 'new', 'a', 'b')),
      learnerOf(...list('ann', 0, 'new', 'a', 'b')),
    ];
    crashed.snapshot();
    crashed.feed('events', [rowOf({ user: 'ann', item: 'z', at: 1 })]);
    crashed.crash();
    for (const driver of [steady, crashed]) driver.feed('events', [rowOf({ user: 'ann', item: 'b', at: 2 })]);
    expect(reportOf(crashed).arms).toEqual(reportOf(steady).arms);
  });

  it('at the top and chosen for it says little of the item: the place has a weight of its own', () => {
    // Everybody takes the first of the list, whichever of two equal items that is.
    const given = Array.from({ length: 60 }, (_, user): Given[] => {
      const [first, second] = user % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
      const at = 10 * user;
      return [
        { user: `u${user}`, item: 'start', at },
        ...list(`u${user}`, at + 1, 'x', first!, second!),
        { user: `u${user}`, item: first!, at: at + 2 },
      ];
    }).flat();
    const weights = new Map(reportOf(learnerOf(...given)).weights.map(({ feature, weight }) => [feature, weight]));
    expect(weights.get('position')).toBeLessThan(-0.5);
  });
});
