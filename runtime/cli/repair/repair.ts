/** `rivulet repair`: repairs damaged state, and state that does not fit the log, as far as possible. */
import { existsSync } from 'node:fs';
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import type { Config, LoadedConfig } from '../../config/config.js';
import { type Deployment, type Layout, layoutOf, startFlags } from '../../config/deployment.js';
import { fatal } from '../../contract/errors.js';
import { recordLoss } from '../../actor/quarantine.js';
import { BUCKETS } from '../../node/buckets.js';
import { deploymentIn, writeDeployment, writeSharedDeployment } from '../../node/deployment.js';
import { commandSupervision, openNats } from '../../node/nats.js';
import { streamOf } from '../../contract/graph.js';
import type { Log } from '../../contract/ports.js';
import { REPARTITIONING_STREAM } from '../../contract/streams.js';
import { openBucket } from '../buckets.js';
import { EXIT } from '../exit.js';
import { natsOptions } from '../node/node-options.js';
import { foundDeployment } from './deployment.js';
import { type Gone, planRepair, type Remedy, setAside, setDirectoryAside, type StorePlan } from './plan.js';
import { changeText, flagsOf, type Journal, workDirectory } from '../repartition/journal.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { spanText } from '../../log-integrity/spans.js';
import { NODE_STORE, storeDirectory } from '../state/stores.js';
import { type EventsLeft, eventsLeft, mustBeAlone, startAnew } from './start-anew.js';
import { dropCopies, openStoredCopies } from '../backup/stored-copies.js';
import { removeStrange, type StrangeEntry, strangeEntries, strangeText } from './strange-entries.js';
import { grouped, harmless } from '../terminal.js';

export interface RepairOptions extends SettingOptions {
  readonly yes?: true;
  readonly startAnew?: true;
  readonly json?: true;
}

interface Outcome {
  /** Of users and items. */
  readonly layout: Layout;
  /** An interrupted one, on another data directory unless everything is recomputed. */
  readonly repartition: Journal | undefined;
  /** Foreign entries of the shared buckets. */
  readonly strange: readonly StrangeEntry[];
  readonly stores: readonly StorePlan[];
  /** How many of them are there. */
  readonly present: number;
  readonly anew: EventsLeft | undefined;
  readonly setAside: readonly string[];
  readonly done: boolean;
}

export async function repair(options: RepairOptions): Promise<number> {
  const loaded = settingsOf(options);
  const { config } = loaded;
  const { yes = false, startAnew: anew = false, json = false } = options;
  if (deploymentIn(config.dataDir) === undefined && natsOptions(config) === undefined) {
    throw fatal('DATA_DIR_EMPTY', `no node has run in ${config.dataDir}`, {
      hint: 'name the data directory of a node with --data-dir, and its NATS with --nats-url if it had one',
    });
  }
  const outcome = await withNats(config, (connection, log) => repaired(loaded, connection, log, { yes, anew }));
  const text = json ? JSON.stringify(asJson(outcome), undefined, 2) : asText(outcome, anew);
  process.stdout.write(`${text}\n`);
  const { strange, stores, repartition } = outcome;
  const isWrong =
    anew || repartition !== undefined || strange.length > 0 || stores.some(({ remedy }) => remedy !== 'nothing');
  return !isWrong || outcome.done ? EXIT.ok : EXIT.failed;
}

/** Finds the problems and changes nothing. */
export const examined = (loaded: LoadedConfig): Promise<Outcome> =>
  withNats(loaded.config, (connection, log) => repaired(loaded, connection, log, { yes: false, anew: false }));

