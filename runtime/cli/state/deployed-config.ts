/** The configuration of a command as that of the deployment that it works on. */
import type { Config, LoadedConfig } from '../../config/config.js';
import { type Deployment, type Layout, layoutOf, type Settings } from '../../config/deployment.js';
import { configKey } from '../../config/sources.js';
import { deploymentIn } from '../../node/deployment.js';
import { type SettingOptions, settingsWith } from '../settings.js';

/** With the partitions of users and items, and the chaining, of a deployment. */
export const laidOut = (config: Config, { partitions, chaining }: Layout): Config => ({
  ...config,
  partitions,
  pipeline: { ...config.pipeline, chaining },
});

/** What the command line does not set of partitions and chaining comes from the data directory, or from another source that has it. */
export function deployedConfig(
  { config, origins }: LoadedConfig,
  made: Deployment | undefined = deploymentIn(config.dataDir),
  unless: readonly string[] = ['flag'],
): Config {
  if (made === undefined) return config;
  const chosen = <T>(key: string, configured: T, deployed: T): T =>
    unless.includes(origins.get(key)?.kind ?? 'default') ? configured : deployed;
  const { partitions, chaining } = layoutOf(made);
  return {
    ...laidOut(config, {
      partitions: chosen('partitions', config.partitions, partitions),
      chaining: chosen('pipeline.chaining', config.pipeline.chaining, chaining),
    }),
    sourcePartitions: chosen('sourcePartitions', config.sourcePartitions, made.sourcePartitions),
  };
}

/** The pipeline as its running nodes have it. `settings`: those that they have in common. */
export function runningConfig(options: SettingOptions, made: Deployment | undefined, settings: Settings): Config {
  const values = Object.entries({ ...made, ...settings })
    .filter(([key, value]) => configKey(key) !== undefined && ['string', 'number'].includes(typeof value))
    .map(([key, value]) => ({ key, value: String(value), bySet: true }));
  return settingsWith(options, values).config;
}
