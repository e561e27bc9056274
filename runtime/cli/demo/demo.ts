/** `rivulet demo`: a node, a simulated shop or film service that publishes to it, and a live view of the results. */
import { basename, relative } from 'node:path';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { systemClock } from '../../contract/clock.js';
import type { Config, LoadedConfig } from '../../config/config.js';
import { type RunningNode, startNode } from '../../node/node.js';
import { DemoFeed } from './feed.js';
import { type Figures, FiguresTaker } from './figures.js';
import { FILMS, SHOP, type Subject } from './subjects.js';
import { line, page, type Place } from './view.js';
import { runNode } from '../node/live-run.js';
import { addressOf, httpAddressOf } from '../node-link.js';
import { nodeOptions } from '../node/node-options.js';
import { usage } from '../exit.js';
import { hasScreen, Screen } from '../screen.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';

export interface DemoOptions extends SettingOptions {
  readonly rate: number;
  readonly users: number;
  readonly items: number;
  readonly seed: number;
  readonly films?: true;
  /** A folder, a zip file or a URL. */
  readonly movielens?: string;
}

const DRAW_EVERY_MS = 1_000;
const PRINT_EVERY_MS = 10_000;
const READY_MS_MAX = 10_000;
const POLL_MS = 50;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function demo(options: DemoOptions): Promise<number> {
  const { movielens, ...settings } = options;
  if (movielens !== undefined) {
    const { movieLensDemo } = await import('./movielens.js');
    return movieLensDemo(movielens, settings, programName());
  }
  const { config, origins } = demoSettings(options);
  const { nats, ...node } = nodeOptions(config);
  if (nats !== undefined) {
    const { name } = origins.get('natsUrl')!;
    say(`${name} is set; the demo sends its made-up events to no server but its own, and leaves that one alone.`);
  }
  let last: Figures | undefined;
  const screen = hasScreen(process.stdout) ? new Screen(process.stdout) : undefined;
  let news: string | undefined;
  const onProgress = (message: string): void => {
    if (screen?.isOpen === true) news = message;
    else say(message);
  };
  const code = await runNode(
    () => startNode({ ...node, ...(options.films === true ? { subject: 'films' } : {}), onProgress }),
    async (running, signal) => {
      try {
        await show(running, signal, { ...options, config, screen, news: () => news }, (figures) => (last = figures));
      } finally {
        screen?.leave();
      }
    },
    () => say('Stopping, with a snapshot…'),
  );
  if (last !== undefined) say(`${grouped(last.events)} events so far. The next start goes on from here.`);
  return code;
}

/** Films have a data directory of their own: the shop's lists would have no films. */
function demoSettings(options: DemoOptions): LoadedConfig {
  const given = settingsOf(options);
  const { schema } = given.config.pipeline;
  const { schemas } = subjectOf(options);
  if (!schemas.includes(schema)) {
    const { name } = given.origins.get('pipeline.schema')!;
    throw usage(
      `pipeline.schema is ${schema} (${name}), which refuses the events of this demo`,
      `run it with --set pipeline.schema=${schemas[0]!}; it also takes ${schemas.slice(1).join(', ')}`,
    );
  }
  const isDefault = options.films === true && given.origins.get('dataDir')?.kind === 'default';
  return isDefault ? settingsOf({ ...options, dataDir: `${given.config.dataDir}-films` }) : given;
}

const subjectOf = ({ films }: { readonly films?: true | undefined }): Subject => (films === true ? FILMS : SHOP);

interface Stage extends DemoOptions {
  readonly config: Config;
  readonly screen: Screen | undefined;
  readonly news: () => string | undefined;
}

