/**
 * What is fixed for the life of a data directory: state that was made under one meaning must not be mixed with that of another. Recorded at the
 * first start, checked at every one. Which keys these are the configuration declares (config/schema.ts, `fixed`).
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PipelineOptions } from '../../actors/topology.js';
import { utf8 } from '../frames/bytes.js';
import { explain, fatal, transient } from '../contract/errors.js';
import type { KeyValue, KeyValueEntry } from '../contract/ports.js';
import { unlessFenced } from '../cluster/membership.js';
import { storedJson } from '../contract/stored-json.js';

const FILE = 'deployment.json';

const fixedPart = ({
  partitions,
  trigger,
  window,
  interest,
  popularity,
}: PipelineOptions): Record<string, unknown> => ({
  partitions,
  // Epochs are counted from 1970 by the interval: with another one their numbers mean other times.
  trigger,
  window: window.kind,
  // With a longer one windows that were dropped would be opened anew, and counted from nothing.
  allowedLatenessMs: window.allowedLatenessMs,
  interest: interest.kind,
  popularity,
});

export type Deployment = Readonly<Record<string, unknown>> & { readonly partitions: PipelineOptions['partitions'] };

/** Is it what `fixedPart` gives, whatever the values are? */
function isDeployment(found: unknown): found is Deployment {
  const has = (one: unknown, keys: readonly string[], isValue: (value: unknown) => boolean): boolean =>
    typeof one === 'object' && one !== null && keys.every((key) => isValue((one as Record<string, unknown>)[key]));
  return (
    has(found, ['trigger', 'window', 'allowedLatenessMs', 'interest', 'popularity'], (value) => value !== undefined) &&
    has((found as Deployment).partitions, ['source', 'user', 'item'], (n) => Number.isSafeInteger(n) && Number(n) > 0)
  );
}

export function deploymentIn(dataDir: string): Deployment | undefined {
  const file = join(dataDir, FILE);
  if (!existsSync(file)) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw damaged(file, explain(error), error);
  }
  if (!isDeployment(found)) throw damaged(file, 'it does not say what the deployment is');
  return found;
}

const damaged = (file: string, what: string, cause?: unknown): Error =>
  fatal('STATE_DAMAGED', `${file} is damaged: ${what}`, {
    cause,
    hint: 'restore it from a backup; or delete it, and start with the partitions and the pipeline settings that it was made with',
  });

