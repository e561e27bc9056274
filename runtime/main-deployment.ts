/**
 * What is fixed for the life of a data directory: state that was made under one meaning must not be mixed with that of another. Recorded at the
 * first start, checked at every one.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PipelineOptions } from '../actors/topology.js';
import { textOf, utf8 } from './bytes.js';
import { fatal, transient } from './errors.js';
import type { KeyValue, KeyValueEntry } from './ports.js';
import { unlessFenced } from './presence.js';

const FILE = 'deployment.json';

const fixedPart = ({
  partitions,
  trigger,
  window,
  interest,
  popularity,
}: PipelineOptions): Record<string, unknown> => ({
  partitions,
  trigger: trigger.kind,
  window: window.kind,
  interest: interest.kind,
  popularity,
});

/** Throws Fatal PARTITIONS_CHANGED or PIPELINE_CHANGED when the directory was made by another deployment. */
export function checkDeployment(dataDir: string, pipeline: PipelineOptions): void {
  const file = join(dataDir, FILE);
  const wanted = JSON.parse(JSON.stringify(fixedPart(pipeline))) as Record<string, unknown>;
  if (!existsSync(file)) {
    record(dataDir, file, wanted);
    return;
  }
  mustBeSame(dataDir, JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>, wanted);
}

function record(dataDir: string, file: string, fixed: Record<string, unknown>): void {
  try {
    mkdirSync(dataDir, { recursive: true });
    // On a disk that is full half of it would stay.
    writeFileSync(`${file}.new`, `${JSON.stringify(fixed, undefined, 2)}\n`);
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw fatal('STATE_OPEN', `cannot write to the data directory ${dataDir}`, {
      cause: error,
      hint: 'check permissions and free space of the data directory',
    });
  }
}

const KEY = 'pipeline';

/** The partitions of the deployment, out of what its table holds. */
export function sharedPartitions(entries: readonly KeyValueEntry[]): PipelineOptions['partitions'] | undefined {
  const entry = entries.find(({ key }) => key === KEY);
  return entry === undefined ? undefined : (JSON.parse(textOf(entry.value)) as PipelineOptions).partitions;
}

/** The same among the nodes: the first one that joins says what it is. */
export async function checkSharedDeployment(table: KeyValue, pipeline: PipelineOptions): Promise<void> {
  const wanted = JSON.parse(JSON.stringify(fixedPart(pipeline))) as Record<string, unknown>;
  const said = await unlessFenced(() => table.put(KEY, utf8(JSON.stringify(wanted)), 0));
  if (said !== undefined) return;
  const entry = await table.get(KEY);
  if (entry === undefined) throw transient('LOG_AWAY', 'nobody knows what the deployment is');
  mustBeSame('the deployment', JSON.parse(textOf(entry.value)) as Record<string, unknown>, wanted);
}

function mustBeSame(where: string, found: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(wanted)) {
    if (isDeepStrictEqual(found[key], value)) continue;
    const [was, is] = [JSON.stringify(found[key]), JSON.stringify(value)];
    if (key === 'partitions') {
      throw fatal('PARTITIONS_CHANGED', `${where} was made with partitions ${was}, the configuration says ${is}`, {
        hint: 'start with the old number, or use another --data-dir; the number is fixed per deployment',
      });
    }
    throw fatal('PIPELINE_CHANGED', `${where} was made with ${key} ${was}, the configuration says ${is}`, {
      hint: 'its state has another meaning: configure what it was made with, or use another --data-dir',
    });
  }
}
