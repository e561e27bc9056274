/** nats-servers that are started with a file of deploy/nats: only addresses, ports and stores are this machine's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/live-nodes.js';
import { until } from '../support/nats-cluster.js';
import { DEPLOY } from './deploy-files.js';

export interface NatsOfFiles {
  readonly urls: string[];
  stop(): Promise<void>;
}

export async function startNatsOfFiles(
  binary: string,
  file: string,
  secrets: Readonly<Record<string, string>>,
  servers = 1,
): Promise<NatsOfFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-nats-files-'));
  const places = await Promise.all(
    Array.from({ length: servers }, async (_, i) => ({
      name: `nats-${i}`,
      ports: [await freePort(), await freePort(), await freePort()] as const,
    })),
  );
  const routes = JSON.stringify(places.map(({ ports }) => `nats://127.0.0.1:${ports[2]}`));
  for (const { name } of places) await filesFor(join(folder, name), file);
  const children = places.map(({ name, ports: [client, monitor, route] }) => {
    const own = ['-a', '127.0.0.1', '-p', `${client}`, '-m', `${monitor}`];
    const cluster = servers === 1 ? [] : ['--cluster', `nats://127.0.0.1:${route}`];
    const env = { ...secrets, NATS_NAME: `"${name}"`, NATS_ROUTES: routes };
    return spawn(binary, ['-c', join(folder, name, file), ...own, ...cluster], { env, stdio: 'ignore' });
  });
  const stop = async (): Promise<void> => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    for (const [i, { ports }] of places.entries()) await until(`server ${i}`, () => listens(ports[0]));
    return { urls: places.map(({ ports }) => `nats://127.0.0.1:${ports[0]}`), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** No flag can name another store than the file does. */
async function filesFor(folder: string, file: string): Promise<void> {
  await cp(join(DEPLOY, 'nats'), folder, { recursive: true });
  const text = await readFile(join(folder, file), 'utf8');
  const own = text.replace('store_dir: /data', `store_dir: ${JSON.stringify(join(folder, 'data'))}`);
  if (own === text) throw new Error(`${file} has no store_dir of /data`);
  await writeFile(join(folder, file), own);
}

const listens = (port: number): Promise<true | undefined> =>
  new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
