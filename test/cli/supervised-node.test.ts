/** A node as an orchestrator sees it: health while NATS is unreachable and back, and a stop that cannot finish. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { freePort } from '../support/live-nodes.js';
import { testNatsServer } from '../support/nats.js';
import { runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const EVENTS = 'rivulet.v1.EventService';
const ALL = ['', 'rivulet.v1.RecommendationService', EVENTS];

let node: Running | undefined;
let nats: NatsProcess | undefined;
let client: RivuletClient | undefined;

afterEach(async () => {
  client?.close();
  node?.child.kill('SIGKILL');
  await node?.ended;
  await nats?.kill();
  [node, nats, client] = [undefined, undefined, undefined];
});
afterAll(remove);

/** A server that nobody restarts but the test. */
class NatsProcess {
  private child: ChildProcess | undefined;
  readonly url: string;

  constructor(
    private readonly binary: string,
    private readonly port: number,
    private readonly storeDir: string,
  ) {
    this.url = `nats://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    const args = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.storeDir];
    const child = spawn(this.binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    let said = '';
    for await (const piece of child.stderr.setEncoding('utf8')) {
      said += piece as string;
      if (said.includes('Server is ready')) break;
    }
    child.stderr.resume();
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    this.child?.kill(name);
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function launch(
  name: string,
): Promise<{ running: Running; server: NatsProcess; rivulet: RivuletClient; address: string }> {
  const { path } = await testNatsServer();
  const server = new NatsProcess(path, await freePort(), join(cwd, `${name}-nats`));
  nats = server;
  await server.start();
  const running = startCli(cwd, ['start', '--data-dir', name, '--nats-url', server.url, '--grpc-port', '0']);
  node = running;
  const [, address] = await running.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  const rivulet = await connectRivulet(address!);
  client = rivulet;
  return { running, server, rivulet, address: address! };
}

async function untilHealth(rivulet: RivuletClient, services: readonly string[], wanted: string): Promise<void> {
  for (const service of services) while ((await rivulet.health(service)) !== wanted) await pause();
}

/** Between two questions; what is waited for is the answer. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

describe('a node under which NATS is full, then killed', () => {
  it('is NOT_SERVING and says why, to the doctor as well; SERVING again when there is room, and NATS is back', async () => {
    const { running, server, rivulet, address } = await launch('away');
    await untilHealth(rivulet, ALL, 'SERVING');
    const others = await connectNats({ url: server.url }, 'test');
    const { streams } = await jetstreamManager(others);
    await streams.update('RIVULET_PARSE', { max_msgs: 1 });
    await untilHealth(rivulet, [EVENTS], 'NOT_SERVING');
    const full = await runCli(cwd, ['doctor', '--data-dir', 'away', '--grpc-port', address.split(':')[1]!]);
    expect([full.code, full.stdout]).toEqual([
      1,
      expect.stringMatching(/SERVING, and takes no events: parse\.0 takes no events for \d+ s: LOG_FULL: /),
    ]);
    // Though the nats-server is not its own.
    expect(full.stdout).toContain(`data directory away: a node runs on it (process ${running.child.pid})`);
    await untilHealth(rivulet, ALL.slice(0, 2), 'SERVING');
    await streams.update('RIVULET_PARSE', { max_msgs: -1 });
    await untilHealth(rivulet, ALL, 'SERVING');
    await others.close();
    await server.kill();
    await untilHealth(rivulet, ALL, 'NOT_SERVING');
    await running.printed(/"reasons":\["NATS is unreachable for \d+ s".*"msg":"not serving"/);
    const port = address.split(':')[1]!;
    const doctor = await runCli(cwd, ['doctor', '--data-dir', 'away', '--grpc-port', port]);
    expect([doctor.code, doctor.stdout]).toEqual([
      1,
      expect.stringMatching(/NOT_SERVING: NATS is unreachable for \d+ s/),
    ]);
    await server.start();
    await untilHealth(rivulet, ALL, 'SERVING');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });
});

describe('a stop that cannot finish', () => {
  it('ends within its deadline, says what is missing and exits with 4; the next start goes on', async () => {
    const { running, server, rivulet } = await launch('stuck');
    await untilHealth(rivulet, [''], 'SERVING');
    // Nothing that the node says is answered any more, though the connection stands.
    await server.signal('SIGSTOP');
    await untilHealth(rivulet, ALL, 'NOT_SERVING');
    running.child.kill('SIGTERM');
    const end = await running.ended;
    expect([end.code, end.stderr]).toEqual([
      4,
      expect.stringMatching(/the stop was cut short.*Not finished: .*snapshot of/),
    ]);
    await server.signal('SIGCONT');
    const again = startCli(cwd, ['start', '--data-dir', 'stuck', '--nats-url', server.url, '--grpc-port', '0']);
    node = again;
    await again.printed(/gRPC on/);
    again.child.kill('SIGTERM');
    expect((await again.ended).code).toBe(0);
  });

  it('is over at once on the second signal', async () => {
    const { running, server, rivulet } = await launch('twice');
    await untilHealth(rivulet, [''], 'SERVING');
    await server.signal('SIGSTOP');
    running.child.kill('SIGTERM');
    await running.printed(/"msg":"stopping"/);
    // Signals closer together than half a second count as one: npm hands its own on.
    const again = setInterval(() => running.child.kill('SIGTERM'), 100);
    const { code } = await running.ended;
    clearInterval(again);
    expect(code).toBe(130);
  });
});
