/**
 * A real nats-server for integration tests: free port, directory of its own, gone after `stop`.
 *
 * The binary is found or obtained as for users (RIVULET_NATS_SERVER, PATH, cache, …). Each start takes some 50 ms once it
 * is cached. To obtain it takes up to minutes, longer than a hook may: `setup`, as vitest's `globalSetup`, does it once
 * before the first test file.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import {
  type EmbeddedNats,
  type EmbeddedNatsOptions,
  startEmbeddedNats,
} from '../../connectors/nats/embedded/embedded.js';
import { type Provisioned, provision } from '../../connectors/nats/provision/provision.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { explain } from '../../runtime/contract/errors.js';
import type { Logger } from '../../runtime/contract/ports.js';
import { Supervisor } from '../../runtime/supervision/supervisor.js';

export interface TestNats {
  readonly url: string;
  readonly port: number;
  /** Of the present child. */
  readonly pid: number;
  readonly binary: string;
  readonly storeDir: string;
  /** Ends the server and removes its directory. */
  stop(): Promise<void>;
}

/** Set by `setup` when there is no server to be had: test files fail at once with the reason, not each after minutes. */
const MISSING = 'RIVULET_TEST_NATS_MISSING';

let provisioned: Promise<Provisioned> | undefined;

export function testNatsServer(): Promise<Provisioned> {
  const missing = process.env[MISSING];
  if (missing !== undefined) return Promise.reject(new Error(missing));
  return (provisioned ??= provision({ binary: process.env.RIVULET_NATS_SERVER || undefined }));
}

export interface TestSupervision {
  readonly supervisor: Supervisor;
  readonly logger: Logger;
  /** What was logged, but for debugging: each message with its fields. */
  readonly logged: Record<string, unknown>[];
  /** The errors that have escalated. */
  readonly escalated: Error[];
}

export function testSupervision(): TestSupervision {
  const logged: Record<string, unknown>[] = [];
  const escalated: Error[] = [];
  const ignore = (): void => undefined;
  const log = (fields: object, message: string): void => void logged.push({ ...fields, message });
  const logger: Logger = { debug: ignore, info: log, warn: log, error: log };
  const onEscalated = (error: Error): void => void escalated.push(error);
  return { supervisor: new Supervisor({ clock: systemClock, logger, onEscalated }), logger, logged, escalated };
}

/** An embedded server with a supervisor of its own. */
export async function startEmbedded(
  options: Partial<EmbeddedNatsOptions> & Pick<EmbeddedNatsOptions, 'storeDir'>,
): Promise<EmbeddedNats> {
  const { path: binary } = await testNatsServer();
  return startEmbeddedNats({ binary, port: 'any', ...testSupervision(), ...options });
}

export async function startTestNats(
  options: Omit<Partial<EmbeddedNatsOptions>, 'binary' | 'storeDir'> = {},
): Promise<TestNats> {
  const { path: binary } = await testNatsServer();
  const storeDir = await mkdtemp(join(tmpdir(), 'rivulet-nats-'));
  const remove = (): Promise<void> => rm(storeDir, { recursive: true, force: true, maxRetries: 3 });
  try {
    const server = await startEmbedded({ ...options, storeDir });
    return {
      url: server.url,
      port: server.port,
      get pid() {
        return server.pid;
      },
      binary,
      storeDir,
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A server of its own and two connections to it, as of two processes. */
export async function startTwoClients() {
  const server = await startTestNats();
  const [connection, another] = await Promise.all(
    ['test', 'test-other'].map((name) => connectNats({ url: server.url }, name)),
  );
  return {
    ...{ connection: connection!, another: another! },
    stop: async (): Promise<void> => {
      await connection!.close();
      await another!.close();
      await server.stop();
    },
  };
}

/** For vitest's `globalSetup`. Tests without a server run even when there is none. */
export async function setup(): Promise<void> {
  try {
    await provision({
      binary: process.env.RIVULET_NATS_SERVER || undefined,
      onProgress: (message) => console.log(message),
    });
  } catch (error) {
    process.env[MISSING] = explain(error);
    console.error(explain(error));
  }
}
