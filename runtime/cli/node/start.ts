/** `rivulet start`: the long-running node. */
import pino from 'pino';
import { loadingThreads, usefulThreads } from '../../node/loading.js';
import { systemClock } from '../../contract/clock.js';
import type { NodeOptions, RunningNode } from '../../node/node.js';
import { httpAddressOf } from '../node-link.js';
import { natsCommand } from '../nats-link.js';
import { GIVE_POPULARITY, mustBeFile, mustBeFolder } from '../given-file.js';
import { runNode } from './live-run.js';
import { nodeOptions } from './node-options.js';
import { type SettingOptions, settingsOf } from '../settings.js';

const SERVES_MS_MAX = 15_000;
const LOOK_EVERY_MS = 20;

export async function start(options: SettingOptions): Promise<number> {
  const { config } = settingsOf(options, { logLevel: 'info' });
  if (config.popularity !== undefined) await mustBeFile(config.popularity, GIVE_POPULARITY);
  const { folder } = config.sources;
  if (folder !== undefined) await mustBeFolder(folder, 'give the folder to watch with --watch');
  const logger = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const launch = async () => {
    const options: NodeOptions = {
      ...nodeOptions(config),
      onProgress: (message) => {
        logger.info(message);
      },
    };
    const loading = loadingThreads(usefulThreads(options.threads));
    // The threads load on other cores, in parallel with this import.
    const { startNode } = await import('../../node/node.js');
    return startNode(options, loading);
  };
  return runNode(
    launch,
    async (node, signal) => {
      const { grpcPort, httpPort, nats, natsVersion } = node;
      const { grpcHost, dataDir, partitions, threads } = config;
      const http = httpAddressOf(config, httpPort);
      const where = {
        grpc: `${grpcHost}:${grpcPort}`,
        http,
        nats: nats.url,
        natsVersion,
        dataDir,
        partitions,
        threads,
      };
      logger.info(where, 'listening');
      const isUp = await serves(node, signal);
      if (signal.aborted) return;
      process.stdout.write(
        `rivulet ${isUp ? 'is up' : 'has started, and does not serve yet (see /health)'}: gRPC on ${where.grpc}, HTTP at ${http}, NATS ${natsVersion} at ${nats.url}, data in ${dataDir}, ${partitions} partitions\n`,
      );
      // The credentials of an embedded server are known.
      if (config.natsUrl === undefined) process.stdout.write(`inspect NATS with: ${natsCommand(nats)}\n`);
    },
    () => {
      logger.info('stopping');
    },
  );
}

/** After the start is reported, requests should succeed. Bounded: a node that waits for NATS, or for other nodes, reports it in its health. */
async function serves({ health }: Pick<RunningNode, 'health'>, signal: AbortSignal): Promise<boolean> {
  const untilMs = performance.now() + SERVES_MS_MAX;
  while (health()?.serving !== true && !signal.aborted && performance.now() < untilMs) {
    await systemClock.sleep(LOOK_EVERY_MS, signal);
  }
  return health()?.serving === true;
}
