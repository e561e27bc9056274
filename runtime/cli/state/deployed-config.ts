/** The configuration of a command as that of the deployment that it works on. */
import type { Config, LoadedConfig } from '../../config/config.js';
import type { Deployment, Settings } from '../../config/deployment.js';
import { configKey } from '../../config/sources.js';
import { deploymentIn } from '../../node/deployment.js';
import { type SettingOptions, settingsWith } from '../settings.js';

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

/** The pipeline as its running nodes have it. `settings`: those that they have in common. */
export function runningConfig(options: SettingOptions, made: Deployment | undefined, settings: Settings): Config {
  const values = Object.entries({ ...made, ...settings })
    .filter(([key, value]) => configKey(key) !== undefined && ['string', 'number'].includes(typeof value))
    .map(([key, value]) => ({ key, value: String(value), bySet: true }));
  return settingsWith(options, values).config;
}
