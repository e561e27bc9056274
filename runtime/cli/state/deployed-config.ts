/** The configuration of a command that looks at a data directory which was made with partitions of its own. */
import type { Config, LoadedConfig } from '../../config/config.js';
import type { Deployment } from '../../config/deployment.js';
import { deploymentIn } from '../../node/deployment.js';

export const withPartitions = (config: Config, { partitions, sourcePartitions }: Deployment): Config => ({
  ...config,
  partitions,
  sourcePartitions,
});

/** What the command line does not say of partitions, the data directory does; or whoever else knows, and unless others say it. */
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
