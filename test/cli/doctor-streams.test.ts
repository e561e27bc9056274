/** Whom the doctor counts as a reader of a stream, on a real server: who is there, not who was. */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { processOfReader, readerPrefix } from '../../connectors/nats/log/reader-name.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { streamFindings } from '../../runtime/cli/doctor/streams.js';
import { loadConfig } from '../../runtime/config/config.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { eventually } from '../support/eventually.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { runCli, workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

const STREAM = 'RIVULET_WINDOW';
const SUBJECT = 'rivulet.window.test';
/** More than a reader asks for ahead. */
const MESSAGES = 40;

let server: TestNats;
beforeEach(async () => {
  server = await startTestNats();
});
afterEach(() => server.stop());

describe('a reader', () => {
  const { config } = loadConfig({ env: {}, cwd: '/' });
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeEach(async () => {
    connection = await connectNats({ url: server.url }, 'test');
    manager = await jetstreamManager(connection);
    const topology = mainTopology(pipelineOptions(config));
    await ensureStreams(await openNatsLog(connection), topology, { bytesMax: 1e7, replicas: 1 });
  });
  afterEach(() => connection.close());

  /** That takes nothing, and is sent as much as it asks for ahead. */
  async function fullReader(process?: string): Promise<NatsConnection> {
    const own = await connectNats({ url: server.url }, 'reader');
    const log = await openNatsLog(own, process === undefined ? {} : { process });
    await log.read(STREAM, { filters: [SUBJECT], from: 1 });
    for (let i = 0; i < MESSAGES; i++) await log.publish(SUBJECT, new Uint8Array(10));
    await asksForNothing();
    return own;
  }

  const asksForNothing = (): Promise<void> =>
    eventually(async () => {
      const [one] = await manager.consumers.list(STREAM).next();
      expect(one).toMatchObject({ num_waiting: 0 });
      expect(one!.num_pending).toBeGreaterThan(0);
    });

  async function told(processes: ReadonlySet<string> | undefined): Promise<{ window: string; left: string[] }> {
    const messages = (await streamFindings(config, connection, processes)).map(({ message }) => message);
    return {
      window: messages.find((message) => message.startsWith(`${STREAM}: `))!,
      left: messages.filter((message) => message.includes('are gone')),
    };
  }

  it('that is full counts, with what waits for it, while its node is there; or as long as nobody knows', async () => {
    const own = await fullReader('p1');
    for (const processes of [new Set(['p0', 'p1']), undefined]) {
      const { window, left } = await told(processes);
      expect(window).toMatch(/, 1 reader, [1-9]\d* pending$/);
      expect(left).toEqual([]);
    }
    await own.close();
  });

  it('of a process that is no more counts as little as what waits for it, and is said to be harmless', async () => {
    // Closed without a word to the consumer, as by a kill.
    await (await fullReader('p1')).close();
    expect(await told(new Set(['p2']))).toEqual({
      window: expect.stringMatching(/, 0 readers, 0 pending$/),
      left: [
        expect.stringMatching(/^1 reader of nodes or commands that are gone: harmless, .* forgets them after 5 min$/),
      ],
    });
  });

  it('that asks counts whoever it is', async () => {
    const own = await connectNats({ url: server.url }, 'reader');
    await (await openNatsLog(own)).read(STREAM, { filters: [SUBJECT], from: 1 });
    await eventually(async () => {
      expect(await told(new Set())).toEqual({ window: expect.stringMatching(/, 1 reader, 0 pending$/), left: [] });
    });
    await own.close();
  });
});

it('tells the process from the name, however often the consumer was made anew', () => {
  const [one, other] = [readerPrefix('a-b-1'), readerPrefix('a-b-1')];
  expect(one).not.toBe(other);
  expect([`${one}_1`, `${other}_27`].map(processOfReader)).toEqual(['a-b-1', 'a-b-1']);
  expect(['8MPaJFH56C0QOP9dfqIm8i_1', 'durable'].map(processOfReader)).toEqual([undefined, undefined]);
});

describe('two nodes, one killed', () => {
  const { cwd, remove } = workingDirectory();
  let nodes: SmallNodes;
  afterAll(remove);
  afterEach(() => nodes.end());

  it('leave the readers of the other one, and those that were left behind', async () => {
    nodes = new SmallNodes(cwd, ['--nats-url', server.url]);
    const lease = ['--set', 'leaseSeconds=1'];
    await nodes.start('a', ...lease);
    const { running } = await nodes.start('b', ...lease);
    const doctor = async (): Promise<string> => {
      const ports = ['--grpc-port', '0', '--http-port', '0'];
      return (await runCli(cwd, ['doctor', '--nats-url', server.url, '--data-dir', 'a', '--json', ...ports])).stdout;
    };
    // Both keep the catalogue.
    await eventually(async () => expect(await doctor()).toMatch(/RIVULET_CATALOGUE: .* 2 readers, 0 pending/));
    running.child.kill('SIGKILL');
    await running.ended;
    await eventually(async () => expect(await doctor()).toContain('1 node, and each of the'));
    const after = await doctor();
    expect(after).toMatch(/RIVULET_CATALOGUE: .* 1 reader, \d+ pending/);
    expect(after).toMatch(/\d+ readers of nodes or commands that are gone: harmless/);
  });
});