async function show(
  node: RunningNode,
  signal: AbortSignal,
  { rate, users, items, seed, films, config, screen, news }: Stage,
  onFigures: (figures: Figures) => void,
): Promise<void> {
  const resumedEvents = await eventsSoFar(node, signal);
  const subject = subjectOf({ films });
  const place = { ...placeOf(node, config), subject, resumedEvents, news };
  say(
    `Page and REST at ${place.http}, gRPC on ${place.grpc}, NATS ${place.natsVersion} at ${place.nats}, data in ${place.dataDir}`,
  );
  const log = await openNatsLog(await connectNats(node.nats, 'rivulet-demo'));
  // The feed's failure must end the view as well, and the other way round.
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const feed = new DemoFeed({
    log,
    clock: systemClock,
    signal: both,
    create: subject.create,
    simulation: { seed, users, items, eventsPerSecond: rate },
  });
  try {
    await feed.nameItems();
    if (resumedEvents > 0) say(`resumed: ${grouped(resumedEvents)} events so far`);
    else say(`sent ${grouped(await feed.warmUp())} events of the last half hour, to begin with`);
    const taker = new FiguresTaker(node, feed, () => systemClock.nowMs());
    if (screen === undefined) {
      say(
        ['Try, in another terminal:', ...commandsFor(place, config, subject.someUser).map((one) => `  ${one}`)].join(
          '\n',
        ),
      );
    }
    const view = (figures: Figures, round: number): void => {
      onFigures(figures);
      screen?.draw(page(figures, place, commandsFor(place, config, figures.user ?? subject.someUser), screen.size));
      if (screen === undefined && round % (PRINT_EVERY_MS / DRAW_EVERY_MS) === 1) say(line(figures, subject));
    };
    await Promise.all([feed.run().finally(() => over.abort()), watch(taker, both, view).finally(() => over.abort())]);
  } catch (error) {
    // A publish that the stop has aborted is not a failure.
    if (!signal.aborted) throw error;
  } finally {
    await log.close();
  }
}

async function watch(
  taker: FiguresTaker,
  signal: AbortSignal,
  onFigures: (figures: Figures, round: number) => void,
): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    onFigures(taker.take(), round);
    await systemClock.sleep(DRAW_EVERY_MS, signal);
  }
}

/** The events counted in the recovered state; statuses are available after the first response of the threads. */
async function eventsSoFar(node: RunningNode, signal: AbortSignal): Promise<number> {
  const until = systemClock.nowMs() + READY_MS_MAX;
  for (;;) {
    const parses = node.statuses().filter(({ stage }) => stage === 'parse');
    const isReady = parses.length > 0 && parses.every(({ state }) => state === 'running');
    if (isReady || signal.aborted || systemClock.nowMs() > until) {
      return parses.reduce((sum, { counters }) => sum + counters.events, 0);
    }
    await systemClock.sleep(POLL_MS, signal);
  }
}

function placeOf(
  { nats, natsVersion, grpcPort, httpPort }: RunningNode,
  config: Config,
): Omit<Place, 'subject' | 'resumedEvents' | 'news'> {
  return {
    ...{ nats: nats.url, natsVersion },
    grpc: addressOf({ ...config, grpcPort }),
    http: httpAddressOf(config, httpPort),
    dataDir: config.dataDir,
    watermarkDelayMs: config.pipeline.watermarkDelaySeconds * 1000,
  };
}

/** Commands to copy: with the program as it was called, and flags for settings that are not the default. */
function commandsFor({ grpc, nats, subject }: Place, { dataDir }: Config, user: string): string[] {
  const rivulet = programName();
  const at = grpc === '127.0.0.1:50051' ? '' : ` --address ${grpc}`;
  const on = dataDir === './.rivulet' ? '' : ` --data-dir ${dataDir}`;
  const event = subject.event(user, "'$(date -u +%FT%TZ)'");
  return [
    `${rivulet} get ${user} --explain${at}`,
    `${rivulet} dlq ls${on}`,
    `grpcurl -plaintext -d '{"user_id":"${user}","limit":5}' ${grpc} rivulet.v1.RecommendationService/GetRecommendations`,
    `nats pub -s ${nats} rivulet.events.view.${user} '${event}'`,
  ];
}

function programName(): string {
  const script = process.argv[1] ?? 'rivulet';
  return basename(script) === 'rivulet' ? 'rivulet' : `node ${relative(process.cwd(), script)}`;
}