async function repaired(
  loaded: LoadedConfig,
  connection: NatsConnection,
  log: Log,
  { yes, anew }: { readonly yes: boolean; readonly anew: boolean },
): Promise<Outcome> {
  const { dataDir } = loaded.config;
  const { archive, deployment, pipeline, plans, mark } = await foundDeployment(loaded, connection, anew);
  const topology = mainTopology(pipeline);
  const strange = await strangeEntries(connection);
  if (yes) await mendStrange(archive, connection, strange, deployment);
  const base = {
    ...{ layout: layoutOf(deployment), repartition: mark, anew: undefined, setAside: [], present: 0 },
    strange,
  };
  if (isHalf(mark) && !anew) return { ...base, stores: [], done: false };
  const copies = await openStoredCopies(connection);
  const stores = [...plans, ...(await planRepair(dataDir, topology, log, copies))];
  const present = stores.filter(({ store }) => existsSync(storeDirectory(dataDir, store))).length;
  const left = anew ? await eventsLeft(topology, connection) : undefined;
  const wrong = stores.filter(({ remedy }) => remedy !== 'nothing');
  const possible = anew || !wrong.some(({ remedy }) => remedy === 'lost');
  if (!yes || !possible) return { ...base, stores, present, anew: left, done: false };
  const replayed = wrong.filter(({ remedy }) => remedy === 'replay').map(({ store }) => store);
  // State without its streams is refused, and this command is run again; streams without their state might be taken for complete.
  if (anew) await startAnew(topology, connection, log);
  else if (copies !== undefined && replayed.length > 0) {
    await mustBeAlone(connection);
    await dropCopies(copies, replayed);
  }
  for (const { stage: id, partition, missing } of anew ? [] : wrong.flatMap(({ gone }) => gone)) {
    await recordLoss({ log, stage: { id }, partition }, missing);
  }
  const now = new Date();
  const unusable = anew
    ? stores.filter(({ store, remedy }) => store !== NODE_STORE || remedy !== 'nothing')
    : wrong.filter(({ remedy }) => remedy !== 'skip');
  const kept = unusable.flatMap(({ store }) => setAside(dataDir, store, now) ?? []);
  if (plans.length > 0) writeDeployment(dataDir, deployment);
  if (anew && existsSync(workDirectory(dataDir))) kept.push(setDirectoryAside(workDirectory(dataDir), now)!);
  // Until here no node can start.
  if (mark !== undefined) await archive.delete(REPARTITIONING_STREAM);
  return { ...base, stores, present, anew: left, setAside: kept, done: true };
}

/** Deletes them, except that the deployment's entry is written again: the operator of the repair decides its value. */
async function mendStrange(
  archive: StreamArchive,
  connection: NatsConnection,
  strange: readonly StrangeEntry[],
  deployment: Deployment,
): Promise<void> {
  if (strange.length === 0) return;
  await removeStrange(archive, connection, strange);
  const table = await openBucket(archive, connection, BUCKETS.deployment);
  if (table !== undefined && strange.some(({ bucket }) => bucket === BUCKETS.deployment)) {
    await writeSharedDeployment(table.entries, deployment);
  }
}

/** The state is on the data directory of the repartition only (REPARTITION-JOURNAL-3). */
const isHalf = (mark: Journal | undefined): boolean => mark?.step === 'streams' || mark?.step === 'swap';

async function withNats<T>(config: Config, work: (connection: NatsConnection, log: Log) => Promise<T>): Promise<T> {
  const named = natsOptions(config);
  const onProgress = (message: string): unknown => process.stderr.write(`${message}\n`);
  const nats = await openNats({
    ...(named === undefined ? {} : { nats: named }),
    dataDir: config.dataDir,
    ...(config.natsServer === undefined ? {} : { natsServer: config.natsServer }),
    natsPort: 'any',
    natsAnonymous: false,
    durability: config.durability,
    onProgress,
    ...commandSupervision(onProgress),
  });
  try {
    const connection = await connectNats(nats.options, 'rivulet-repair');
    const log = await openNatsLog(connection);
    try {
      return await work(connection, log);
    } finally {
      await log.close();
    }
  } finally {
    await nats.stop();
  }
}

const asJson = ({ repartition, strange, stores, anew, setAside: kept, done }: Outcome): object => ({
  ...(repartition === undefined ? {} : { repartition }),
  strange,
  stores,
  ...(anew === undefined ? {} : { start_anew: { messages: anew.messages, from: anew.firstAt, to: anew.lastAt } }),
  set_aside: kept,
  done,
});

const REMEDIES: Readonly<Record<Remedy, string>> = {
  nothing: '',
  copies: 'can be made good: the node takes the copy that NATS holds, and replays the rest',
  skip: 'can be made good: the node goes on behind what is missing, which is recorded as gone for good',
  identity: 'can be made good: the node gets another identity, which is all that was there',
  deployment: 'can be made good: it is written as NATS has it',
  replay: 'can be made good: its mailboxes are whole, the node reads them from the beginning',
  lost: 'cannot be made good from the log',
};

