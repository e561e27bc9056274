/** The embedded nats-server (connectors/nats/embedded/embedded.ts, EMBEDDED-1–EMBEDDED-5 (EMBEDDED-4 in test/crash/disk-full); store-claim.ts, STORE-CLAIM-1–STORE-CLAIM-4) with the real binary. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EmbeddedNats, EmbeddedNatsOptions } from '../../connectors/nats/embedded/embedded.js';
import { lifeOf, runningProcesses } from '../../connectors/nats/embedded/process-table.js';
import { runsConfig } from '../../connectors/nats/embedded/store-claim.js';
import { VERSION_SUPPORTED, isAtLeast } from '../../connectors/nats/provision/version.js';
import { missingProgram, skipped } from '../support/requirements.js';
import { startEmbedded, startTestNats, testNatsServer, testSupervision } from '../support/nats.js';

const noStrace = missingProgram('strace', '-e', 'trace=fsync', 'true');
const TEXTS = Array.from({ length: 20 }, (_, i) => `text ${i}`);

const WAIT = { timeout: 30_000, interval: 10 };

let binary: string;
let folder: string;
let storeDir: string;
let cleanUps: (() => unknown)[];

beforeAll(async () => {
  binary = (await testNatsServer()).path;
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rivulet-embedded-'));
  storeDir = join(folder, 'nats');
  cleanUps = [];
});

afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function start(options: Partial<EmbeddedNatsOptions> = {}): Promise<EmbeddedNats> {
  const server = await startEmbedded({ storeDir, ...options });
  cleanUps.push(() => server.stop());
  return server;
}

async function store(url: string, ...texts: string[]): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'kept', subjects: ['kept.>'] });
  for (const text of texts) await jetstream(connection).publish('kept.text', text);
  await connection.close();
}

async function stored(url: string): Promise<string[]> {
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info('kept');
    const texts: string[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      texts.push((await manager.streams.getMessage('kept', { seq }))?.string() ?? '(none)');
    }
    return texts;
  } finally {
    await connection.close();
  }
}

/** Undefined when another has the port. */
async function listener(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  cleanUps.push(() => server.close());
  return server;
}

const serversOfStore = async (): Promise<number[]> => {
  const config = join(storeDir, 'nats-server.conf');
  return (await runningProcesses()).filter((one) => runsConfig(one, config, binary)).map(({ pid }) => pid);
};

/** Another process that owns the store. */
async function startOwner(afterStart: string): Promise<{ owner: ChildProcess; port: number; pid: number }> {
  const main = join(folder, 'main.mjs');
  const built = (path: string): string => JSON.stringify(pathToFileURL(resolve('dist', path)).href);
  await writeFile(
    main,
    `import { startEmbeddedNats } from ${built('connectors/nats/embedded/embedded.js')};
     import { systemClock as clock } from ${built('runtime/contract/clock.js')};
     import { Supervisor } from ${built('runtime/supervision/supervisor.js')};
     const log = () => undefined;
     const logger = { debug: log, info: log, warn: log, error: log };
     const supervisor = new Supervisor({ clock, logger, onEscalated: log });
     const server = await startEmbeddedNats({ ...${JSON.stringify({ binary, storeDir, port: 'any' })}, supervisor, logger });
     const { port, pid } = server;
     const alive = setInterval(() => undefined, 1000);
     console.log(JSON.stringify({ port, pid }));
     ${afterStart}`,
  );
  const owner = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanUps.push(() => owner.kill('SIGKILL'));
  const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
  return { owner, ...(JSON.parse(line) as { port: number; pid: number }) };
}

