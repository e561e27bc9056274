/** The topology as a value: what it refuses, what derives from it. */
import { NEVER } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { RivuletError } from '../../../runtime/contract/errors.js';
import {
  defineTopology,
  edge,
  mailboxOf,
  source,
  streamOf,
  subjectOf,
  toMermaid,
  topic,
  type TopologySpec,
  writerOf,
} from '../../../runtime/contract/graph.js';
import { frameType, input, type PartitionKey, RAW, sideInput, stage } from '../../../runtime/contract/stage.js';
import { STAGE_STRATEGY } from '../../../runtime/supervision/strategy.js';
import { boundedToys, liveToys } from '../toy-stages.js';

const rows = frameType('rows', { user: 'text', item: 'text', n: 'f64' });
const others = frameType('others', { user: 'text' });
const spec = { version: 1, state: {}, outputs: { rows, extra: rows }, pipeline: () => NEVER } as const;
const make = (id: string, key: PartitionKey = 'user') =>
  stage({ ...spec, id, key, inputs: { rows: input(rows), more: input(rows), side: sideInput(rows) } });

const [a, b, c] = [make('a', 'source'), make('b', 'user'), make('c', 'item')];
const entry = edge(source('events'), a.in.rows, { by: 'source' });
const sound: TopologySpec = {
  partitions: { source: 2, user: 3, item: 4 },
  stages: [a, b],
  topics: [],
  edges: [entry, edge(a.out.rows, b.in.rows, { by: 'user' })],
  aligned: new Set(),
};

const problemsOf = (change: Partial<TopologySpec>): string => {
  try {
    defineTopology({ ...sound, ...change });
    return 'sound';
  } catch (error) {
    expect(error).toMatchObject({ reaction: 'fatal', code: 'TOPOLOGY' });
    return (error as RivuletError).message.replace('the topology is not sound: ', '');
  }
};

describe('a topology', () => {
  it.each<[string, Partial<TopologySpec>]>([
    ['sound', {}],
    ['partitions.user must be a whole number from 1, not 0', { partitions: { source: 1, user: 0, item: 1 } }],
    ['partitions.item must be a whole number from 1, not 1.5', { partitions: { source: 1, user: 1, item: 1.5 } }],
    ['two stages or topics have one id', { stages: [a, b, b] }],
    ['Bad_Id: an id is kebab-case; Bad_Id: nothing leads there', { stages: [a, b, make('Bad_Id')] }],
    ['strategies.c: there is no such stage', { strategies: { c: {} } }],
    ['strategies.b.restartsMax must be a whole number from 0, not -1', { strategies: { b: { restartsMax: -1 } } }],
    ['c: nothing leads there', { stages: [a, b, c] }],
    [
      'quarantine: the runtime has this name for something else; quarantine: nothing leads there',
      { stages: [a, b, make('quarantine')] },
    ],
    ['b → c: no such stage or topic', { edges: [...sound.edges, edge(b.out.rows, c.in.rows, { by: 'item' })] }],
    ['c → b: no such upstream', { edges: [...sound.edges, edge(c.out.rows, b.in.more, { by: 'user' })] }],
    [
      'a → b: cannot partition by n, which is no text column of rows',
      { edges: [entry, edge(a.out.rows, b.in.rows, { by: 'n' })] },
    ],
    [
      'a → b: cannot partition by colour, which is no text column of rows',
      { edges: [entry, edge(a.out.rows, b.in.rows, { by: 'colour' })] },
    ],
    [
      'a → b: cannot partition by source, which is no text column of rows',
      { edges: [entry, edge(a.out.rows, b.in.rows, { by: 'source' })] },
    ],
    [
      'a → b: one for one needs as many partitions on both sides, not 2 and 3',
      { edges: [entry, edge(a.out.rows, b.in.rows, { by: 'same' })] },
    ],
    [
      'a → b: one output goes to one input of a stage',
      { edges: [...sound.edges, edge(a.out.rows, b.in.more, { by: 'user' })] },
    ],
    ['sound', { edges: [...sound.edges, edge(a.out.extra, b.in.more, { by: 'user' })] }],
    ['sound', { edges: [entry, edge(a.out.rows, b.in.rows, { by: 'all' })] }],
    [
      'sound',
      { partitions: { source: 3, user: 3, item: 1 }, edges: [entry, edge(a.out.rows, b.in.rows, { by: 'same' })] },
    ],
  ])('%s', (problem, change) => {
    expect(problemsOf(change)).toBe(problem);
  });

  it('refuses an edge between different frame types, and one between two topics of one id', () => {
    const other = stage({ ...spec, id: 'other', key: 'user', inputs: { others: input(others) } });
    expect(problemsOf({ stages: [a, other], edges: [entry, edge(a.out.rows, other.in.others, { by: 'user' })] })).toBe(
      'a → other: rows and others are of different frame types',
    );
    const out = topic('a', rows, 'user', { browsable: false });
    expect(problemsOf({ topics: [out] })).toBe('sound');
  });

  it('says all that is wrong at once', () => {
    const edges = [...sound.edges, edge(c.out.rows, b.in.more, { by: 'colour' })];
    expect(problemsOf({ edges, stages: [a, b, make('X')] }).split('; ')).toHaveLength(4);
  });

  it('knows its stages and how many instances they have', () => {
    const topology = defineTopology(sound);
    expect(topology.stage('b')).toBe(b);
    expect([topology.count('a'), topology.count('b')]).toEqual([2, 3]);
    expect(() => topology.stage('z')).toThrow(expect.objectContaining({ code: 'TOPOLOGY_STAGE' }));
  });
});

