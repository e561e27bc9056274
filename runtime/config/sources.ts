/** Sources of configuration: a JSON file, the environment, flags. Each gives values by key, with their origin. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CONFIG_KEYS, type ConfigKey, flagOf, VARIABLE_PREFIX } from './schema.js';
import { nearest } from './nearest.js';
import { fatal } from '../contract/errors.js';

export interface Origin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag';
  /** `rivulet.json`, `RIVULET_GRPC_PORT`, `--grpc-port`, `default`. */
  readonly name: string;
}

export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

export type GivenValues = ReadonlyMap<string, Given>;

export const FILE_VARIABLE = 'RIVULET_CONFIG';
export const FILE_DEFAULT = 'rivulet.json';

/** Rivulet's variables that are not configuration keys. */
const OTHER_VARIABLES = /^RIVULET_(CONFIG$|TOKEN$|TEST_)/;

const byKey = new Map(CONFIG_KEYS.map((key) => [key.key, key]));
const groups = new Set(
  CONFIG_KEYS.flatMap(({ key }) =>
    key
      .split('.')
      .slice(0, -1)
      .map((_, i, all) => all.slice(0, i + 1).join('.')),
  ),
);

export const configKey = (key: string): ConfigKey | undefined => byKey.get(key);

/** Flags as text by key; for `--set` also the name of the flag. */
export interface FlagValue {
  readonly key: string;
  readonly value: string;
  readonly bySet: boolean;
}

/** The path of the file to read, if any; a file named explicitly must exist. */
export function filePath(named: string | undefined, env: NodeJS.ProcessEnv, cwd: string): string | undefined {
  const [path, by] = named === undefined ? [env[FILE_VARIABLE] || undefined, FILE_VARIABLE] : [named, '--config'];
  if (path === undefined) return existsSync(resolve(cwd, FILE_DEFAULT)) ? FILE_DEFAULT : undefined;
  if (existsSync(resolve(cwd, path))) return path;
  throw fatal('CONFIG_FILE', `there is no file ${path}`, {
    hint: `it is named by ${by}: give the path of a JSON file`,
  });
}

export function fromFile(path: string, cwd: string, problems: string[]): GivenValues {
  const values = new Map<string, Given>();
  const origin: Origin = { kind: 'file', name: path };
  const folder = dirname(resolve(cwd, path));
  const take = (key: string, value: unknown): void => {
    const known = byKey.get(key);
    if (known !== undefined) {
      const isElsewhere = known.path === true && typeof value === 'string' && folder !== cwd;
      values.set(key, { value: isElsewhere ? resolve(folder, value) : value, origin });
    } else if (key === '' || groups.has(key)) {
      if (!isObject(value)) problems.push(`${key === '' ? 'it' : key} (${path}) must be a JSON object`);
      else for (const [name, inner] of Object.entries(value)) take(key === '' ? name : `${key}.${name}`, inner);
    } else if (key !== '$schema') {
      // An object is the value of a group: the name of a group may have been meant.
      problems.push(unknownKey(key, path, isObject(value) ? [...byKey.keys(), ...groups] : byKey.keys()));
    }
  };
  take('', readJson(path, cwd));
  return values;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readJson(path: string, cwd: string): unknown {
  try {
    return JSON.parse(readFileSync(resolve(cwd, path), 'utf8')) as unknown;
  } catch (cause) {
    throw fatal('CONFIG_FILE', `${path} is no JSON file that can be read: ${(cause as Error).message}`, { cause });
  }
}

function unknownKey(key: string, where: string, candidates: Iterable<string>): string {
  const meant = nearest(key, candidates);
  return `there is no key ${key} (${where})${meant === undefined ? '' : `: did you mean ${meant}?`}`;
}

function noKeyButGroup(group: string, where: string): string {
  const keys = [...byKey.keys()].filter((key) => key.startsWith(`${group}.`));
  return `${group} (${where}) is a group: set ${keys.join(', ')}`;
}

/** An empty variable counts as not set, as in compose files. */
export function fromEnvironment(env: NodeJS.ProcessEnv, warnings: string[]): GivenValues {
  const values = new Map<string, Given>();
  const byVariable = new Map(CONFIG_KEYS.map((key) => [key.variable, key]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || value === undefined || value === '' || OTHER_VARIABLES.test(name))
      continue;
    const known = byVariable.get(name);
    if (known !== undefined)
      values.set(known.key, { value: typed(known, value), origin: { kind: 'environment', name } });
    else {
      const meant = nearest(name, byVariable.keys());
      warnings.push(
        `the variable ${name} means nothing to Rivulet${meant === undefined ? '' : `: did you mean ${meant}?`}`,
      );
    }
  }
  return values;
}

export function fromFlags(flags: readonly FlagValue[], problems: string[]): GivenValues {
  const values = new Map<string, Given>();
  for (const { key, value, bySet } of flags) {
    const known = byKey.get(key);
    const name = bySet ? `--set ${key}` : flagOf(key);
    if (known === undefined)
      problems.push(groups.has(key) ? noKeyButGroup(key, '--set') : unknownKey(key, '--set', byKey.keys()));
    else if (known.secret === true) {
      problems.push(`${key} (${name}) is secret, and others can see command lines: give it in ${known.variable}`);
    } else if (key === 'natsUrl' && value.includes('@')) {
      problems.push(
        `natsUrl (${name}) holds a password or token, and others can see command lines: give it in ${known.variable}, ` +
          'or the URL without it, and RIVULET_NATS_USER and RIVULET_NATS_PASSWORD, or RIVULET_NATS_TOKEN',
      );
    } else values.set(key, { value: typed(known, value), origin: { kind: 'flag', name } });
  }
  return values;
}

/** The text as the key's type; text that is not a number stays text, and validation rejects it with its name. */
function typed({ numeric }: ConfigKey, value: string): unknown {
  const number = Number(value);
  return numeric && value.trim() !== '' && Number.isFinite(number) ? number : value;
}
