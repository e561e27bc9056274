/** The configuration of a command for a data directory that was created with its own number of partitions. */
import type { Config, LoadedConfig } from '../../config/config.js';
import type { Deployment } from '../../config/deployment.js';
import { deploymentIn } from '../../node/deployment.js';

export const withPartitions = (config: Config, { partitions, sourcePartitions }: Deployment): Config => ({
  ...config,
  partitions,
  sourcePartitions,
});

/** Partitions that the command line does not set come from the data directory, or from another source that has them. */
export function deployedConfig(
  { config, origins }: LoadedConfig,
  made: Deployment | undefined = deploymentIn(config.dataDir),
  unless: readonly string[] = ['flag'],
): Config {
  if (made === undefined) return config;
  const chosen = (key: 'partitions' | 'sourcePartitions'): number =>
    unless.includes(origins.get(key)?.kind ?? 'default') ? config[key] : made[key];
  return { ...config, partitions: chosen('partitions'), sourcePartitions: chosen('sourcePartitions') };
}