describe('routes and upstreams', () => {
  const d = make('d', 'user');
  const out = topic('out', rows, 'user', { browsable: false });
  const topology = defineTopology({
    ...sound,
    stages: [a, b, d],
    topics: [out],
    edges: [
      ...sound.edges,
      edge(a.out.extra, d.in.side, { by: 'all' }),
      edge(b.out.rows, d.in.rows, { by: 'user' }),
      edge(b.out.extra, d.in.more, { by: 'item' }),
      edge(d.out.rows, out.in.rows, { by: 'user' }),
    ],
  });

  it('lead to every partition, or, where rows stay where they are, to the same', () => {
    expect(topology.routes('a')).toEqual([
      { output: 'rows', to: 'b', input: 'rows', by: 'user', targets: 3, compressed: false },
      { output: 'extra', to: 'd', input: 'side', by: 'all', targets: 3, compressed: false },
    ]);
    expect(topology.routes('b')).toEqual([
      { output: 'rows', to: 'd', input: 'rows', by: 'same', targets: 3, compressed: false },
      { output: 'extra', to: 'd', input: 'more', by: 'item', targets: 3, compressed: false },
    ]);
    expect(topology.routes('d')).toMatchObject([{ to: 'out', by: 'same' }]);
  });

  it('know who writes into a mailbox', () => {
    const plain = topology
      .upstreams('d')
      .map(({ id, input: name, side, output, instances }) => [id, name, side, output, instances(1)]);
    expect(plain).toEqual([
      ['a', 'side', true, 'extra', [0, 1]],
      ['b', 'rows', false, 'rows', [1]],
      ['b', 'more', false, 'extra', [0, 1, 2]],
    ]);
    expect(topology.upstreams('a')).toMatchObject([{ id: 'events', input: 'rows', output: undefined }]);
    expect(topology.upstreams('a')[0]!.instances(1)).toEqual([1]);
  });
});

describe('names', () => {
  it('derive from ids', () => {
    expect(streamOf('popularity-join')).toBe('RIVULET_POPULARITY_JOIN');
    expect(mailboxOf('window', 3)).toBe('rivulet.window.3.>');
    expect(subjectOf('window', 3, 'watermark', 1)).toBe('rivulet.window.3.watermark.1');
    expect(writerOf('rivulet.window.3.watermark.1')).toEqual({ id: 'watermark', partition: 1 });
  });
});

describe('the Mermaid text', () => {
  it('shows every edge', () => {
    expect(toMermaid(liveToys())).toBe(
      [
        'flowchart LR',
        '  events([events]) -->|source| read',
        '  read -->|by user| sum',
        '  sum -->|by item| rank',
        '  rank -->|by item| totals[(totals)]',
        '  read -->|deadLetters by source| dead-letter[(dead-letter)]',
      ].join('\n'),
    );
    expect(toMermaid(boundedToys())).toContain('  weigh -->|by all| join');
  });
});

it('a raw input needs a source', () => {
  const raw = stage({ ...spec, id: 'raw', key: 'source', inputs: { events: input(RAW) } });
  const edges = [entry, edge(a.out.rows, raw.in.events, { by: 'same' })];
  expect(problemsOf({ stages: [a, raw], edges })).toBe('a → raw: rows and events are of different frame types');
});

it('a stage has the default strategy but for what the topology says, which is printed', () => {
  const topology = defineTopology({ ...sound, strategies: { b: { restartsMax: 20 } } });
  expect(topology.strategy('a')).toEqual(STAGE_STRATEGY);
  expect(topology.strategy('b')).toEqual({ ...STAGE_STRATEGY, restartsMax: 20 });
  expect(toMermaid(topology).split('\n').at(-1)).toBe('  b["b<br/>restartsMax 20"]');
});