function asText(outcome: Outcome, isAnew: boolean): string {
  const { layout, repartition, strange, stores, present, anew, setAside: kept, done } = outcome;
  const wrong = stores.filter(({ remedy }) => remedy !== 'nothing');
  const isLost = (isHalf(repartition) && !isAnew) || wrong.some(({ remedy }) => remedy === 'lost');
  const lines = repartitionText(outcome, isAnew);
  for (const entry of strange)
    lines.push(strangeText(entry), `  ${done ? 'removed' : 'to be removed'}: a node makes it anew`, '');
  for (const { store, problems, remedy, because, gone, uncounted } of wrong) {
    lines.push(`${store}`, ...problems.map((problem) => `  ${harmless(problem)}`), `  ${REMEDIES[remedy]}`);
    lines.push(...because.map((why) => `    ${harmless(why)}`));
    if (!isAnew && remedy !== 'lost') lines.push(...gone.map(goneText), ...uncounted.map(uncountedText));
  }
  if (wrong.length > 0) lines.push('');
  if (anew !== undefined) lines.push(...anewText(anew, done));
  else if (isLost) lines.push(LOST);
  if (wrong.length === 0 && !isAnew && strange.length === 0 && repartition === undefined) {
    const absent = stores.length - present;
    const rest = absent === 0 ? '' : `; ${absent} are not there, the node makes them from the copies and the log`;
    lines.push(`Nothing to repair: ${present} stores are sound and fit the log${rest}.`);
    lines.push(`The node starts with ${startFlags(layout)}.`);
  } else if (done) {
    lines.push(...kept.map((path) => `set aside: ${path}`));
    const rest = kept.length === 0 ? '.' : '; once the node runs as expected, delete what was set aside.';
    lines.push(`Done. Start the node with ${startFlags(layout)}${rest}`);
  } else if (isAnew) {
    lines.push('Nothing was changed. Do it with: rivulet repair --start-anew --yes');
  } else if (!isLost) lines.push('Nothing was changed. Do it with: rivulet repair --yes');
  return lines.join('\n');
}

function repartitionText({ repartition, done }: Outcome, isAnew: boolean): string[] {
  if (repartition === undefined) return [];
  const { step } = repartition;
  if (done) {
    const end = step === 'copies' && !isAnew ? 'done' : 'given up';
    return [`The repartition ${changeText(repartition)} is ${end}.`, ''];
  }
  const complete = `rivulet repartition ${flagsOf(repartition)} --yes`;
  const known = isHalf(repartition)
    ? 'If that is lost, so is what was known: the streams were made anew, and no copies of it are in NATS yet.'
    : `If that is lost: it is ${step === 'state' ? 'given up, nothing was changed in NATS yet' : 'done but for copies of the state'}.`;
  return [
    `A repartition ${changeText(repartition)} is under way on this NATS, or was interrupted.`,
    `  Where its data directory is there, complete it, on that one: ${complete}`,
    ...(isAnew ? [] : [`  ${known}`]),
    '',
  ];
}

const countOf = ({ missing }: Gone): string => {
  const count = missing.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return count === 1 ? '1 message' : `${grouped(count)} messages`;
};

/** The clock's messages have sequences there as well. */
function uncountedText(lost: Gone): string {
  return (
    `  lost: ${spanText(lost.missing)} of ${streamOf(lost.stage)} as they were, at most ${countOf(lost)} of publishers, which were acknowledged and counted;` +
    '\n    and what was stored after the last snapshot and before the stream was put back. Publish those events again.'
  );
}

function goneText(gone: Gone): string {
  const { missing } = gone;
  const what = countOf(gone);
  return `  lost: ${spanText(missing)}, so at most ${what} of publishers, each of one event unless it was an array or lines`;
}

const LOST = `What these stores knew is neither in the log any more nor in a copy that fits it. Nothing was changed.
  Is it the right NATS, and the right --data-dir? If not, correct that first.
  With a backup: restore data directory and NATS of the same moment, and start.
  Without: rivulet repair --start-anew forgets what is known, and computes all anew from the events that NATS still has.`;

function anewText({ messages, firstAt, lastAt }: EventsLeft, done: boolean): string[] {
  const span = firstAt === undefined || messages === 0 ? '' : `, stored from ${firstAt} to ${lastAt ?? firstAt}`;
  const [goes, counts] = done ? ['was', 'are'] : ['would be', 'would be'];
  return [
    `What comes back: ${grouped(messages)} messages of publishers are still in NATS${span}. They ${counts} counted anew.`,
    `What is lost: all that was learnt from events before those; the interests, lists and popularity made of them; late rows; what was seen`,
    `of event ids, so that an event that is sent again counts again. State ${goes} set aside; the streams between stages and the copies of state ${goes} deleted.`,
    'What stays: their history, but for the last ten seconds (rivulet history ls); rivulet history replay fills a fresh deployment with it.',
    'Files that were imported (rivulet import events) can be imported again.',
    '',
  ];
}
