/** What is fixed for the life of a data directory is refused when it changes, by name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PipelineOptions } from '../../../actors/topology.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { CONFIG_KEYS } from '../../../runtime/config/schema.js';
import type { RivuletError } from '../../../runtime/contract/errors.js';
import {
  checkDeployment,
  type Deployment,
  deploymentIn,
  mustBeOneDeployment,
  recordDeployment,
} from '../../../runtime/node/deployment.js';

const PIPELINE: PipelineOptions = {
  partitions: { source: 1, user: 4, item: 4 },
  parse: {},
  trigger: { kind: 'frame' },
  watermarkDelayMs: 600_000,
  idleAfterMs: 60_000,
  window: { kind: { kind: 'tumbling', sizeMs: 300_000 }, allowedLatenessMs: 0, output: 'update' },
  interest: { kind: 'decayed', halfLifeMs: 86_400_000 },
  popularity: 'events',
  listSize: 100,
  trending: {},
  mode: 'live',
};

const fixed = { ...PIPELINE, allowedLatenessMs: 0, interest: 'decayed' };

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-deployment-'));
  recordDeployment(dataDir, PIPELINE);
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

const refusalOf = (options: PipelineOptions): Partial<RivuletError> => {
  try {
    checkDeployment(dataDir, options);
    return {};
  } catch (error) {
    return error as RivuletError;
  }
};
const codeOf = (options: PipelineOptions): unknown => refusalOf(options).code;

it.each([
  ['nothing', {}, undefined],
  ['the list size, which no state depends on', { listSize: 10 }, undefined],
  ['the partitions', { partitions: { source: 1, user: 5, item: 4 } }, 'PARTITIONS_CHANGED'],
  ['the window', { window: { ...PIPELINE.window, kind: { kind: 'tumbling', sizeMs: 60_000 } } }, 'PIPELINE_CHANGED'],
  ['the trigger', { trigger: { kind: 'interval', everyMs: 1_000 } }, 'PIPELINE_CHANGED'],
  ['the interest', { interest: { kind: 'epoch' } }, 'PIPELINE_CHANGED'],
  ['the lateness', { window: { ...PIPELINE.window, allowedLatenessMs: 60_000 } }, 'PIPELINE_CHANGED'],
] as const)('a changed deployment: %s', (_, change, code) => {
  expect(codeOf({ ...PIPELINE, ...change })).toBe(code);
});

it('the length of an epoch is fixed: epochs are counted by it from 1970', () => {
  rmSync(join(dataDir, 'deployment.json'));
  recordDeployment(dataDir, { ...PIPELINE, trigger: { kind: 'interval', everyMs: 1_000 } });
  expect(codeOf({ ...PIPELINE, trigger: { kind: 'interval', everyMs: 1_000 } })).toBeUndefined();
  expect(codeOf({ ...PIPELINE, trigger: { kind: 'interval', everyMs: 2_000 } })).toBe('PIPELINE_CHANGED');
});

/** Another value of a key: the next number, another name of a list. */
const OTHERS = ['interval', 'frame', 'session', 'hopping', 'tumbling', 'epoch', 'decayed', 'rees46', 'append'];
const CONTEXTS = [
  {},
  { 'pipeline.trigger.kind': 'interval' },
  { 'pipeline.window.kind': 'hopping' },
  { 'pipeline.window.kind': 'session' },
];

it.each(
  CONFIG_KEYS.filter(({ key }) => /^pipeline|artitions$/.test(key)).map(({ key, fixed: is }) => [key, is === true]),
)('%s is fixed as the configuration declares: %s', (key, is) => {
  const pipelineOf = (values: Readonly<Record<string, string>>): PipelineOptions | undefined => {
    const flags = Object.entries(values).map(([name, value]) => ({ key: name, value, bySet: true }));
    try {
      return pipelineOptions(loadConfig({ cwd: dataDir, env: {}, cores: 8, flags }).config);
    } catch {
      return undefined;
    }
  };
  const isRefused = CONTEXTS.some((context) => {
    rmSync(join(dataDir, 'deployment.json'), { force: true });
    const before = pipelineOf(context)!;
    recordDeployment(dataDir, before);
    return ['7', ...OTHERS].some((value) => {
      const after = pipelineOf({ ...context, [key]: value });
      return after !== undefined && codeOf(after) !== undefined;
    });
  });
  expect(isRefused).toBe(is);
});

it('names what can change the partitions: of users and items a repartition, of publishers nothing', () => {
  const { source, user, item } = PIPELINE.partitions;
  expect(refusalOf({ ...PIPELINE, partitions: { source, user: 5, item: 5 } }).hint).toContain('rivulet repartition');
  const { hint } = refusalOf({ ...PIPELINE, partitions: { source: 2, user, item } });
  expect(hint).toBe('sourcePartitions cannot be changed: start with the old number, or on another --data-dir');
});

it.each([
  ['cut short', '{"partitions": {"so'],
  ['nothing', 'null'],
  ['a list', '[]'],
  ['empty', '{}'],
  ['of no partitions', JSON.stringify({ ...fixed, partitions: null })],
  ['of words for numbers', JSON.stringify({ ...fixed, partitions: { source: 1, user: '4', item: 4 } })],
  ['without a setting', JSON.stringify({ ...fixed, window: undefined })],
])('a record that is %s is refused, not taken for none or for another one', (_, text) => {
  writeFileSync(join(dataDir, 'deployment.json'), text);
  const hint = expect.stringContaining('restore it from a backup; or delete it') as string;
  expect(refusalOf(PIPELINE)).toMatchObject({ code: 'STATE_DAMAGED', hint });
});

it.each([
  ['partitions', { partitions: { source: 1, user: 5, item: 5 } }, 'PARTITIONS_CHANGED'],
  ['window', { window: 'session' }, 'PIPELINE_CHANGED'],
])('a data directory and a NATS of two deployments: both say their %s', (key, change, code) => {
  const ours = deploymentIn(dataDir)!;
  const shared = { ...ours, ...change } as Deployment;
  const says = new RegExp(`${key} ${literal(ours[key])}, .* has ${literal(shared[key])}$`);
  expect(() => mustBeOneDeployment(dataDir, ours, shared)).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringMatching(says),
      hint: expect.stringMatching(/rivulet repair has it take the state/),
    }),
  );
  for (const [one, other] of [
    [ours, { ...ours }],
    [ours, undefined],
    [undefined, shared],
  ] as const)
    mustBeOneDeployment(dataDir, one, other);
});

const literal = (value: unknown): string => JSON.stringify(value).replace(/[{}[\]]/g, '\\$&');
