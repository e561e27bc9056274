/** `rivulet state verify`: checks every entry, every file, every head. */
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { examineStore, type StoredInstance, type StoreReport } from '../../../state/examine-store.js';
import type { Config } from '../../config/config.js';
import { asError } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import { SNAPSHOT_FORMAT } from '../../state/keyspace.js';
import type { Log } from '../../contract/ports.js';
import { deployedConfig } from './deployed-config.js';
import { EXIT } from '../exit.js';
import { judgeLog, judgeSnapshot } from '../repair/log-fit.js';
import { messageOf, verdictText } from '../../log-integrity/verdict.js';
import { natsIfAny } from '../nats-link.js';
import { pipelineOptions } from '../node/node-options.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { storesIn } from './stores.js';
import { grouped, harmless, table } from '../terminal.js';

interface InstanceFinding {
  readonly store: string;
  readonly instance: string;
  readonly sequence: number | null;
  readonly entries: number;
  readonly bytes: number;
  /** How the log fits: `fits`, or the problem; null if it was not checked. */
  readonly log: string | null;
  /** False: of a stage that this version, or this configuration, does not have. */
  readonly used: boolean;
  readonly problems: readonly string[];
}

interface StoreFinding {
  readonly store: string;
  readonly format: number | null;
  readonly problems: readonly string[];
}

export async function verifyState(options: SettingOptions & { readonly json?: true }): Promise<number> {
  const config = deployedConfig(settingsOf(options));
  const topology = mainTopology(pipelineOptions(config));
  const { log, silent } = await logOf(config);
  try {
    const stores: StoreFinding[] = [];
    const instances: InstanceFinding[] = [];
    for (const { name, directory } of storesIn(config.dataDir)) {
      const report = await examineStore(directory);
      stores.push({
        store: name,
        format: report.format ?? null,
        problems: [...report.problems, ...formatProblems(report)],
      });
      for (const instance of report.instances) {
        instances.push(await examined(name, instance, topology, log));
      }
    }
    const sound = [...stores, ...instances].every(({ problems }) => problems.length === 0);
    const compared = log !== undefined;
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify({ sound, log_compared: compared, stores, instances }, undefined, 2)}\n`);
    } else process.stdout.write(`${asText(stores, instances, sound)}${silent}\n`);
    return sound ? EXIT.ok : EXIT.failed;
  } finally {
    await log?.close();
  }
}

const formatProblems = ({ format }: StoreReport): string[] =>
  format !== undefined && format > SNAPSHOT_FORMAT
    ? [`its format is ${format}, this build reads ${SNAPSHOT_FORMAT}: run the version that wrote it`]
    : [];

async function examined(
  store: string,
  stored: StoredInstance,
  topology: Topology,
  log: Log | undefined,
): Promise<InstanceFinding> {
  const { stage: id, partition, head, entries, bytes } = stored;
  const stage = topology.stages.find((one) => one.id === id);
  const problems: string[] = [];
  let fit: string | null = null;
  if (stage !== undefined && head !== undefined) {
    const instance = { topology, stage: id, partition, head };
    const verdict = log === undefined ? judgeSnapshot(instance) : await judgeLog({ ...instance, log });
    if (!verdict.fits) problems.push(`${verdictText(verdict)} (${verdict.remedy})`);
    if (log !== undefined) fit = verdict.fits ? 'fits' : messageOf(verdict);
  }
  return {
    store,
    instance: `${id}.${partition}`,
    sequence: head?.sequence ?? null,
    entries,
    bytes,
    log: fit,
    used: stage !== undefined,
    problems,
  };
}

/** A stage that there was before is not used, whatever is left of it. */
const stateOf = (used: boolean, problems: readonly string[]): string => {
  if (problems.length > 0) return 'see below';
  return used ? 'sound' : 'not used';
};

function asText(stores: readonly StoreFinding[], instances: readonly InstanceFinding[], sound: boolean): string {
  const rows = instances.map(({ store, instance, sequence, entries, bytes, log, used, problems }) => [
    ...[store, instance, sequence === null ? '–' : grouped(sequence), grouped(entries), grouped(bytes)],
    ...[log === null ? '–' : log === 'fits' ? 'fits' : 'does not fit', stateOf(used, problems)],
  ]);
  const header = ['STORE', 'INSTANCE', 'SNAPSHOT AT', 'ENTRIES', 'BYTES', 'LOG', 'STATE'];
  const lines = [table(header, rows, new Set([2, 3, 4])), ''];
  for (const { store, problems } of stores)
    for (const problem of problems) lines.push(`${store}: ${harmless(problem)}`);
  for (const { instance, problems } of instances) {
    for (const problem of problems) lines.push(`${harmless(instance)}: ${harmless(problem)}`);
  }
  const old = stores.filter(({ format }) => format !== null && format < SNAPSHOT_FORMAT).map(({ store }) => store);
  if (old.length > 0) {
    lines.push(
      `${old.join(', ')}: of an older format, whose entries have no checksums; the next start brings it to the present one`,
    );
  }
  lines.push(
    sound ? `${stores.length} stores are sound.` : 'Not all is sound. What can be done about it: rivulet repair',
  );
  return lines.join('\n');
}

/** A log, if its NATS is reachable; else the reason to report. */
async function logOf(config: Config): Promise<{ log: Log | undefined; silent: string }> {
  const options = natsIfAny(config);
  if (options === undefined) {
    return { log: undefined, silent: '\nThe log was not looked at: its NATS does not run (rivulet repair starts it).' };
  }
  try {
    return { log: await openNatsLog(await connectNats(options, 'rivulet-verify')), silent: '' };
  } catch (error) {
    return { log: undefined, silent: `\nThe log was not looked at: ${asError(error).message}.` };
  }
}
