/** The deployment according to the data directory, NATS and the configuration, compared as `start` does; and whether a node may start on it. */
import { hasCode } from '../../contract/errors.js';
import type { NatsConnection } from '@nats-io/transport-node';
import type { PipelineOptions } from '../../../actors/topology.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import type { LoadedConfig } from '../../config/config.js';
import {
  type Deployment,
  deploymentOf,
  type Difference,
  differenceOf,
  layoutOf,
  mustBeSame,
  withLayout,
} from '../../config/deployment.js';
import { BUCKETS } from '../../node/buckets.js';
import { deploymentIn, sharedDeployment } from '../../node/deployment.js';
import { RESTORING_STREAM, restoreUnfinished } from '../../contract/streams.js';
import { openBucket } from '../buckets.js';
import { deployedConfig } from '../state/deployed-config.js';

import { pipelineOptions } from '../node/node-options.js';
import type { StorePlan } from './plan.js';
import { brokenOff, type Journal, toBeCompleted } from '../repartition/journal.js';

const CONFIGURED = ['flag', 'environment', 'file'];

export interface FoundDeployment {
  readonly archive: StreamArchive;
  /** Of a repartition that this data directory cannot complete. */
  readonly mark: Journal | undefined;
  /** That of the nodes on this NATS; if there is none, that of the data directory. */
  readonly deployment: Deployment;
  readonly pipeline: PipelineOptions;
  /** Set if the data directory has another record. */
  readonly plans: readonly StorePlan[];
}

/** It is then written again, see `strange-entries.ts`. */
function ifUnreadable(error: unknown): undefined {
  if (!hasCode(error, 'DEPLOYMENT_UNREADABLE')) throw error;
}

/** Fatal RESTORE_UNFINISHED; REPARTITION_UNFINISHED if it can be completed here, unless all is discarded; PARTITIONS_CHANGED, PIPELINE_CHANGED. */
export async function foundDeployment(
  loaded: LoadedConfig,
  connection: NatsConnection,
  isAnew: boolean,
): Promise<FoundDeployment> {
  const { dataDir } = loaded.config;
  const archive = await StreamArchive.open(connection);
  if ((await archive.find(RESTORING_STREAM)) !== undefined) throw restoreUnfinished();
  const { journal, mark } = await brokenOff(dataDir, archive);
  if (journal !== undefined && !isAnew) throw toBeCompleted(journal);
  const table = await openBucket(archive, connection, BUCKETS.deployment);
  const ours = deploymentIn(dataDir);
  const shared = table === undefined ? undefined : await sharedDeployment(table.entries).catch(ifUnreadable);
  const found = shared ?? ours;
  if (ours !== undefined && shared !== undefined) {
    const { sourcePartitions } = shared;
    mustBeSame(dataDir, withLayout({ ...ours, sourcePartitions }, layoutOf(shared)), { there: shared });
  }
  // During a repartition the configuration may be that of before or after it.
  const config = deployedConfig(loaded, found, mark === undefined ? CONFIGURED : []);
  const deployment = deploymentOf(config);
  if (found !== undefined) {
    mustBeSame(shared === undefined ? dataDir : 'the deployment', found, { configured: deployment });
  }
  const other = ours === undefined || shared === undefined ? undefined : differenceOf(ours, shared);
  const plans = other === undefined ? [] : [ofOtherLayout(other)];
  return { archive, mark, deployment, pipeline: pipelineOptions(config), plans };
}

const ofOtherLayout = ({ key, values: [ours, shared] }: Difference): StorePlan => ({
  store: 'deployment.json',
  problems: [`it says ${key} ${ours}, the deployment on this NATS has ${shared}`],
  remedy: 'deployment',
  because: [],
  gone: [],
  uncounted: [],
});
