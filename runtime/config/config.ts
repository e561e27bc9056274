/**
 * The configuration, read once at startup: file, then environment, then flags, the later ones winning; validated, completed, frozen.
 *
 * All problems are reported together, each with the key, the value, its origin and the expected values.
 */
import { availableParallelism } from 'node:os';
import { CONFIG_KEYS, type ConfigKey, configSchema, type SchemaConfig, STRATEGIES } from './schema.js';
import {
  configKey,
  filePath,
  type FlagValue,
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
  type Origin,
} from './sources.js';
import { fatal } from '../contract/errors.js';

export type LogLevel = NonNullable<SchemaConfig['logLevel']>;

/** Every key with a default has its value. */
export type Config = SchemaConfig & {
  readonly threads: number;
  readonly logLevel: LogLevel;
  readonly natsAnonymous: 'on' | 'off';
};

export interface ConfigRequest {
  /** `--config`. */
  readonly file?: string | undefined;
  readonly flags?: readonly FlagValue[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly cores?: number;
  /** The default log level of this command. */
  readonly logLevel?: LogLevel;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By key; a key without an origin has no value. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly string[];
}

const DEFAULT: Origin = { kind: 'default', name: 'default' };
const MASK = '***';

/** Rejects what is wrong with fatal CONFIG_INVALID or CONFIG_FILE. */
export function loadConfig(request: ConfigRequest = {}): LoadedConfig {
  const { env = process.env, cwd = process.cwd(), flags = [], cores = availableParallelism() } = request;
  const problems: string[] = [];
  const warnings: string[] = [];
  const file = filePath(request.file, env, cwd);
  const given = new Map<string, Given>([
    ...(file === undefined ? [] : fromFile(file, cwd, problems)),
    ...fromEnvironment(env, warnings),
    ...fromFlags(flags, problems),
  ]);
  const parsed = configSchema.safeParse(nested(given));
  if (!parsed.success) {
    const wrong = new Set(parsed.error.issues.map(({ path }) => path.join('.')));
    for (const key of wrong) problems.push(wrongValue(configKey(key)!, given.get(key)!));
  } else problems.push(...contradictions(parsed.data, given));
  if (problems.length > 0 || !parsed.success) throw invalid(problems);

  const config = completed(parsed.data, cores, request.logLevel ?? 'warn');
  const origins = new Map(
    CONFIG_KEYS.filter(({ key }) => valueAt(config, key) !== undefined).map(({ key }) => [
      key,
      given.get(key)?.origin ?? DEFAULT,
    ]),
  );
  return { config: frozen(config), origins, warnings };
}

function completed(values: SchemaConfig, cores: number, logLevel: LogLevel): Config {
  return {
    ...values,
    threads: values.threads ?? Math.max(1, Math.min(cores, values.partitions)),
    logLevel: values.logLevel ?? logLevel,
    // A deployment that requires tokens on its façades must not accept anonymous NATS clients.
    natsAnonymous: values.natsAnonymous ?? (values.auth.issuer === undefined ? 'on' : 'off'),
  };
}

export const valueAt = (config: object, key: string): unknown =>
  key.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], config);

/** A value as it may be printed: secrets, and passwords in URLs, are masked. */
export function shownValue({ secret }: ConfigKey, value: unknown): string {
  if (value === undefined) return '';
  if (secret === true) return MASK;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/(^|,|:\/\/)([^/@,\s]+)@/g, (_, before: string, user: string) =>
    user.includes(':') ? `${before}${user.split(':')[0]}:${MASK}@` : `${before}${MASK}@`,
  );
}

