/** What the page works out by itself: movements, rates, where stages stand, what a typed value means. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Status, TrendingItem } from '../../connectors/http/page/answers.js';
import { withoutWatermark } from '../../connectors/http/page/event-time.js';
import { setOut } from '../../connectors/http/page/json-text.js';
import { questionIn, toHash } from '../../connectors/http/page/question.js';
import { meantBy } from '../../connectors/http/page/set-value.js';
import { nextHistory } from '../../connectors/http/page/status-history.js';
import { layersOf, layOut, narrowLayersOf } from '../../connectors/http/page/topology-layout.js';
import { POINTS_MAX, TrendingHistory } from '../../connectors/http/page/trending-list.js';
import { behind, duration, figure } from '../../connectors/http/page/wording.js';
import { meantBy as meantOnCommandLine } from '../../runtime/cli/dead-letters/set-value.js';
import { EDGES } from './stand-in-shop.js';

const items = (text: string): TrendingItem[] =>
  text.split(' ').map((id, i) => ({ rank: i + 1, item_id: id, score: 100 - i }));
const MINUTE = 60_000;

describe('the trending list', () => {
  it('tells by how much an item has moved in the last minute, and what is new', () => {
    const list = new TrendingHistory();
    list.takeSnapshot({ revision: 1, items: items('a b c') }, 0);
    const [c, d] = items('c d');
    list.takeDelta(
      { revision: 2, from_revision: 1, moved: [c!], entered: [{ ...d!, rank: 2 }], left: ['a', 'b'] },
      90_000,
    );
    const movements = (atMs: number) => list.list(atMs).map(({ item_id: id, movement }) => `${id} ${movement}`);
    expect(movements(91_000)).toEqual(['c 2', 'd new']);
    expect(movements(91_000 + MINUTE)).toEqual(['c 0', 'd 0']);
  });

  it('forgets what is not said of an item any more', () => {
    const list = new TrendingHistory();
    const [a] = items('a');
    list.takeSnapshot({ revision: 1, items: [{ ...a!, title: 'Anvil', brand: 'acme', price: 9 }] }, 0);
    list.takeDelta({ revision: 2, from_revision: 1, moved: [{ ...a!, brand: 'acme' }] }, 1_000);
    const { title, brand, price } = list.list(2_000)[0]!;
    expect({ title, brand, price }).toEqual({ title: undefined, brand: 'acme', price: undefined });
  });

  it('refuses a change of a list that it does not have', () => {
    const list = new TrendingHistory();
    list.takeSnapshot({ revision: 1, items: items('a') }, 0);
    expect(() => list.takeDelta({ revision: 4, from_revision: 3 }, 1)).toThrow('missing');
  });

  it('keeps a bounded line of scores that spans all of the time', () => {
    const list = new TrendingHistory();
    for (let i = 0; i < 5_000; i++) {
      list.takeSnapshot({ revision: i, items: [{ rank: 1, item_id: 'a', score: i }] }, i * 1_000);
    }
    const { points } = list.list(5_000_000)[0]!;
    expect(points.length).toBeLessThanOrEqual(POINTS_MAX + 1);
    expect([points[0]!.score, points.at(-1)!.score]).toEqual([0, 4_999]);
  });
});

const status = (seconds: number, events: number, messages: readonly number[]): Status =>
  ({
    now: new Date(seconds * 1000).toISOString(),
    counters: { events, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 },
    latency: { count: events, p50_seconds: 0.5 },
    requests: { http_total: 0, grpc_total: 0 },
    answers: { count: 0, fallback: 0, empty: 0 },
    edges: [],
    chains: [],
    stages: [
      {
        stage: 'parse',
        partitions: messages.map((count, partition) => ({
          ...{ partition, state: partition === 1 ? 'backoff' : 'running', messages_in: count, restarts: partition },
        })),
      },
    ],
  }) as unknown as Status;

describe('the history of a node', () => {
  it('makes rates of counts, by the clock of the node', () => {
    const history = nextHistory(nextHistory(undefined, status(10, 100, [50, 0])), status(12, 300, [80, 10]));
    expect(history.samples.map((sample) => sample.eventsPerSecond)).toEqual([undefined, 100]);
    expect(history.stages.get('parse')).toMatchObject({
      messagesPerSecond: 20,
      state: 'backoff',
      running: 1,
      restarts: 1,
    });
  });

  it('has no rate where a count went back, and none of a partition that has just come', () => {
    const history = nextHistory(nextHistory(undefined, status(10, 100, [50])), status(12, 5, [80, 10]));
    expect(history.samples.at(-1)!.eventsPerSecond).toBeUndefined();
    expect(history.stages.get('parse')!.messagesPerSecond).toBe(15);
  });

  it('knows no latency once no event was answered for a minute', () => {
    let history = nextHistory(undefined, status(0, 10, []));
    for (const seconds of [30, 59, 60, 90]) history = nextHistory(history, status(seconds, 10, []));
    history = nextHistory(history, status(92, 11, []));
    expect(history.samples.map((sample) => sample.p50Seconds)).toEqual([0.5, 0.5, 0.5, undefined, undefined, 0.5]);
  });

  it('forgets what is older than ten minutes', () => {
    let history = nextHistory(undefined, status(0, 0, []));
    for (let seconds = 2; seconds <= 1_000; seconds += 2) history = nextHistory(history, status(seconds, seconds, []));
    expect(history.samples).toHaveLength(300);
  });
});

describe('the drawing of the pipeline', () => {
  const edges = ['a b', 'b c', 'c d', 'b d', 'b e'].map((pair) => {
    const [from = '', to = ''] = pair.split(' ');
    return { from, to };
  });
  const sizes = { nodeAlong: 100, nodeAcross: () => 50, gapAlong: 20, gapAcross: 10, bendAcross: 5 };

  it('puts a stage behind all that it reads from', () => {
    expect(Object.fromEntries(layersOf(edges))).toEqual({ a: 0, b: 1, c: 2, d: 3, e: 2 });
  });

  it('makes layers of at most so many, and what leads on goes first', () => {
    const wide = [...edges, { from: 'b', to: 'f' }];
    expect(Object.fromEntries(narrowLayersOf(wide, 2))).toEqual({ a: 0, b: 1, c: 2, e: 2, d: 3, f: 3 });
    expect(Object.fromEntries(narrowLayersOf(wide, 1))).toEqual({ a: 0, b: 1, c: 2, d: 3, e: 4, f: 5 });
    expect(narrowLayersOf([...edges, { from: 'd', to: 'b' }], 1).size).toBe(5);
  });

  it('gives every stage a place where edges go round in a circle, too', () => {
    const { nodes } = layOut([...edges, { from: 'd', to: 'b' }], sizes);
    expect(nodes.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('lets nothing overlap, and nothing stand outside', () => {
    const { nodes, along, across } = layOut(edges, sizes);
    for (const one of nodes) {
      expect(one.along - 50).toBeGreaterThanOrEqual(0);
      expect(one.along + 50).toBeLessThanOrEqual(along);
      expect(one.across - 25).toBeGreaterThanOrEqual(-0.01);
      expect(one.across + 25).toBeLessThanOrEqual(across + 0.01);
      for (const other of nodes.filter(({ id, along: there }) => id > one.id && there === one.along)) {
        expect(Math.abs(one.across - other.across)).toBeGreaterThanOrEqual(50);
      }
    }
  });

  it('leads a long edge through a bend in each layer between', () => {
    const passing = layOut(edges, sizes).edges.find(({ from, to }) => from === 'b' && to === 'd')!;
    expect(passing.points.map(({ along }) => along)).toEqual([220, 240, 340, 360]);
  });
});

describe('a stage without a watermark', () => {
  it.each([
    ['watermark', undefined],
    ['window', undefined],
    ['trending', undefined],
    ['parse', 'it is made further on, by watermark'],
    ['fallback', 'only stages that read from watermark have it'],
    ['parse-items', 'no event time comes here'],
    ['catalogue', 'no event time comes here'],
  ])('says why: %s', (stage, why) => {
    expect(withoutWatermark(stage, EDGES)).toBe(why);
  });

  it('does so where edges go round in a circle, too', () => {
    const edges = [...EDGES, { from: 'fallback', to: 'window' }, { from: 'a', to: 'b' }, { from: 'b', to: 'a' }];
    expect(withoutWatermark('a', edges)).toBe('no event time comes here');
  });
});

describe('a value that is set in a dead letter', () => {
  it.each<[typed: string, meant: unknown]>([
    ['12.5', 12.5],
    ['-2e3', -2000],
    ['null', null],
    ['true', true],
    ['acme', 'acme'],
    ['', ''],
    ['501', 501],
    ['"501"', '501'],
    ['" two "', ' two '],
    ['007', '007'],
    ['+5', '+5'],
    ['1e400', '1e400'],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['-12345678901234567891', '-12345678901234567891'],
    ['["a",1]', ['a', 1]],
    ['["a",12345678901234567891]', '["a",12345678901234567891]'],
  ])('%s means here what it means on the command line', (typed, meant) => {
    expect(meantBy(typed)).toEqual(meant);
    expect(meantOnCommandLine(typed)).toEqual(meant);
  });
});

describe('the original of a dead letter', () => {
  it('is set out, and keeps its numbers as they were written', () => {
    const text = '{"user_id":12345678901234567891, "price":1.10,"a":[1e400,-0.0,{}],"a":[ ],"b":"x, {\\"y\\": [1]}"}';
    expect(setOut(text)).toBe(
      [
        '{',
        '  "user_id": 12345678901234567891,',
        '  "price": 1.10,',
        '  "a": [',
        '    1e400,',
        '    -0.0,',
        '    {}',
        '  ],',
        '  "a": [],',
        '  "b": "x, {\\"y\\": [1]}"',
        '}',
      ].join('\n'),
    );
  });

  it('is set out as JSON.stringify does it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(setOut(text)).toBe(JSON.stringify(JSON.parse(text), undefined, 2));
      }),
    );
  });

  it.each(['', 'view,ann', '{"a":1', '12.50', '"a b"', `${'['.repeat(100)}${']'.repeat(100)}`])(
    'changes white space alone: %s',
    (text) => {
      expect(setOut(text).replace(/\n */g, '')).toBe(text);
    },
  );
});

describe('words', () => {
  it.each([
    [figure(undefined), '–'],
    [figure(0.1), '0.10'],
    [figure(7.25), '7.3'],
    [figure(1_204), '1,204'],
    [figure(12_345), '12.3K'],
    [duration(0.0004), '0.4 ms'],
    [duration(0.014), '14 ms'],
    [duration(90), '90 s'],
    [duration(5_400), '90 min'],
    [behind('2026-01-01T00:00:00.000Z', '2026-01-01T00:10:00.000Z'), '−10 min'],
    [behind('9999-01-01T00:00:00.000Z', '2026-01-01T00:10:00.000Z'), 'idle'],
  ])('%s', (said, expected) => {
    expect(said).toBe(expected);
  });

  it('says a question in an address, and reads it again', () => {
    const question = { user: 'a/b &c', n: '7', category: 'kids', excludeSeen: true, strategy: 'hybrid' };
    expect(questionIn(toHash(question))).toEqual(question);
    expect(questionIn('#main')).toBeUndefined();
  });
});
