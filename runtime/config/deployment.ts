/**
 * The record of a deployment: the settings that are fixed once there is state (`fixed` in schema.ts), by their keys. One record, one codec, one comparison.
 *
 * The authority is its entry in NATS (node/deployment.ts), which the first node that joins creates. A data directory has a copy, which is checked before
 * NATS is available. The streams have copies too, which replace that entry if it is lost.
 */
import { fatal } from '../contract/errors.js';
import { isCount, storedJson } from '../contract/stored-json.js';
import { valueAt } from './config.js';
import { CONFIG_KEYS, type SchemaConfig } from './schema.js';

/** Values by the keys of the configuration. */
export type Settings = Readonly<Record<string, unknown>>;

export interface Deployment extends Settings {
  readonly partitions: number;
  readonly sourcePartitions: number;
}

const CHAINING = 'pipeline.chaining';

/** What `rivulet repartition` changes of a deployment. */
export interface Layout {
  readonly partitions: number;
  readonly chaining: 'on' | 'off';
}

export const layoutOf = ({ partitions, [CHAINING]: chaining }: Deployment): Layout => ({
  partitions,
  chaining: chaining as Layout['chaining'],
});

export const withLayout = (deployment: Deployment, { partitions, chaining }: Layout): Deployment => ({
  ...deployment,
  partitions,
  [CHAINING]: chaining,
});

/** With which a node starts on such a deployment. */
export const startFlags = ({ partitions, chaining }: Layout): string =>
  `--partitions ${partitions}${chaining === 'on' ? ` --set ${CHAINING}=on` : ''}`;

/** Some keys apply only to some kinds of their group: the gap of sessions has no meaning for tumbling windows. */
const fixedKeys = (valueOf: (key: string) => unknown): string[] =>
  CONFIG_KEYS.filter(
    ({ key, fixed }) => fixed === true || fixed?.includes(valueOf(key.replace(/[^.]+$/, 'kind')) as string) === true,
  ).map(({ key }) => key);

const picked = (config: SchemaConfig, keys: readonly string[]): Settings =>
  Object.fromEntries(keys.map((key) => [key, valueAt(config, key)]));

export const deploymentOf = (config: SchemaConfig): Deployment =>
  picked(
    config,
    fixedKeys((key) => valueAt(config, key)),
  ) as Deployment;

/** Further settings that nodes running at the same time must share. State moves between nodes: one continues with what another has computed. */
export const commonSettings = (config: SchemaConfig): Settings =>
  picked(
    config,
    CONFIG_KEYS.filter(({ key, fixed }) => /^(pipeline|history)\.|^leaseSeconds$/.test(key) && fixed === undefined).map(
      ({ key }) => key,
    ),
  );

export const encodeDeployment = (deployment: Deployment): string => JSON.stringify(deployment, undefined, 2);

/** Settings that records of earlier versions do not have, with what held then. */
const ADDED: Settings = { [CHAINING]: 'off', 'pipeline.windowOutput': 'update' };

/** `undefined` if it is not a record. */
export function decodeDeployment(stored: Uint8Array | string): Deployment | undefined {
  const found = storedJson<Deployment>(stored, isDeployment);
  return found && { ...ADDED, ...found };
}

function isDeployment(found: unknown): boolean {
  if (typeof found !== 'object' || found === null) return false;
  const valueOf = (key: string): unknown => (found as Settings)[key] ?? ADDED[key];
  const isNumber = (key: string): boolean => isCount(valueOf(key)) && valueOf(key) !== 0;
  return (
    ['partitions', 'sourcePartitions'].every(isNumber) &&
    fixedKeys(valueOf).every((key) => ['string', 'number'].includes(typeof valueOf(key)))
  );
}

/** The first setting that differs, with both values as text. */
export interface Difference {
  readonly key: string;
  readonly values: readonly [string, string];
}

export function differenceOf(a: Settings, b: Settings): Difference | undefined {
  const key = [...new Set([...Object.keys(a), ...Object.keys(b)])].find((one) => a[one] !== b[one]);
  return key === undefined ? undefined : { key, values: [textOf(a[key]), textOf(b[key])] };
}

const textOf = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));

/** `there`: the deployment on this NATS, with which a data directory is compared. */
export type Wanted = { readonly configured: Deployment } | { readonly there: Deployment };

/** Throws Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED, with the first setting that differs and the fix. */
export function mustBeSame(where: string, made: Deployment, wanted: Wanted): void {
  const isConfigured = 'configured' in wanted;
  const found = differenceOf(made, isConfigured ? wanted.configured : wanted.there);
  if (found === undefined) return;
  const { key, values } = found;
  const [was, is] = values;
  const code = key === 'partitions' || key === 'sourcePartitions' ? 'PARTITIONS_CHANGED' : 'PIPELINE_CHANGED';
  const other = isConfigured ? `the configuration says ${is}` : `the deployment on this NATS has ${is}`;
  throw fatal(code, `${where} was made with ${key} ${was}, ${other}`, {
    hint: isConfigured ? mendOf(key, was, is) : OTHER_NATS,
  });
}

const OTHER_NATS =
  'name the NATS and the data directory of one deployment (--nats-url, --data-dir); where this one was left out of an earlier repartition, ' +
  'or NATS was restored, rivulet repair has it take the state from the copies in NATS';

function mendOf(key: string, was: string, is: string): string {
  if (key === 'sourcePartitions') {
    return `sourcePartitions cannot be changed: start with ${was}, or on another --data-dir`;
  }
  if (key === 'partitions') return fixedUntil(`--partitions ${was}`, `--partitions ${is}`);
  if (key === CHAINING) return fixedUntil(`--set ${CHAINING}=${unquoted(was)}`, `--chaining ${unquoted(is)}`);
  return `state has another meaning with it: configure ${key} ${was}, or use another --data-dir`;
}

const unquoted = (json: string): string => JSON.parse(json) as string;

const fixedUntil = (was: string, is: string): string =>
  `it is fixed while nodes run: start with ${was}. To change it, stop all nodes and run rivulet repartition ${is} --yes; ` +
  'when that was done already, on another data directory, see rivulet repair';