describe('the embedded server', () => {
  it('keeps what was stored over a stop and a start', async () => {
    const first = await start();
    expect(first.url).toBe(`nats://127.0.0.1:${first.port}`);
    expect(isAtLeast(first.version, VERSION_SUPPORTED)).toBe(true);
    await store(first.url, 'one', 'two');
    await first.stop();
    await first.stop();
    expect(await lifeOf(first.pid)).toBeUndefined();

    const second = await start();
    expect(await stored(second.url)).toEqual(['one', 'two']);
  });

  it('takes 8 MiB messages, and writes its log in its directory', async () => {
    const server = await start({ serverName: 'shop' });
    const connection = await connect({ servers: server.url });
    cleanUps.push(() => connection.close());
    expect(connection.info).toMatchObject({ max_payload: 8 * 1024 * 1024, server_name: 'shop', jetstream: true });
    expect(await readFile(join(storeDir, 'nats-server.log'), 'utf8')).toContain('Server is ready');
  });

  it.skipIf(noStrace).each([
    ['always', TEXTS.length],
    [undefined, 0],
  ] as const)(
    `with syncInterval %s syncs at least so often before as many acks: %i${skipped(noStrace)}`,
    async (syncInterval, syncs) => {
      const server = await start(syncInterval === undefined ? {} : { syncInterval });
      await store(server.url, 'the stream is there');
      const trace = join(folder, 'trace');
      const strace = spawn('strace', ['-f', '-y', '-e', 'trace=fsync,fdatasync', '-o', trace, '-p', `${server.pid}`]);
      cleanUps.push(() => strace.kill('SIGKILL'));
      await once(strace.stderr, 'data');
      const ofBlocks = async (): Promise<number> =>
        (await readFile(trace, 'utf8')).match(/sync\(\d+<[^>]*\.blk>/g)?.length ?? 0;
      const before = await ofBlocks();
      await store(server.url, ...TEXTS);
      // The trace is complete when its writer has ended.
      strace.kill('SIGINT');
      await once(strace, 'exit');
      const seen = (await ofBlocks()) - before;
      if (syncs > 0) expect(seen).toBeGreaterThanOrEqual(syncs);
      else expect(seen).toBeLessThan(TEXTS.length);
    },
  );

  it('takes the next free port when 4222 is taken', async () => {
    // By us, or by a program that keeps it; another run of this test gives it free again soon.
    await vi.waitUntil(() => listener(4222), { timeout: 2_000 }).catch(() => undefined);
    const server = await start({ port: 0 });
    expect(server.port).toBeGreaterThan(4222);
    expect(server.port).toBeLessThan(4322);
  });

  it('explains that an explicit port is taken', async () => {
    const other = await listener(0);
    const { port } = other!.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({
      reaction: 'fatal',
      code: 'NATS_PORT_TAKEN',
      message: `something listens on 127.0.0.1:${port} already`,
      hint: expect.stringMatching(/--nats-port, RIVULET_NATS_PORT/),
    });
    await start();
  });

  it('explains a failed start with the end of the log', async () => {
    await expect(start({ serverName: 'two words' })).rejects.toMatchObject({
      code: 'NATS_START_FAILED',
      message: expect.stringMatching(/exited with code 1; the end of its log:\n.*server name cannot contain spaces/),
    });
    expect(await serversOfStore()).toEqual([]);
  });

  it('listens on loopback only', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'NATS_NOT_LOOPBACK' });
  });

  it('starts many at the same time', async () => {
    const servers = await Promise.all(Array.from({ length: 6 }, () => startTestNats()));
    expect(new Set(servers.map(({ port }) => port)).size).toBe(6);
    await Promise.all(servers.map((server) => server.stop()));
  });
});

