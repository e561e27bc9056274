/** The configuration of a command that looks at a data directory which was made with partitions of its own. */
import type { Config, LoadedConfig } from '../../config/config.js';
import { type Deployment, deploymentIn } from '../../node/deployment.js';

/** What the command line does not say of partitions, the data directory does; or whoever else knows, and unless others say it. */
export function deployedConfig(
  { config, origins }: LoadedConfig,
  made: Deployment['partitions'] | undefined = deploymentIn(config.dataDir)?.partitions,
  unless: readonly string[] = ['flag'],
): Config {
  if (made === undefined) return config;
  const chosen = (key: 'partitions' | 'sourcePartitions', there: number): number =>
    unless.includes(origins.get(key)?.kind ?? 'default') ? config[key] : there;
  return {
    ...config,
    partitions: chosen('partitions', made.user),
    sourcePartitions: chosen('sourcePartitions', made.source),
  };
}