function nested(given: ReadonlyMap<string, Given>): object {
  const root: Record<string, unknown> = {};
  for (const [key, { value }] of given) {
    const names = key.split('.');
    const last = names.pop()!;
    let at = root;
    for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return root;
}

function wrongValue(key: ConfigKey, { value, origin }: Given): string {
  const shown = key.secret === true ? MASK : JSON.stringify(value);
  return `${key.key} is ${shown} (${origin.name}): give ${key.expects}`;
}

function contradictions(config: SchemaConfig, given: ReadonlyMap<string, Given>): string[] {
  const problems: string[] = [];
  const where = (key: string): string => given.get(key)?.origin.name ?? 'default';
  const together = (a: keyof SchemaConfig, b: keyof SchemaConfig): void => {
    for (const [has, lacks] of [
      [a, b],
      [b, a],
    ] as const) {
      if (config[has] !== undefined && config[lacks] === undefined) {
        problems.push(`${has} is given (${where(has)}) without ${lacks}: give both or neither`);
      }
    }
  };
  together('tlsCertFile', 'tlsKeyFile');
  together('natsTlsCertFile', 'natsTlsKeyFile');
  together('natsUser', 'natsPassword');
  if (config.tlsClientCaFile !== undefined && config.tlsCertFile === undefined) {
    problems.push(`tlsClientCaFile is given (${where('tlsClientCaFile')}) without tlsCertFile: give both`);
  }
  problems.push(...authContradictions(config.auth, where));
  problems.push(...pipelineContradictions(config.pipeline, where));
  if (config.natsUrl === undefined && config.replicas > 1) {
    problems.push(
      `replicas is ${config.replicas} (${where('replicas')}), and the embedded nats-server is one server: ` +
        'give 1, or the natsUrl of a cluster',
    );
  }
  if (config.natsUrl !== undefined && !config.natsUrl.split(',').every(isServerAddress)) {
    const key = configKey('natsUrl')!;
    problems.push(`natsUrl is ${shownValue(key, config.natsUrl)} (${where('natsUrl')}): give ${key.expects}`);
  }
  if (![...credentialsIn(config.natsUrl)].every(isWellEscaped)) {
    problems.push(
      `natsUrl holds credentials with a malformed percent-escape (${where('natsUrl')}): write each byte of a special ` +
        'character, in UTF-8, as %XX, and so % as %25, or give natsUser and natsPassword, or natsToken',
    );
  }
  // The NATS client sends the same credentials to every server, also to those that it discovers later.
  if (credentialsIn(config.natsUrl).size > 1) {
    problems.push(
      `natsUrl holds different credentials for its servers (${where('natsUrl')}): give the same ones for each, ` +
        'or none, and natsUser and natsPassword, or natsToken',
    );
  }
  return problems;
}

function pipelineContradictions(pipeline: SchemaConfig['pipeline'], where: (key: string) => string): string[] {
  const problems: string[] = [];
  const { minRating, maxRating, popularity, window } = pipeline;
  if (minRating > maxRating) {
    const key = 'pipeline.minRating';
    problems.push(`${key} is ${minRating} (${where(key)}): give at most pipeline.maxRating, ${maxRating}`);
  } else if (
    popularity.ratingMin !== undefined &&
    (popularity.ratingMin < minRating || popularity.ratingMin > maxRating)
  ) {
    const key = 'pipeline.popularity.ratingMin';
    problems.push(
      `${key} is ${popularity.ratingMin} (${where(key)}): give one from pipeline.minRating, ${minRating}, to pipeline.maxRating, ${maxRating}`,
    );
  }
  const { kind, sizeSeconds, slideSeconds } = window;
  if (kind === 'hopping' && slideSeconds > sizeSeconds) {
    const key = 'pipeline.window.slideSeconds';
    problems.push(`${key} is ${slideSeconds} (${where(key)}): give at most the size of the window, ${sizeSeconds}`);
  }
  const { arms } = pipeline.experiment;
  const wrong = arms === undefined ? undefined : armsFault(armsIn(arms));
  if (wrong !== undefined) {
    const key = 'pipeline.experiment.arms';
    problems.push(`${key} is ${JSON.stringify(arms)} (${where(key)}): ${wrong}`);
  }
  return problems;
}

interface Arm {
  readonly name: string;
  readonly strategy: string;
  readonly percent: number;
}

/** Of the text of `pipeline.experiment.arms`. */
export const armsIn = (text: string): readonly Arm[] =>
  text.split(',').map((one) => {
    const [, name, strategy, percent] = /^ *(.+):(.+)=(.+?) *$/.exec(one)!;
    return { name: name!, strategy: strategy!, percent: Number(percent) };
  });

function armsFault(arms: readonly Arm[]): string | undefined {
  const unknown = arms.find(({ strategy }) => !(STRATEGIES as readonly string[]).includes(strategy));
  if (unknown !== undefined) return `there is no strategy ${unknown.strategy}: give some of ${STRATEGIES.join(', ')}`;
  if (new Set(arms.map(({ name }) => name)).size < arms.length) return 'two arms have one name: give each its own';
  const sum = arms.reduce((before, { percent }) => before + percent, 0);
  if (Math.abs(sum - 100) > 1e-6) return `the percentages add up to ${sum}: they must to 100`;
  return arms.some(({ percent }) => percent === 0) ? 'an arm has no users: give it a percentage above 0' : undefined;
}

function authContradictions(
  { jwksFile, jwksUrl, issuer, audience, algorithms }: SchemaConfig['auth'],
  where: (key: string) => string,
): string[] {
  const problems: string[] = [];
  const wrong = (name: string, value: string): void => {
    const key = configKey(`auth.${name}`)!;
    problems.push(`${key.key} is ${shownValue(key, value)} (${where(key.key)}): give ${key.expects}`);
  };
  const given = Object.entries({ jwksFile, jwksUrl, issuer, audience }).filter(([, value]) => value !== undefined);
  const hasKeys = (jwksFile === undefined) !== (jwksUrl === undefined);
  if (given.length > 0 && !(hasKeys && issuer !== undefined && audience !== undefined)) {
    const names = given.map(([name]) => `auth.${name} (${where(`auth.${name}`)})`);
    problems.push(
      `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} given: tokens need auth.issuer, auth.audience and one of auth.jwksFile and auth.jwksUrl`,
    );
  }
  if (jwksUrl !== undefined && !isSafeUrl(jwksUrl)) wrong('jwksUrl', jwksUrl);
  if (!algorithmsIn(algorithms).every((name) => ALGORITHM.test(name))) wrong('algorithms', algorithms);
  return problems;
}

/** Whoever can change the keys in transit can forge tokens. */
const isSafeUrl = (url: string): boolean =>
  URL.canParse(url) && /^(https:|http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$))/i.test(new URL(url).href);

const ALGORITHM = /^((RS|PS|ES)(256|384|512)|EdDSA)$/;

export const algorithmsIn = (list: string): readonly string[] => list.split(',').map((name) => name.trim());

const isServerAddress = (address: string): boolean =>
  /^((nats|tls):\/\/)?([^\s/@]+@)?(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?\/?$/i.test(address.trim());

const credentialsIn = (urls = ''): ReadonlySet<string> =>
  new Set(urls.split(',').flatMap((url) => /^(?:\w+:\/\/)?([^@/]+)@/.exec(url.trim())?.[1] ?? []));

function isWellEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function invalid(problems: readonly string[]): Error {
  const message =
    problems.length === 1
      ? problems[0]!
      : [`${problems.length} things are wrong in the configuration:`, ...problems.map((one) => `  - ${one}`)].join(
          '\n',
        );
  return fatal('CONFIG_INVALID', message, { hint: 'rivulet config --help lists all keys' });
}

function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner as object);
  return Object.freeze(value);
}