describe('a killed server', () => {
  it('comes back on the same port with its data, and clients reconnect (EMBEDDED-2)', async () => {
    const supervision = testSupervision();
    const server = await start({ ...supervision, strategy: { backoffFirstMs: 1 } });
    const client = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 10 });
    cleanUps.push(() => client.close());
    const reconnected = (async () => {
      for await (const { type } of client.status()) if (type === 'reconnect') return;
    })();
    await store(server.url, 'one', 'two');
    const { pid, port } = server;

    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => server.pid !== pid, WAIT);

    expect(server.port).toBe(port);
    expect(await stored(server.url)).toEqual(['one', 'two']);
    await reconnected;
    await jetstream(client).publish('kept.text', 'three');
    expect(await stored(server.url)).toEqual(['one', 'two', 'three']);
    expect(supervision.logged).toMatchObject([
      {
        message: 'restarting',
        child: 'nats-server',
        attempt: 1,
        delayMs: 1,
        reason: expect.stringContaining('it was ended by SIGKILL'),
      },
    ]);
    expect(supervision.supervisor.statuses).toMatchObject([
      { level: 'server', name: 'nats-server', state: 'running', restarts: 1 },
    ]);
  });

  it('stays down past its restart intensity, escalates and releases the store (EMBEDDED-3)', async () => {
    const { escalated, ...supervision } = testSupervision();
    const server = await start({ ...supervision, strategy: { restartsMax: 1, backoffFirstMs: 1 } });
    const first = server.pid;
    process.kill(first, 'SIGKILL');
    await vi.waitUntil(() => server.pid !== first, WAIT);
    process.kill(server.pid, 'SIGKILL');
    await vi.waitUntil(() => escalated.length > 0, WAIT);

    expect(escalated).toMatchObject([
      {
        reaction: 'fatal',
        code: 'NATS_SERVER_DOWN',
        message: expect.stringContaining('more than 1 restarts within 300 s, at last: it was ended by SIGKILL'),
      },
    ]);
    expect(await serversOfStore()).toEqual([]);
    await server.stop();
    await start();
  });

  it('is started again when it is killed while it starts', async () => {
    const { logged, ...supervision } = testSupervision();
    const [once, script] = [join(folder, 'once'), join(folder, 'nats-server')];
    const die = `if [ ! -e '${once}' ]; then touch '${once}'; kill -9 $$; fi`;
    await writeFile(script, `#!/bin/sh\n${die}\nexec '${binary}' "$@"\n`, { mode: 0o700 });
    const server = await start({ binary: script, version: '2.15.1', ...supervision });
    expect(logged).toMatchObject([{ message: 'restarting', child: 'nats-server', attempt: 1 }]);
    await store(server.url, 'one');
  });

  it('is not restarted once it is stopped', async () => {
    const { logged, ...supervision } = testSupervision();
    const strategy = { backoffFirstMs: 60_000, backoffMaxMs: 60_000 };
    const server = await start({ ...supervision, strategy });
    process.kill(server.pid, 'SIGKILL');
    await vi.waitUntil(() => logged.length > 0, WAIT);
    await server.stop();
    expect(logged).toHaveLength(1);
    expect(await serversOfStore()).toEqual([]);
  });
});

describe('the store', () => {
  it('has one owner (EMBEDDED-1, STORE-CLAIM-1)', async () => {
    const server = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'NATS_STORE_IN_USE',
      message: expect.stringMatching(/in use by this process$/),
    });
    expect(await serversOfStore()).toEqual([server.pid]);
  });

  it('is refused while another process owns it, and taken over when that was killed (STORE-CLAIM-2, STORE-CLAIM-3)', async () => {
    const { owner, port, pid } = await startOwner('');
    await store(`nats://127.0.0.1:${port}`, 'one', 'two');
    await expect(start()).rejects.toMatchObject({
      code: 'NATS_STORE_IN_USE',
      message: expect.stringMatching(new RegExp(`in use by process ${owner.pid}$`)),
    });
    expect(await serversOfStore()).toEqual([pid]);

    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(await serversOfStore()).toEqual([pid]);
    const { logged, ...supervision } = testSupervision();
    const server = await start({ port, ...supervision });

    expect(logged).toEqual([{ serverPid: pid, message: 'ended a nats-server whose owner was killed' }]);
    expect(await serversOfStore()).toEqual([server.pid]);
    expect(await stored(server.url)).toEqual(['one', 'two']);
  });

  it('has no server left when its owner exits without a stop (EMBEDDED-5)', async () => {
    const { owner, pid } = await startOwner('setImmediate(() => process.exit(3));');
    if (owner.exitCode === null) await once(owner, 'exit');
    expect(owner.exitCode).toBe(3);
    await vi.waitUntil(async () => (await lifeOf(pid)) === undefined, WAIT);
  });

  it('has no server left when its owner exits while a server that hangs is being stopped (EMBEDDED-5)', async () => {
    const { owner, pid } = await startOwner(
      "process.kill(pid, 'SIGSTOP'); void server.stop(); setImmediate(() => setImmediate(() => process.exit(0)));",
    );
    if (owner.exitCode === null) await once(owner, 'exit');
    await vi.waitUntil(async () => (await lifeOf(pid)) === undefined, WAIT);
  });

  it('ends a server that hangs, and is waited for until it has (EMBEDDED-5)', async () => {
    const { owner, pid } = await startOwner("clearInterval(alive); process.kill(pid, 'SIGSTOP'); await server.stop();");
    if (owner.exitCode === null) await once(owner, 'exit');
    // 13: Node had nothing to wait for.
    expect(owner.exitCode).toBe(0);
    expect(await lifeOf(pid)).toBeUndefined();
  });
});
