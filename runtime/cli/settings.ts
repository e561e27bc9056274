/** Configuration on the command line: flags of keys, `--set`, `--config`, and the resulting configuration. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { TimeParser } from '../../actors/maths/time.js';
import { type ConfigRequest, loadConfig, type LoadedConfig, type LogLevel } from '../config/config.js';
import { type ConfigKey, flagOf } from '../config/schema.js';
import { configKey, type FlagValue } from '../config/sources.js';
import { utf8 } from '../frames/bytes.js';

/** Of any command with flags of settings. */
export type SettingOptions = Readonly<Record<string, unknown>>;

export interface JsonOptions extends SettingOptions {
  readonly json?: true;
}

/** Keys of the first level, by the kind of command. */
export const STATE_KEYS = ['dataDir', 'logLevel'] as const;
export const NATS_KEYS = ['natsUrl', 'natsServer', 'natsPort'] as const;
export const GRPC_KEYS = ['grpcHost', 'grpcPort'] as const;
export const HTTP_KEYS = ['httpHost', 'httpPort'] as const;
export const ENGINE_KEYS = [
  'partitions',
  'sourcePartitions',
  'threads',
  'durability',
  'replicas',
  'snapshotEverySeconds',
] as const;

/** For commands that use the NATS of a running node. */
export const NODE_KEYS = ['natsUrl', ...STATE_KEYS] as const;
export const NODE_ABOUTS = {
  natsUrl: 'NATS servers, comma-separated (default: that of the node that runs on the data directory)',
  dataDir: 'data directory of the node',
};

/** For flags: a whole number in a range. */
export const wholeNumber =
  (from: number, to: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`Give a whole number from ${from} to ${to}.`);
  };

/** For flags. */
export const nonEmpty = (text: string): string => {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Give a name, or leave the option out.');
};

/** For flags. */
export const positiveNumber = (text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Give a number above 0.');
};

/** For flags: epoch ms. A date is its beginning, UTC. */
export const instantFlag = (text: string): number => {
  const bytes = utf8(text);
  // Date.parse takes February 31 for March 3.
  const isComplete = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isComplete ? new TimeParser().parse(bytes, 0, bytes.length) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError('Give a date or a time that exists, as in 2026-11-01 or 2026-11-01T12:00:00Z.');
};

/** Adds the flags of these keys, `--config`, and, unless the command has its own `--set`, `--set` for all other keys. */
export function withSettings(
  command: Command,
  keys: readonly string[],
  { set = true, abouts = {} }: { readonly set?: boolean; readonly abouts?: Readonly<Record<string, string>> } = {},
): Command {
  for (const key of keys) {
    const known = configKey(key)!;
    const about = abouts[key] ?? aboutOf(known);
    command.addOption(new Option(`${flagOf(key)} <${placeholderOf(known)}>`, about));
  }
  if (set) command.option('--set <key=value>', 'set any key of the configuration (repeatable)', collectSet);
  return command.option('--config <file>', 'configuration file (default: ./rivulet.json when it is there)');
}

/** A command's own `--set` has other values. */
const setFlags = (set: unknown): FlagValue[] =>
  Array.isArray(set) ? set.filter((one): one is FlagValue => typeof one === 'object') : [];

function placeholderOf({ key, path, numeric }: ConfigKey): string {
  if (numeric) return 'n';
  if (path === true) return 'path';
  return /Url$|Host$/.exec(key)?.[0].toLowerCase() ?? 'name';
}

/** The description, the values if they are a few names, and the default if the description lacks it. */
export function aboutOf({ about, expects, byDefault }: ConfigKey): string {
  const names = /^(\w+, )*\w+ or \w+$/.test(expects) ? `: ${expects}` : '';
  return `${about}${names}${byDefault === undefined ? '' : ` (default: ${String(byDefault)})`}`;
}

function collectSet(text: string, before: readonly FlagValue[] = []): FlagValue[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give key=value, as in --set pipeline.watermarkDelaySeconds=60.');
  return [...before, { key: text.slice(0, at), value: text.slice(at + 1), bySet: true }];
}

/** The options, with the value of a key that has a flag of another name. */
export const withSetting = (options: SettingOptions, key: string, value: string): SettingOptions => ({
  ...options,
  set: [...setFlags(options.set), { key, value, bySet: true }],
});

/** Loads the configuration of a command that was given `withSettings`; warnings go to stderr. */
export function settingsOf(
  options: SettingOptions,
  request: Pick<ConfigRequest, 'env'> & { readonly logLevel?: LogLevel } = {},
): LoadedConfig {
  const loaded = settingsWith(options, [], request);
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
  return loaded;
}

/** The same with further values, which win. */
export function settingsWith(
  options: SettingOptions,
  values: readonly FlagValue[],
  request: Pick<ConfigRequest, 'env'> & { readonly logLevel?: LogLevel } = {},
): LoadedConfig {
  const own: FlagValue[] = Object.entries(options)
    .filter(([key, value]) => configKey(key) !== undefined && value !== undefined)
    .map(([key, value]) => ({ key, value: String(value), bySet: false }));
  return loadConfig({
    ...request,
    file: options.config as string | undefined,
    flags: [...setFlags(options.set), ...own, ...values],
  });
}
