/** The clients of deploy/clients, built as their READMEs say and run against servers on the real wire. */
import { EventReader } from '../../actors/formats/event-reader.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GrpcServer, startGrpcServer } from '../../connectors/grpc/server/server.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { ANSWER, storesAll } from '../connectors/grpc/facade.js';
import { entries, HandLists } from '../connectors/facade/trending/trending-lists.js';
import { startProgram, type Running, workingDirectory } from '../cli/run-cli.js';
import { type SmallNode, SmallNodes } from '../cli/small-node.js';
import { built, type Example, toolchainOf, Unreachable } from './example-builds.js';
import { LISTS, RETRY_AFTER_MS, type ScriptedNode, SLOW_USER, startScriptedNode, TRENDING } from './scripted-node.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const EXAMPLES: readonly Example[] = [
  { language: 'Go', folder: 'go', toolchain: [['go', 'version']], program: ['./rivulet-example'] },
  {
    language: 'Python',
    folder: 'python',
    toolchain: [['python3', '-c', 'import sys, venv, ensurepip; print(sys.version, sys.prefix)']],
    program: ['.venv/bin/python', 'client.py'],
  },
  {
    language: 'Java',
    folder: 'java',
    toolchain: [
      ['javac', '-version'],
      ['mvn', '-v'],
    ],
    // Starts twice as fast: it runs for a moment.
    program: ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-jar', 'target/rivulet-example.jar'],
  },
  {
    language: 'TypeScript',
    folder: 'typescript',
    toolchain: [
      ['npm', '--version'],
      ['tar', '--version'],
    ],
    program: ['node', 'dist/client.js'],
    usesPackage: true,
  },
];
const BUILD_MS_MAX = 600_000;

const { cwd, remove } = workingDirectory();
const nodes = new SmallNodes(cwd);
let plain: ScriptedNode;
let small: Promise<{ node: SmallNode; address: string }> | undefined;

beforeAll(async () => {
  plain = await startScriptedNode(ServerCredentials.createInsecure());
});
afterAll(async () => {
  plain.stop();
  await nodes.end();
  remove();
});

/** A real node that knows what u1 has bought. */
const realNode = (): Promise<{ node: SmallNode; address: string }> =>
  (small ??= nodes.start('node').then(async (node) => {
    await node.buy('chair-1');
    const [, address] = await node.running.printed(/gRPC on (127\.0\.0\.1:\d+)/);
    return { node, address: address! };
  }));

