/**
 * Who may import whom, checked over the real sources, and proven on sources that break each rule.
 *
 * A row reads: files under `from` may import what `may` lists, and nothing else. The first row that fits a file is its row.
 *   `runtime/contract/stage`   that file          `actors/maths/`   that folder        `rxjs`   that package       `*`   any part of a name
 *   `type:…`          types only         `./`              the file's own folder, where it is a stage's or a connector's
 * Whatever a row says, nothing outside test/ imports test/.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isScript, projectFiles, ROOT } from './source-files.js';
import { type Import, importsOf, withoutExtension } from './source-imports.js';

const PROTOBUF = ['@bufbuild/protobuf', '@bufbuild/protobuf/*'];
const PROTO = ['proto/gen/', ...PROTOBUF];

const ACTOR = ['rxjs', 'rxjs/operators', 'runtime/contract/stage', 'runtime/contract/graph', ...PROTO];
const ACTOR_BASE = [
  'actors/model',
  'actors/model/',
  'actors/operators/',
  'actors/state/',
  'actors/candidates/',
  'actors/ranking/',
  'actors/maths/',
  'actors/formats/',
];
const CONNECTOR = [
  './',
  'node:*',
  'runtime/contract/ports',
  'runtime/contract/errors',
  'type:runtime/contract/error-codes',
  'runtime/contract/clock',
  'runtime/supervision/deadline',
  'runtime/supervision/retry',
  'type:runtime/contract/stage',
  'type:actors/model',
  ...PROTO,
];

interface Row {
  readonly from: string;
  readonly may: readonly string[];
  readonly except?: readonly string[];
}

// prettier-ignore
const ROWS: readonly Row[] = [
  { from: 'proto/gen/',         may: PROTO },

  { from: 'actors/topology',    may: [...ACTOR, 'runtime/plan/plan', 'actors/'] },
  { from: 'actors/maths/',      may: ['runtime/contract/stage', 'actors/model', './'] },
  { from: 'actors/candidates/', may: ['actors/model', 'actors/maths/', './'] },
  // Classes that are state know nothing of streams.
  { from: 'actors/state/',      may: ['runtime/contract/stage', 'actors/model', 'actors/maths/', './'] },
  { from: 'actors/operators/',  may: ['rxjs', 'runtime/contract/stage', 'actors/model', 'actors/state/', 'actors/maths/', './'] },
  // What answers and the learner have in common, with its state.
  { from: 'actors/ranking/',    may: ['rxjs', 'runtime/contract/stage', 'actors/model', 'actors/candidates/', 'actors/state/', 'actors/maths/', './'] },
  { from: 'actors/',            may: [...ACTOR, ...ACTOR_BASE, './'] },

  // The composing exception: where topology, ports and adapters meet.
  { from: 'runtime/node/',      may: ['*'] },
  { from: 'runtime/cli/',       may: ['*'] },
  // A process of its own, and what starts it.
  { from: 'runtime/training/',  may: ['*'] },
  { from: 'runtime/',           may: ['runtime/', 'rxjs', 'rxjs/operators', 'node:*', 'zod', 'pino', 'prom-client', '@opentelemetry/api', ...PROTO],
                                except: ['runtime/node/', 'runtime/cli/', 'runtime/training/'] },

  { from: 'state/',             may: ['state/', 'level', 'node:*', 'runtime/contract/ports', 'runtime/contract/errors', 'runtime/frames/bytes', 'runtime/state/keyspace', ...PROTO] },

  // Each its one external library. A new connector needs a row only if it brings a library.
  // The embedded server is a child of the node's supervisor.
  { from: 'connectors/nats/',   may: [...CONNECTOR, 'runtime/log-integrity/verdict', 'type:runtime/supervision/*', '@nats-io/*'] },
  // Events are read as parse reads them.
  { from: 'connectors/facade/', may: [...CONNECTOR, 'actors/formats/', 'type:runtime/telemetry/trace-context', 'type:runtime/shards/scheduler', 'jose'] },
  { from: 'connectors/grpc/',   may: [...CONNECTOR, 'connectors/facade/', 'actors/formats/', 'actors/model', 'runtime/telemetry/trace-context', 'runtime/shards/scheduler', '@opentelemetry/api', '@grpc/*', 'grpc-health-check'] },
  // Runs in a browser: nothing of Node, nothing of ours that does.
  { from: 'connectors/http/page/', may: ['connectors/http/page/', 'preact', 'preact/hooks'] },
  { from: 'connectors/http/',   may: [...CONNECTOR, 'connectors/facade/', 'actors/formats/', 'actors/maths/ascii', 'actors/model', 'runtime/telemetry/trace-context', 'runtime/shards/scheduler', 'type:runtime/dead-letters/', 'fastify', '@fastify/*', 'zod'] },
  // Frame types are values: what reads and writes frames needs them.
  { from: 'connectors/csv/',    may: [...CONNECTOR, 'runtime/contract/stage', 'runtime/contract/exact-json', 'actors/model', 'actors/formats/limits'] },
  { from: 'connectors/movielens/', may: [...CONNECTOR, 'connectors/csv/csv-rows', 'yauzl'] },
  { from: 'connectors/',        may: CONNECTOR },

  { from: 'test/',              may: ['*'] },
  { from: '*',                  may: ['*'] },
];

interface Finding {
  readonly path: string;
  readonly line: number;
  readonly says: string;
}

function findingsIn(path: string, text: string): Finding[] {
  const own = withoutExtension(path);
  const row = ROWS.find(({ from }) => fits(from, own));
  return importsOf(path, text)
    .filter((one) => !own.startsWith('test/') && (one.target.startsWith('test/') || !isAllowed(one, own, row)))
    .map(({ target, typeOnly, line }) => ({
      path,
      line,
      says: `${row?.from ?? path} may not import ${target}${typeOnly ? ' (not even a type)' : ''}`,
    }));
}

function isAllowed({ target, typeOnly }: Import, own: string, row: Row | undefined): boolean {
  if (row === undefined || row.except?.some((pattern) => fits(pattern, target)) === true) return false;
  // `actors/window/` of actors/window/rows; a file that stands in the layer itself has none.
  const folder = /^[^/]+\/[^/]+\//.exec(own)?.[0];
  const matches = (pattern: string): boolean => {
    if (pattern.startsWith('type:')) return typeOnly && fits(pattern.slice('type:'.length), target);
    if (pattern === './') return folder !== undefined && target.startsWith(folder);
    return fits(pattern, target);
  };
  return row.may.some(matches);
}

function fits(pattern: string, target: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}${pattern.endsWith('/') ? '.*' : ''}$`).test(target);
}

describe('the sources', () => {
  const paths = projectFiles().filter(isScript);

  it('are found', () => {
    expect(paths).toContain('runtime/contract/stage.ts');
    expect(paths).toContain('test/guards/imports.test.ts');
  });

  it('import only what their row allows', () => {
    const findings = paths.flatMap((path) => findingsIn(path, readFileSync(join(ROOT, path), 'utf8')));
    expect(findings.map(({ path, line, says }) => `${path}:${line} ${says}`)).toEqual([]);
  });
});

/** [file, source]: each must give exactly one finding. */
const BROKEN: readonly (readonly [string, string])[] = [
  ['proto/gen/rivulet/v1/event_pb.ts', `import { x } from '../../../../runtime/contract/stage.js';`],

  ['actors/window.ts', `import { readFileSync } from 'node:fs';`],
  ['actors/window.ts', `import { connect } from '@nats-io/transport-node';`],
  ['actors/window.ts', `import { Level } from 'level';`],
  ['actors/window.ts', `import type { Server } from '@grpc/grpc-js';`],
  ['actors/window.ts', `import { webSocket } from 'rxjs/webSocket';`],
  ['actors/window.ts', `import { store } from '../state/store.js';`],
  ['actors/window.ts', `import type { Mailbox } from '../runtime/mailbox.js';`],
  ['actors/window.ts', `import { type Clock } from '../runtime/contract/clock.js';`],
  ['actors/window.ts', `let x: import('../runtime/contract/ports.js').Store;`],
  ['actors/window.ts', `/// <reference path="../runtime/contract/ports.ts" />`],
  ['actors/window.ts', `import { parse } from './parse.js';`],
  ['actors/window.ts', `import type { Row } from './parse.js';`],
  ['actors/window.ts', `export { parse } from './parse.js';`],
  ['actors/window.ts', `export * from './parse.js';`],
  ['actors/window.ts', `export type { Row } from './parse.js';`],
  ['actors/window.ts', `import './parse.js';`],
  ['actors/window.ts', `const parse = await import('./parse.js');`],
  ['actors/window.ts', `const parse = await import(\`./parse.js\`);`],
  ['actors/window.ts', `const name = './parse.js'; const parse = await import(name);`],
  ['actors/window.ts', `import parse = require('./parse.js');`],
  ['actors/window.ts', `import { topology } from './topology.js';`],
  ['actors/window/rows.ts', `import { rows } from '../session/rows.js';`],
  ['actors/operators/remember.ts', `import { parse } from '../parse.js';`],
  ['actors/maths/decay.ts', `import { parse } from '../parse.js';`],
  ['actors/maths/decay.ts', `import { Names } from '../state/names.js';`],
  ['actors/state/names.ts', `import { map } from 'rxjs';`],
  ['actors/state/names.ts', `import { remember } from '../operators/remember.js';`],
  ['actors/topology.ts', `import { connect } from '../connectors/nats/log/log.js';`],

  ['runtime/actor/actor.ts', `import { parse } from '../../actors/parse.js';`],
  ['runtime/actor/actor.ts', `import type { Event } from '../../actors/model.js';`],
  ['runtime/actor/actor.ts', `import { store } from '../../state/store.js';`],
  ['runtime/actor/actor.ts', `export { log } from '../../connectors/nats/log/log.js';`],
  ['runtime/actor/actor.ts', `new Worker(new URL('../../connectors/nats/log/log.js', import.meta.url));`],
  ['runtime/actor/actor.ts', `import { connect } from '@nats-io/transport-node';`],
  ['runtime/actor/actor.ts', `import { start } from '../node/node.js';`],
  ['runtime/actor/actor.ts', `import { command } from '../cli/demo/demo.js';`],

  ['state/store.ts', `import { Subject } from 'rxjs';`],
  ['state/store.ts', `import type { Event } from '../actors/model.js';`],
  ['state/store.ts', `import { log } from '../connectors/nats/log/log.js';`],
  ['state/store.ts', `import { stage } from '../runtime/contract/stage.js';`],

  ['connectors/nats/log/log.ts', `import { parse } from '../../../actors/parse.js';`],
  ['connectors/nats/log/log.ts', `import { Event } from '../../../actors/model.js';`],
  ['connectors/nats/log/log.ts', `import { stage } from '../../../runtime/contract/stage.js';`],
  ['connectors/nats/log/log.ts', `import { store } from '../../../state/store.js';`],
  ['connectors/nats/log/log.ts', `import { serve } from '../../grpc/server.js';`],
  ['connectors/nats/log/log.ts', `import { Server } from '@grpc/grpc-js';`],
  ['connectors/csv/reader.ts', `import { connect } from '@nats-io/transport-node';`],
  ['connectors/csv/reader.ts', `const lib = require('level');`],
  ['connectors/http/page/app.tsx', `import { createHash } from 'node:crypto';`],
  ['connectors/http/page/app.tsx', `import { contentTypes } from '../static-files.js';`],
  ['connectors/http/page/app.tsx', `import type { Log } from '../../../runtime/contract/ports.js';`],

  ['actors/window.ts', `import { drive } from '../test/support/stage-driver.js';`],
  ['runtime/node/node.ts', `import { drive } from '../../test/support/stage-driver.js';`],
  ['runtime/cli/bench.ts', `const bench = await import('../../test/bench/main.js');`],
  ['vitest.config.ts', `import setup from './test/support/setup.js';`],
];

