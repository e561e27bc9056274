/** What is fixed for the life of a deployment is refused when it changes, by name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../../runtime/config/config.js';
import {
  commonSettings,
  type Deployment,
  decodeDeployment,
  deploymentOf,
  encodeDeployment,
  mustBeSame,
} from '../../../runtime/config/deployment.js';
import { CONFIG_KEYS } from '../../../runtime/config/schema.js';
import type { RivuletError } from '../../../runtime/contract/errors.js';
import { ensureStreams } from '../../../runtime/contract/streams.js';
import {
  checkDeployed,
  checkDeployment,
  checkSharedDeployment,
  deploymentIn,
  recordDeployment,
  sharedDeployment,
} from '../../../runtime/node/deployment.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryLog } from '../../support/memory-log.js';
import { liveToys } from '../toy-stages.js';

type Values = Readonly<Record<string, string>>;

const configOf = (values: Values = {}) => {
  const flags = Object.entries(values).map(([key, value]) => ({ key, value, bySet: true }));
  return loadConfig({ cwd: tmpdir(), env: {}, cores: 8, flags }).config;
};
const made = (values?: Values): Deployment => deploymentOf(configOf(values));

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-deployment-'));
  recordDeployment(dataDir, made());
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

function refusalOf(deployment: Deployment): Partial<RivuletError> {
  try {
    checkDeployment(dataDir, deployment);
    return {};
  } catch (error) {
    return error as RivuletError;
  }
}

it.each<[name: string, change: Values, code?: string, says?: string]>([
  ['nothing', {}],
  ['the list size, which no state depends on', { 'pipeline.listSize': '10' }],
  ['the gap of sessions, where windows are tumbling', { 'pipeline.window.gapSeconds': '10' }],
  ['the partitions', { partitions: '5' }, 'PARTITIONS_CHANGED', 'partitions 4, the configuration says 5'],
  [
    'those of the source',
    { sourcePartitions: '2' },
    'PARTITIONS_CHANGED',
    'sourcePartitions 1, the configuration says 2',
  ],
  ['the window', { 'pipeline.window.sizeSeconds': '60' }, 'PIPELINE_CHANGED', 'pipeline.window.sizeSeconds 300, '],
  ['the trigger', { 'pipeline.trigger.kind': 'interval' }, 'PIPELINE_CHANGED', 'pipeline.trigger.kind "frame", '],
  ['the interest', { 'pipeline.interest.kind': 'epoch' }, 'PIPELINE_CHANGED', 'pipeline.interest.kind "decayed", '],
  ['the chaining', { 'pipeline.chaining': 'on' }, 'PIPELINE_CHANGED', 'pipeline.chaining "off", '],
  ['the lateness', { 'pipeline.allowedLatenessSeconds': '60' }, 'PIPELINE_CHANGED', 'allowedLatenessSeconds 0, '],
])('a changed deployment: %s', (_, change, code, says) => {
  const { code: found, message = '' } = refusalOf(made(change));
  expect(found).toBe(code);
  if (says !== undefined) expect(message).toContain(says);
});

/** Another value of a key: the next number, another name of a list. */
const OTHERS = [
  '2',
  '7',
  '2000',
  '0.5',
  'view',
  'nothing',
  'trending',
  'a:hybrid=50,b:als=50',
  'interval',
  'frame',
  'session',
  'hopping',
  'tumbling',
  'epoch',
  'decayed',
  'rees46',
  'append',
  'on',
  'hybrid',
];
const CONTEXTS: readonly Values[] = [
  {},
  { 'pipeline.trigger.kind': 'interval' },
  { 'pipeline.window.kind': 'hopping' },
  { 'pipeline.window.kind': 'session' },
];
const orNone = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

it.each(
  CONFIG_KEYS.filter(({ key }) => /^pipeline|artitions$|^leaseSeconds$/.test(key)).map(
    ({ key, fixed }) => [key, fixed !== undefined] as const,
  ),
)('%s is fixed as the configuration declares (%s), or nodes must have it in common', (key, isFixed) => {
  const isIn = (settings: (values: Values) => object): boolean =>
    CONTEXTS.some((context) =>
      OTHERS.some((value) => {
        const [before, after] = [context, { ...context, [key]: value }].map((values) => orNone(() => settings(values)));
        return after !== undefined && JSON.stringify(after) !== JSON.stringify(before);
      }),
    );
  expect([isIn(made), isIn((values) => commonSettings(configOf(values)))]).toEqual([isFixed, !isFixed]);
});

