/** The configuration of a command that looks at a data directory which was made with partitions of its own. */
import type { Config, LoadedConfig } from '../config.js';
import { deploymentIn } from '../main-deployment.js';

/** What the command line does not say of partitions, the data directory does. */
export function deployedConfig({ config, origins }: LoadedConfig): Config {
  const made = deploymentIn(config.dataDir)?.partitions;
  if (made === undefined) return config;
  const chosen = (key: 'partitions' | 'sourcePartitions', there: number): number =>
    origins.get(key)?.kind === 'flag' ? config[key] : there;
  return {
    ...config,
    partitions: chosen('partitions', made.user),
    sourcePartitions: chosen('sourcePartitions', made.source),
  };
}
