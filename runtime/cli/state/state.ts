/** `rivulet state ls` and `get`: the state of the stages of a stopped node. */
import { mainTopology } from '../../../actors/topology.js';
import { openLevelStore } from '../../../state/level-store.js';
import type { Config } from '../../config/config.js';
import { fatal } from '../../contract/errors.js';
import type { Store } from '../../contract/ports.js';
import { hexdump } from '../dead-letters/list.js';
import { usage } from '../exit.js';
import { pipelineOptions } from '../node/node-options.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { type Decoded, decoded, type EntryKey, entryKey, type StoreDirectory, storesIn } from './stores.js';
import { grouped, harmless, shortened, table } from '../terminal.js';

export interface StateListOptions extends SettingOptions {
  readonly stage?: string;
  readonly partition?: number;
  readonly state?: string;
  readonly prefix?: string;
  readonly limit: number;
  readonly json?: true;
}

export interface StateGetOptions extends SettingOptions {
  readonly json?: true;
}

const PREVIEW_CHARACTERS = 80;

interface Listed {
  readonly path: string;
  readonly bytes: number;
  readonly content: Decoded;
}

export async function listState(options: StateListOptions): Promise<void> {
  const { config } = settingsOf(options);
  const { limit, json = false } = options;
  const stores = storesIn(config.dataDir);
  const found: Listed[] = [];
  let isMore = false;
  for (const store of stores) {
    if (isMore) break;
    isMore = await within(store, (open) => list(open, options, limit, found));
  }
  if (found.length === 0) checkStage(config, options);
  if (json) {
    const document = found.map(({ path, bytes, content }) => ({ ...entryKey(path), bytes, ...asJson(content) }));
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    return;
  }
  if (found.length === 0) {
    process.stdout.write('No such entries.\n');
    return;
  }
  const rows = found.map(({ path, bytes, content }) => [harmless(path), grouped(bytes), preview(content)]);
  const more = isMore
    ? `\n\nThere are more: --limit shows them, or narrow it down with --stage, --state and --prefix.`
    : '';
  process.stdout.write(`${table(['ENTRY', 'BYTES', 'CONTENT'], rows, new Set([1]))}${more}\n`);
}

/** An existing stage may have no state yet. */
function checkStage(config: Config, { stage }: StateListOptions): void {
  const stages = mainTopology(pipelineOptions(config)).stages.map(({ id }) => id);
  if (stage === undefined || stages.includes(stage)) return;
  throw usage(`there is no stage ${stage}`, `the stages are ${stages.join(', ')}`);
}

/** Adds to `found`; returns whether there are more than `limit`. */
async function list(store: Store, options: StateListOptions, limit: number, found: Listed[]): Promise<boolean> {
  const { stage, partition, state, prefix = '' } = options;
  const wanted: Partial<EntryKey> = {
    ...(stage === undefined ? {} : { stage }),
    ...(partition === undefined ? {} : { partition: String(partition) }),
    ...(state === undefined ? {} : { state }),
  };
  const view = store.view();
  try {
    for await (const some of view.entries(startOf(options))) {
      for (const [path, value] of some) {
        const key = entryKey(path);
        // Internal entries of a store belong to no stage.
        if (!/^\d+$/.test(key.partition)) continue;
        const fits = Object.entries(wanted).every(([name, is]) => key[name as keyof EntryKey] === is);
        if (!fits || !key.key.startsWith(prefix)) continue;
        if (found.length === limit) return true;
        found.push({ path, bytes: value.length, content: decoded(path, value) });
      }
    }
    return false;
  } finally {
    await view.close();
  }
}

/** The beginning of the path that the options determine: other entries need not be read. */
function startOf({ stage, partition, state, prefix = '' }: StateListOptions): string {
  if (stage === undefined) return '';
  if (partition === undefined) return `${stage}/`;
  return state === undefined
    ? `${stage}/${partition}/`
    : state === '$head'
      ? `${stage}/${partition}/$head`
      : `${stage}/${partition}/${state}/${prefix}`;
}

export async function getState(path: string, options: StateGetOptions): Promise<void> {
  const { config } = settingsOf(options);
  for (const store of storesIn(config.dataDir)) {
    // A state of one value may be named without the slash of its empty key.
    const found = await within(store, async (open) => {
      for (const key of [path, `${path}/`]) {
        const value = open.getSync(key);
        if (value !== undefined) return { key, value };
      }
      return undefined;
    });
    if (found === undefined) continue;
    const { key, value } = found;
    const holds = decoded(key, value);
    if (options.json === true) {
      const document = { store: store.name, ...entryKey(key), bytes: value.length, ...asJson(holds) };
      process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    } else {
      process.stdout.write(`${harmless(key)}   ${grouped(value.length)} bytes in ${store.name}\n\n${asText(holds)}\n`);
    }
    return;
  }
  throw fatal('STATE_ENTRY_MISSING', `there is no entry ${path}`, {
    hint: 'see what there is with rivulet state ls; what a stage has not been asked to remember is not there',
  });
}

async function within<T>({ directory }: StoreDirectory, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openLevelStore(directory);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function asJson(holds: Decoded): object {
  if (holds.kind === 'json') return { value: holds.value };
  if (holds.kind === 'rows') return { type: holds.type, rows: holds.rows };
  return { hex: Buffer.from(holds.bytes).toString('hex') };
}

function preview(holds: Decoded): string {
  if (holds.kind === 'bytes') {
    const hex = Buffer.from(holds.bytes.subarray(0, PREVIEW_CHARACTERS)).toString('hex');
    return shortened(hex, PREVIEW_CHARACTERS);
  }
  if (holds.kind === 'json') return harmless(shortened(JSON.stringify(holds.value), PREVIEW_CHARACTERS));
  const first = holds.rows[0] === undefined ? '' : `: ${JSON.stringify(holds.rows[0])}`;
  return harmless(shortened(`${grouped(holds.rows.length)} rows of ${holds.type}${first}`, PREVIEW_CHARACTERS));
}

function asText(holds: Decoded): string {
  if (holds.kind === 'json') return JSON.stringify(holds.value, undefined, 2);
  if (holds.kind === 'bytes') return hexdump(holds.bytes);
  const names = Object.keys(holds.rows[0] ?? {});
  const cell = (value: unknown): string => (value === null ? '–' : harmless(String(value as string | number)));
  const rows = holds.rows.map((row) => names.map((name) => cell(row[name])));
  return `${grouped(holds.rows.length)} rows of ${holds.type}\n\n${table(names, rows)}`;
}
