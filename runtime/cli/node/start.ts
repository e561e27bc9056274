/** `rivulet start`: the long-running node. */
import pino from 'pino';
import { loadingThreads, usefulThreads } from '../../node/loading.js';
import type { NodeOptions } from '../../node/node.js';
import type { SettingOptions } from '../commands/node.js';
import { httpAddressOf } from '../node-link.js';
import { runNode } from './live-run.js';
import { nodeOptions } from './node-options.js';
import { settingsOf } from '../settings.js';

export async function start(options: SettingOptions): Promise<number> {
  const { config } = settingsOf(options, { logLevel: 'info' });
  const logger = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const launch = async () => {
    const options: NodeOptions = {
      ...nodeOptions(config),
      onProgress: (message) => {
        logger.info(message);
      },
    };
    const loading = loadingThreads(usefulThreads(options.threads));
    // They load on other cores, while this one does.
    const { startNode } = await import('../../node/node.js');
    return startNode(options, loading);
  };
  return runNode(
    launch,
    async ({ grpcPort, httpPort, natsUrl, natsVersion }) => {
      const { grpcHost, dataDir, partitions, threads } = config;
      const http = httpAddressOf(config, httpPort);
      const where = { grpc: `${grpcHost}:${grpcPort}`, http, nats: natsUrl, natsVersion, dataDir, partitions, threads };
      logger.info(where, 'listening');
      process.stdout.write(
        `rivulet is up: gRPC on ${where.grpc}, HTTP at ${http}, NATS ${natsVersion} at ${natsUrl}, data in ${dataDir}, ${partitions} partitions\n`,
      );
    },
    () => {
      logger.info('stopping');
    },
  );
}
