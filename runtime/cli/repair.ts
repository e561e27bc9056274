/** `rivulet repair`: state and log that do not fit together, or damaged state, made good as far as that can be. */
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connect.js';
import { openNatsLog } from '../../connectors/nats/log.js';
import type { Config } from '../config.js';
import { fatal } from '../errors.js';
import type { Topology } from '../graph.js';
import { checkDeployment, deploymentIn } from '../main-deployment.js';
import { openNats } from '../main-nats.js';
import type { Log } from '../ports.js';
import type { RepairOptions } from './commands-state.js';
import { EXIT } from './exit.js';
import { natsOptions, pipelineOptions } from './node-options.js';
import { planRepair, type Remedy, setAside, type StorePlan } from './repair-plan.js';
import { settingsOf } from './settings.js';
import { type EventsLeft, eventsLeft, mustBeAlone, startAnew } from './start-anew.js';
import { dropCopies, openStoredCopies } from './stored-copies.js';
import { grouped, harmless } from './terminal.js';

interface Outcome {
  readonly stores: readonly StorePlan[];
  readonly anew: EventsLeft | undefined;
  readonly setAside: readonly string[];
  readonly done: boolean;
}

export async function repair(options: RepairOptions): Promise<number> {
  const { config } = settingsOf(options);
  const { yes = false, startAnew: anew = false, json = false } = options;
  const pipeline = pipelineOptions(config);
  if (deploymentIn(config.dataDir) !== undefined) checkDeployment(config.dataDir, pipeline);
  else if (natsOptions(config) === undefined) {
    throw fatal('DATA_DIR_EMPTY', `no node has run in ${config.dataDir}`, {
      hint: 'name the data directory of a node with --data-dir, and its NATS with --nats-url if it had one',
    });
  }
  const outcome = await withNats(config, (connection, log) =>
    repaired(config.dataDir, mainTopology(pipeline), connection, log, { yes, anew }),
  );
  const text = json ? JSON.stringify(asJson(outcome), undefined, 2) : asText(outcome, anew);
  process.stdout.write(`${text}\n`);
  const isWrong = anew || outcome.stores.some(({ remedy }) => remedy !== 'nothing');
  return !isWrong || outcome.done ? EXIT.ok : EXIT.failed;
}

async function repaired(
  dataDir: string,
  topology: Topology,
  connection: NatsConnection,
  log: Log,
  { yes, anew }: { readonly yes: boolean; readonly anew: boolean },
): Promise<Outcome> {
  const copies = await openStoredCopies(connection);
  const stores = await planRepair(dataDir, topology, log, copies);
  const left = anew ? await eventsLeft(topology, connection) : undefined;
  const wrong = stores.filter(({ remedy }) => remedy !== 'nothing');
  const possible = anew || !wrong.some(({ remedy }) => remedy === 'lost');
  if (!yes || !possible) return { stores, anew: left, setAside: [], done: false };
  const replayed = wrong.filter(({ remedy }) => remedy === 'replay').map(({ store }) => store);
  // State without its streams is refused, and this command tried again; streams without their state might be taken for whole.
  if (anew) await startAnew(topology, connection);
  else if (copies !== undefined && replayed.length > 0) {
    await mustBeAlone(connection);
    await dropCopies(copies, replayed);
  }
  const now = new Date();
  const kept = (anew ? stores : wrong).flatMap(({ store }) => setAside(dataDir, store, now) ?? []);
  return { stores, anew: left, setAside: kept, done: true };
}

async function withNats<T>(config: Config, work: (connection: NatsConnection, log: Log) => Promise<T>): Promise<T> {
  const named = natsOptions(config);
  const nats = await openNats({
    ...(named === undefined ? {} : { nats: named }),
    dataDir: config.dataDir,
    ...(config.natsServer === undefined ? {} : { natsServer: config.natsServer }),
    natsPort: 'any',
    durability: config.durability,
    onProgress: (message) => process.stderr.write(`${message}\n`),
    onFatal: () => undefined,
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

const asJson = ({ stores, anew, setAside: kept, done }: Outcome): object => ({
  stores,
  ...(anew === undefined ? {} : { start_anew: { messages: anew.messages, from: anew.firstAt, to: anew.lastAt } }),
  set_aside: kept,
  done,
});

const REMEDIES: Readonly<Record<Remedy, string>> = {
  nothing: '',
  copies: 'can be made good: the node takes the copy that NATS holds, and replays the rest',
  replay: 'can be made good: its mailboxes are whole, the node reads them from the beginning',
  lost: 'cannot be made good from the log',
};

function asText({ stores, anew, setAside: kept, done }: Outcome, isAnew: boolean): string {
  const wrong = stores.filter(({ remedy }) => remedy !== 'nothing');
  const lines: string[] = [];
  for (const { store, problems, remedy, because } of wrong) {
    lines.push(`${store}`, ...problems.map((problem) => `  ${harmless(problem)}`), `  ${REMEDIES[remedy]}`);
    lines.push(...because.map((why) => `    ${harmless(why)}`));
  }
  if (wrong.length > 0) lines.push('');
  if (anew !== undefined) lines.push(...anewText(anew, done));
  else if (wrong.length === 0) lines.push(`Nothing to repair: ${stores.length} stores are sound and fit the log.`);
  else if (wrong.some(({ remedy }) => remedy === 'lost')) lines.push(LOST);
  if (done) {
    lines.push(...kept.map((path) => `set aside: ${path}`));
    lines.push('Done. Start the node; delete what was set aside when you are content.');
  } else if (isAnew) lines.push('Nothing was changed. Do it with: rivulet repair --start-anew --yes');
  else if (wrong.length > 0 && !wrong.some(({ remedy }) => remedy === 'lost')) {
    lines.push('These stores would be set aside. Nothing was changed. Do it with: rivulet repair --yes');
  }
  return lines.join('\n');
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
    '',
  ];
}