export function writeDeployment(dataDir: string, pipeline: PipelineOptions): void {
  const file = join(dataDir, FILE);
  try {
    mkdirSync(dataDir, { recursive: true });
    // On a disk that is full half of it would stay, on one that loses power nothing.
    writeFileSync(`${file}.new`, `${JSON.stringify(fixedPart(pipeline), undefined, 2)}\n`, { flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw fatal('STATE_OPEN', `cannot write to the data directory ${dataDir}`, {
      cause: error,
      hint: 'check permissions and free space of the data directory',
    });
  }
}

/** Throws Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED when the directory was made by another deployment. */
export function checkDeployment(dataDir: string, pipeline: PipelineOptions): void {
  const found = deploymentIn(dataDir);
  if (found !== undefined) mustBeSame(dataDir, found, pipeline);
}

/** For a new directory; when the other nodes have agreed, so that one that is refused by them leaves nothing that would be refused by itself. */
export function recordDeployment(dataDir: string, pipeline: PipelineOptions): void {
  if (deploymentIn(dataDir) === undefined) writeDeployment(dataDir, pipeline);
}

/** Name of the bucket that says what the deployment is. */
export const DEPLOYMENT = 'RIVULET_DEPLOYMENT';
const KEY = 'pipeline';

const saidBy = (entry: KeyValueEntry | undefined): Deployment | undefined =>
  entry === undefined ? undefined : storedJson<Deployment>(entry.value, isDeployment);

/** Fatal DEPLOYMENT_UNREADABLE when what stands there was not written by rivulet. */
export async function sharedDeployment(table: KeyValue): Promise<Deployment | undefined> {
  const entry = await table.get(KEY);
  const said = saidBy(entry);
  if (entry !== undefined && said === undefined) throw unreadable(entry);
  return said;
}

/** What is nobody's, and what was written over. */
export const unreadableDeployment = (entries: readonly KeyValueEntry[]): KeyValueEntry[] =>
  entries.filter((entry) => entry.key !== KEY || saidBy(entry) === undefined);

const unreadable = ({ key, revision }: KeyValueEntry): Error =>
  fatal(
    'DEPLOYMENT_UNREADABLE',
    `the entry ${key} of the bucket ${DEPLOYMENT} (revision ${revision}) was not written by rivulet`,
    {
      hint: 'start a node on the data directory that it had: it writes the entry anew; or have `rivulet repair --yes` write it, with the settings that the deployment was made with',
    },
  );

export async function writeSharedDeployment(table: KeyValue, pipeline: PipelineOptions): Promise<void> {
  await table.put(KEY, utf8(JSON.stringify(fixedPart(pipeline))));
}

/** The partitions of the deployment, out of what its table holds. */
export const sharedPartitions = (entries: readonly KeyValueEntry[]): PipelineOptions['partitions'] | undefined =>
  saidBy(entries.find(({ key }) => key === KEY))?.partitions;

/**
 * The same among the nodes: the first one that joins says what it is. Where a stranger has written over it, so does one whose data directory, which was
 * checked, says it (`ours`).
 */
export async function checkSharedDeployment(
  table: KeyValue,
  pipeline: PipelineOptions,
  ours?: Deployment,
): Promise<void> {
  const put = (revision: number) =>
    unlessFenced(() => table.put(KEY, utf8(JSON.stringify(fixedPart(pipeline))), revision));
  if ((await put(0)) !== undefined) return;
  const entry = await table.get(KEY);
  const isStrange = entry !== undefined && saidBy(entry) === undefined;
  if (isStrange && ours !== undefined && (await put(entry.revision)) !== undefined) return;
  const found = await sharedDeployment(table);
  if (found === undefined) throw transient('LOG_AWAY', 'nobody knows what the deployment is');
  mustBeSame('the deployment', found, pipeline);
}

/** Throws Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED when what stands in the data directory is not what the nodes on its NATS share. */
export function mustBeOneDeployment(
  dataDir: string,
  ours: Deployment | undefined,
  shared: Deployment | undefined,
): void {
  if (ours === undefined || shared === undefined) return;
  const key = Object.keys(shared).find((one) => !isDeepStrictEqual(ours[one], shared[one]));
  if (key === undefined) return;
  const [here, there] = [ours, shared].map((one) => JSON.stringify(one[key]));
  throw fatal(
    key === 'partitions' ? 'PARTITIONS_CHANGED' : 'PIPELINE_CHANGED',
    `${dataDir} was made with ${key} ${here}, the deployment on this NATS has ${there}`,
    {
      hint:
        'name the NATS and the data directory of one deployment (--nats-url, --data-dir); where this one was left out of an earlier repartition, ' +
        'or NATS was restored, rivulet repair has it take the state from the copies in NATS',
    },
  );
}

/** Throws Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED. */
export function mustBeSame(where: string, found: Readonly<Record<string, unknown>>, pipeline: PipelineOptions): void {
  const wanted = JSON.parse(JSON.stringify(fixedPart(pipeline))) as Record<string, unknown>;
  for (const [key, value] of Object.entries(wanted)) {
    if (isDeepStrictEqual(found[key], value)) continue;
    const [was, is] = [JSON.stringify(found[key]), JSON.stringify(value)];
    if (key === 'partitions') {
      const { source } = pipeline.partitions;
      const isSource = isDeepStrictEqual({ ...(found[key] as PipelineOptions['partitions']), source }, value);
      throw fatal('PARTITIONS_CHANGED', `${where} was made with partitions ${was}, the configuration says ${is}`, {
        hint: isSource
          ? 'sourcePartitions cannot be changed: start with the old number, or on another --data-dir'
          : 'the number is fixed while nodes run: start with the old one. To change it, stop all nodes and run rivulet repartition --partitions N; ' +
            'when that was done already, on another data directory, see rivulet repair',
      });
    }
    throw fatal('PIPELINE_CHANGED', `${where} was made with ${key} ${was}, the configuration says ${is}`, {
      hint: 'its state has another meaning: configure what it was made with, or use another --data-dir',
    });
  }
}
