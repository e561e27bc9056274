/** What `rivulet repair` finds in a log that was damaged behind the snapshots, or written to by strangers. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordLoss } from '../../runtime/actor/quarantine.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { deployedConfig } from '../../runtime/cli/state/deployed-config.js';
import { planRepair, setAside, type StorePlan } from '../../runtime/cli/repair/plan.js';
import { loadConfig } from '../../runtime/config/config.js';
import { deploymentOf } from '../../runtime/config/deployment.js';
import type { FlagValue } from '../../runtime/config/sources.js';
import { claimIdentity } from '../../runtime/node/cluster.js';
import { writeDeployment } from '../../runtime/node/deployment.js';
import { filesIn } from '../support/file-damage.js';
import { ActorBed, line, ONE } from '../runtime/actor/actor-bed.js';
import { liveToys } from '../runtime/toy-stages.js';
import { runCli } from './run-cli.js';

const TOPOLOGY = liveToys({ partitions: ONE });

let dataDir: string;
let bed: ActorBed;

/** Six lines taken in, and no snapshot on disk yet. */
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-repair-log-'));
  bed = await ActorBed.make(TOPOLOGY);
  for (const { id } of TOPOLOGY.stages) bed.start(id, 0, { tuning: { snapshotEveryMs: 1e12, frameMessages: 1 } });
  await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
  await bed.quiet();
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

const planFor = async (store: string): Promise<StorePlan> =>
  (await planRepair(dataDir, TOPOLOGY, bed.log)).find((one) => one.store === store)!;

it('sees a message that is missing anywhere behind a snapshot, as the actor would', async () => {
  expect(await planFor('user-0')).toMatchObject({ remedy: 'nothing' });
  bed.log.lose('RIVULET_SUM', 4);
  expect(await planFor('user-0')).toMatchObject({
    remedy: 'lost',
    because: [
      expect.stringMatching(/^LOG_GAP: rivulet\.sum\.0\.read\.0 .* expected message 4 before 5, but it is gone/),
    ],
  });
});

it('gives up publishers’ messages that are missing, and finds nothing more', async () => {
  bed.log.lose('RIVULET_READ', 3);
  bed.log.lose('RIVULET_READ', 4);
  const { remedy, problems, gone } = await planFor('source-0');
  expect([remedy, problems]).toEqual([
    'skip',
    [
      'there is no state of read.0; LOG_GAP: RIVULET_READ does not fit read.0: expected messages 3 to 4, but they are missing',
    ],
  ]);
  for (const { stage: id, partition, missing } of gone) {
    await recordLoss({ log: bed.log, stage: { id }, partition }, missing);
  }
  expect(await planFor('source-0')).toMatchObject({ remedy: 'nothing', problems: [] });
});

it('has nothing to do with what strangers have written on a line: that is skipped', async () => {
  await bed.log.publish('rivulet.sum.0.read.0', utf8('hello'));
  await bed.log.publish('rivulet.sum.0.nobody.7', new Uint8Array());
  for (const store of ['source-0', 'user-0']) expect(await planFor(store)).toMatchObject({ remedy: 'nothing' });
});

it.each([
  ['CURRENT is empty', (state: string) => truncateSync(join(state, 'CURRENT'), 0), /CURRENT is damaged$/],
  ['CURRENT is cut short', (state: string) => truncateSync(join(state, 'CURRENT'), 5), /CURRENT is damaged$/],
  ['manifest is gone', (state: string) => rmSync(filesIn(state, /^MANIFEST/)[0]!), /MANIFEST-\d+ is gone$/],
])('sets a node store aside whose %s; the node gets another identity', async (_, damage, says) => {
  const { node, release } = await claimIdentity(dataDir);
  await release();
  expect(await planFor('node')).toMatchObject({ remedy: 'nothing' });
  damage(join(dataDir, 'state', 'node'));
  await expect(claimIdentity(dataDir)).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
  expect(await planFor('node')).toMatchObject({
    remedy: 'identity',
    problems: [expect.stringMatching(says)],
  });
  setAside(dataDir, 'node', new Date(0));
  const other = await claimIdentity(dataDir);
  await other.release();
  expect(other.node).not.toBe(node);
});

it('takes the partitions from the data directory, unless the command line says which', async () => {
  const configOf = (...flags: FlagValue[]) => {
    const loaded = loadConfig({
      env: { RIVULET_PARTITIONS: '7' },
      cwd: dataDir,
      flags: [{ key: 'dataDir', value: dataDir, bySet: false }, ...flags],
    });
    return { loaded, config: deployedConfig(loaded) };
  };
  expect(configOf().config).toMatchObject({ partitions: 7, sourcePartitions: 1 });
  writeDeployment(dataDir, { ...deploymentOf(configOf().config), partitions: 3, sourcePartitions: 2 });
  expect(configOf().config).toMatchObject({ partitions: 3, sourcePartitions: 2 });
  expect(configOf({ key: 'partitions', value: '5', bySet: true }).config).toMatchObject({ partitions: 5 });
  const plan = await runCli(dataDir, ['repartition', '--partitions', '5', '--data-dir', dataDir]);
  expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining('from 3 to 5 partitions')]);
});