it('a record from before there was chaining is one without', () => {
  const { 'pipeline.chaining': _, ...before } = made();
  writeFileSync(join(dataDir, 'deployment.json'), JSON.stringify(before));
  expect(refusalOf(made())).toEqual({});
  expect(refusalOf(made({ 'pipeline.chaining': 'on' }))).toMatchObject({ code: 'PIPELINE_CHANGED' });
});

it('names what can change the partitions: of users and items a repartition, of publishers nothing', () => {
  const { hint } = refusalOf(made({ partitions: '5' }));
  expect(hint).toMatch(/start with --partitions 4.* rivulet repartition --partitions 5/);
  expect(refusalOf(made({ sourcePartitions: '2' })).hint).toBe(
    'sourcePartitions cannot be changed: start with 1, or on another --data-dir',
  );
});

it.each([
  ['cut short', '{"partitions": 4, "so'],
  ['nothing', 'null'],
  ['a list', '[]'],
  ['empty', '{}'],
  ['of no partitions', JSON.stringify({ ...made(), partitions: null })],
  ['of words for numbers', JSON.stringify({ ...made(), partitions: '4' })],
  ['without a setting', JSON.stringify({ ...made(), 'pipeline.window.sizeSeconds': undefined })],
])('a record that is %s is refused, not taken for none or for another one', (_, text) => {
  writeFileSync(join(dataDir, 'deployment.json'), text);
  const hint = expect.stringContaining('restore it from a backup; or delete it') as string;
  expect(refusalOf(made())).toMatchObject({ code: 'STATE_DAMAGED', hint });
});

it.each(CONTEXTS)('is read as it was written: %j', (context) => {
  expect(decodeDeployment(encodeDeployment(made(context)))).toEqual(made(context));
});

it('a data directory and a NATS of two deployments: both say what differs', () => {
  const there = made({ partitions: '5' });
  expect(() => {
    mustBeSame(dataDir, deploymentIn(dataDir)!, { there });
  }).toThrow(
    expect.objectContaining({
      code: 'PARTITIONS_CHANGED',
      message: `${dataDir} was made with partitions 4, the deployment on this NATS has 5`,
      hint: expect.stringMatching(/rivulet repair has it take the state/),
    }),
  );
});

it('the first node that joins says what the deployment is', async () => {
  const table = new MemoryKeyValue();
  await checkSharedDeployment(table, made({ partitions: '3' }));
  await expect(checkSharedDeployment(table, made())).rejects.toMatchObject({ code: 'PARTITIONS_CHANGED' });
  expect(await sharedDeployment(table)).toEqual(made({ partitions: '3' }));
});

it('streams of another deployment are not touched, also where the entry in NATS is lost', async () => {
  const [table, log, topology] = [new MemoryKeyValue(), new MemoryLog(), liveToys()];
  const limits = { bytesMax: 1e6, replicas: 1 };
  const check = async (values: Values, isLost: boolean): Promise<void> =>
    checkDeployed(isLost ? [] : await table.entries(), { log, topology }, made(values));
  await check({}, true);
  // Of two that start first nobody is bound before they have agreed.
  await ensureStreams(log, topology, limits);
  await check({}, true);
  await ensureStreams(log, topology, { ...limits, deployment: encodeDeployment(made({ partitions: '3' })) });
  await check({ partitions: '3' }, true);
  await expect(check({}, true)).rejects.toMatchObject({
    ...{ reaction: 'fatal', code: 'PARTITIONS_CHANGED', hint: expect.stringContaining('--partitions 3') },
    message: 'RIVULET_READ was made with partitions 3, the configuration says 4',
  });
  // The entry counts where there is one: a repartition changes it before all streams have the new record.
  await checkSharedDeployment(table, made());
  await check({}, false);
});