describe.each(EXAMPLES)('the client in $language', (example) => {
  const found = toolchainOf(example);
  const noToolchain = 'missing' in found ? `${found.missing} is not installed` : undefined;

  describe.skipIf(noToolchain)(`is built and run${skipped(noToolchain)}`, () => {
    let folder: string;
    let away: Unreachable | undefined;
    beforeAll(async () => {
      if (!('versions' in found)) return;
      try {
        folder = await built(example, found.versions, cwd);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        away = error;
      }
    }, BUILD_MS_MAX);
    beforeEach(({ skip }) => {
      skip(away !== undefined, away?.message);
    });

    const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Running => {
      const [command, ...first] = example.program;
      const running = startProgram(folder, command, [...first, ...args], env);
      onTestFinished(async () => {
        running.child.kill('SIGKILL');
        await running.ended;
      });
      return running;
    };

    it('asks a real node, publishes to it, and is told which event is refused', async () => {
      const { address } = await realNode();
      const get = await start(['--address', address, 'get', 'u1']).ended;
      expect([get.code, get.stdout]).toEqual([0, expect.stringMatching(/^u1: chair-1 \d+\.\d\d\n$/)]);
      const publish = await start(['--address', address, 'publish', 'u1', 'purchase', 'chair-1', '']).ended;
      expect([publish.code, publish.stdout]).toEqual([
        0,
        expect.stringMatching(/^accepted 1, rejected 1\nevent 1: item_id: .+\n$/),
      ]);
    });

    if (example.usesPackage === true) {
      it('finds the command of the package beside it', async () => {
        const rivulet = join(folder, 'node_modules', 'rivulet', 'dist', 'bin', 'rivulet.js');
        const { code, stdout } = await startProgram(folder, 'node', [rivulet, 'topology']).ended;
        expect([code, stdout]).toEqual([0, expect.stringContaining('flowchart')]);
      });
    }

    it('follows the trending list of a façade that is stopped and started again', async () => {
      const lists = new HandLists();
      const open = (port: number): Promise<GrpcServer> =>
        startGrpcServer({
          answers: { get: () => ANSWER },
          publisher: storesAll,
          reader: new EventReader(),
          clock: systemClock,
          trending: lists,
          port,
        });
      lists.set(entries('a:3 b:2 c:1'));
      let server = await open(0);
      onTestFinished(() => server.stop(0));
      const { port } = server;
      const running = start(['--address', `127.0.0.1:${port}`, 'trending']);
      await running.printed(/revision 1: a 3\.00, b 2\.00, c 1\.00\n/);
      lists.set(entries('d:5 a:4 b:2'));
      await running.printed(/revision 2: d 5\.00, a 4\.00, b 2\.00\n/);
      await server.stop(200);
      await running.printed(/the stream ended, again in/);
      lists.set(entries('a:6 d:5 c:1'));
      server = await open(port);
      await running.printed(/revision 3: a 6\.00, d 5\.00, c 1\.00\n/);
    });

    it('gets the lists of many users, in their order', async () => {
      const { code, stdout } = await start(['--address', plain.address, 'batch', 'bob', 'ann']).ended;
      expect([code, stdout]).toEqual([0, 'bob: p-1 12.50, p-2 3.25\nann: p-1 12.50, p-2 3.25\n']);
    });

    it('says which field is wrong, and keeps its deadline', async () => {
      const refused = await start(['--address', plain.address, 'get', '']).ended;
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/^INVALID_?ARGUMENT: .*\n {2}user_id: is required\n/i);
      const late = await start(['--address', plain.address, '--deadline', '0.3', 'get', SLOW_USER]).ended;
      expect([late.code, late.stderr]).toEqual([1, expect.stringMatching(/^DEADLINE_?EXCEEDED: /i)]);
    });

    it('follows the list of a user over a restart of the node', async () => {
      const user = `${example.folder}-follower`;
      const running = start(['--address', plain.address, 'follow', user]);
      const lines = LISTS.map((line) => `${line.replace('ann', user)}\n`).join('');
      await running.printed(new RegExp(lines));
      await running.printed(/the stream ended, again in 0\.\d+ s/);
    });

    it('applies changes to the trending list, and goes on from its revision when it is told to', async () => {
      const node = await startScriptedNode(ServerCredentials.createInsecure());
      onTestFinished(() => node.stop());
      const running = start(['--address', node.address, 'trending', 'electronics'], { BEARER_TOKEN: 'let-me-in' });
      await running.printed(new RegExp(TRENDING.map((line) => `${line}\n`).join('')));
      await running.printed(/the stream ended, again in 0\.\d+ s/);
      const [first, second] = node.trendingRequests;
      expect([first, second]).toMatchObject([
        { category: 'electronics', afterRevision: 0n },
        { category: 'electronics', afterRevision: 5n },
      ]);
      expect(node.tokens).toEqual(['Bearer let-me-in', 'Bearer let-me-in']);
      // Clocks of two processes may count a millisecond differently.
      expect(second!.atMs - node.endedAtMs[0]!).toBeGreaterThanOrEqual(RETRY_AFTER_MS - 5);
    });

    it.skipIf(noOpenssl)(
      `shows a token over TLS, to a server that it has reason to trust${skipped(noOpenssl)}`,
      async () => {
        const { node, ca } = await tlsNode();
        const env = { BEARER_TOKEN: 'let-me-in' };
        const trusted = await start(['--address', node.address, '--ca', ca, 'get', 'ann'], env).ended;
        expect([trusted.code, trusted.stdout]).toEqual([0, `${LISTS[0]}\n`]);
        expect(node.tokens).toEqual(['Bearer let-me-in']);
        const stranger = await start(['--address', node.address, '--ca', 'public', 'get', 'ann'], env).ended;
        expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringMatching(/^UNAVAILABLE: /im)]);
        expect(node.tokens).toHaveLength(1);
      },
    );
  });
});

/** With a certificate of its own. */
async function tlsNode(): Promise<{ readonly node: ScriptedNode; readonly ca: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-client-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [key, ca] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=node', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...names, '-keyout', key, '-out', ca], { stdio: 'pipe' });
  const pair = { private_key: readFileSync(key), cert_chain: readFileSync(ca) };
  const node = await startScriptedNode(ServerCredentials.createSsl(null, [pair]));
  onTestFinished(() => node.stop());
  return { node, ca };
}