const SOUND: readonly (readonly [string, string])[] = [
  [
    'actors/window.ts',
    `import { map, merge, type Observable, type Subscription } from 'rxjs';
     import { stage } from '../runtime/contract/stage.js';
     import type { Topology } from '../runtime/contract/graph.js';
     import { events } from './model.js';
     import { decay } from './maths/decay.js';
     import { remember } from './operators/remember.js';
     import { Names } from './state/names.js';
     import { create } from '@bufbuild/protobuf';
     import { timestampMs } from '@bufbuild/protobuf/wkt';
     import { WindowSchema } from '../proto/gen/rivulet/internal/v1/window_pb.js';`,
  ],
  ['actors/window/rows.ts', `import { slots } from './slots.js';`],
  ['actors/topology.ts', `import { parse } from './parse.js'; import { edge } from '../runtime/contract/graph.js';`],
  [
    'runtime/mailbox.ts',
    `import { scan } from 'rxjs'; import { hash } from 'node:crypto'; import type { Log } from './contract/ports.js';`,
  ],
  ['runtime/node/node.ts', `import { topology } from '../../actors/topology.js'; import { Level } from 'level';`],
  ['runtime/node/worker.ts', `import { topology } from '../../actors/topology.js'`],
  ['runtime/cli/replay/replay.ts', `const { csv } = await import('../../../connectors/csv/reader.js');`],
  ['state/store.ts', `import { Level } from 'level'; import type { Store } from '../runtime/contract/ports.js';`],
  [
    'connectors/nats/embedded/server.ts',
    `import { spawn } from 'node:child_process'; import { connect } from '@nats-io/transport-node';
     import { options } from '../options.js'; import { fatal } from '../../../runtime/contract/errors.js';
     import type { RawMessage } from '../../../runtime/contract/stage.js'; import { type Event } from '../../../actors/model.js';`,
  ],
  ['connectors/http/page/app.tsx', `import { render } from 'preact'; import { chart } from './chart.js';`],
  ['test/topology.test.ts', `import { topology } from '../actors/topology.js'; import { x } from './support/x.js';`],
];

describe('the guard', () => {
  it.each(BROKEN)('finds what is wrong in %s: %s', (path, text) => {
    expect(findingsIn(path, text)).toEqual([{ path, line: 1, says: expect.stringContaining('may not import') }]);
  });

  it.each(SOUND)('finds nothing in %s', (path, text) => {
    expect(findingsIn(path, text)).toEqual([]);
  });
});
