/** What the doctor makes of who listens on the ports of a node: real façades, other settings than the doctor's, TLS, and programs of others. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../../runtime/cli/doctor/finding.js';
import { grpcFindings } from '../../../runtime/cli/doctor/grpc.js';
import { httpChecks, httpFindings } from '../../../runtime/cli/doctor/http.js';
import { type Config, loadConfig } from '../../../runtime/config/config.js';
import { Certificates } from '../../connectors/grpc/certificates.js';
import { facade } from '../../connectors/grpc/facade.js';
import { httpFacade } from '../../connectors/http/http-facade.js';
import { startTestNats } from '../../support/nats.js';
import { noOpenssl, skipped } from '../../support/requirements.js';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-doctor-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function configOf(settings: Readonly<Record<string, string | number>>): Config {
  const flags = Object.entries({ dataDir, ...settings }).map(([key, value]) => ({
    ...{ key, value: String(value), bySet: true },
  }));
  return loadConfig({ env: {}, cwd: dataDir, flags }).config;
}

const told = (findings: readonly Finding[], port: number): string[] =>
  findings.map(({ state, message, fix = '' }) => `${state}: ${message} → ${fix}`.replaceAll(`:${port}`, ''));
const grpc = async (port: number, settings: Readonly<Record<string, string>> = {}): Promise<string[]> =>
  told(await grpcFindings(configOf({ grpcPort: port, ...settings })), port);
const http = async (port: number, certFile?: string): Promise<string[]> =>
  told(await httpFindings({ host: '127.0.0.1', port }, { certFile, sampleAfterMs: 1 }), port);

/** A program of others. */
async function program(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function serving(options: Parameters<typeof facade>[0] = {}): Promise<number> {
  const { server } = await facade(options);
  server.setServing(true, true);
  return server.port;
}

describe('without TLS', () => {
  it('knows a node, and the other façade of a node', async () => {
    const { port } = await httpFacade();
    const grpcPort = await serving();
    expect(await grpc(grpcPort)).toEqual(['ok: a node answers on 127.0.0.1: SERVING → ']);
    expect((await http(port))[0]).toBe('ok: a node (1.2.3) answers on http://127.0.0.1: serving → ');
    expect(await grpc(port)).toEqual([
      expect.stringMatching(/^warning: 127.0.0.1 is the HTTP port of a node, .* for gRPC → ask with the settings/),
    ]);
    expect(await http(grpcPort)).toEqual([
      expect.stringMatching(/^warning: 127.0.0.1 is the gRPC port of a node, .* for HTTP → ask with the settings/),
    ]);
  });

  it('knows a nats-server', async () => {
    const nats = await startTestNats();
    onTestFinished(() => nats.stop());
    const words = 'warning: a nats-server listens on 127.0.0.1; it may be that of a node → choose another port with --';
    expect(await grpc(nats.port)).toEqual([`${words}grpc-port or RIVULET_GRPC_PORT`]);
    expect(await http(nats.port)).toEqual([`${words}http-port or RIVULET_HTTP_PORT`]);
  });

  it('knows a node that says its words one by one', async () => {
    const { port } = await httpFacade();
    const slow = await program((socket) => {
      const node = connect(port, '127.0.0.1', () => socket.pipe(node));
      onTestFinished(() => void node.destroy());
      node.on('data', (bytes) => {
        for (const byte of bytes) socket.write(Uint8Array.of(byte));
      });
      node.on('end', () => socket.end());
    });
    expect((await http(slow))[0]).toBe('ok: a node (1.2.3) answers on http://127.0.0.1: serving → ');
  });

  it('says what the system says where nobody may listen, and nobody does', async () => {
    // Of documentation: no machine has it.
    const config = configOf({ grpcHost: '192.0.2.1', grpcPort: 50_051, httpHost: '192.0.2.1', httpPort: 8_080 });
    const words =
      /^broken: cannot listen on 192\.0\.2\.1: .*EADDRNOTAVAIL.* → (grpc|http)Host must be an address of this machine$/;
    expect(told(await grpcFindings(config), 50_051)).toEqual([expect.stringMatching(words)]);
    expect(told((await httpChecks(config)[0]!.run()) as readonly Finding[], 8_080)).toEqual([
      expect.stringMatching(words),
    ]);
  });

  it('says stop only of what is no node for certain, and what it saw', async () => {
    const ssh = await program((socket) => socket.write('SSH-2.0-x\r\n'));
    const says = 'broken: another program listens on 127.0.0.1: it says “SSH-2.0-x” → stop it, or choose another port';
    expect([await grpc(ssh), await http(ssh)]).toEqual([
      [`${says} with --grpc-port or RIVULET_GRPC_PORT`],
      [`${says} with --http-port or RIVULET_HTTP_PORT`],
    ]);
    const busyNode = await program((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n{"status":"draining"}'));
    expect((await http(busyNode))[0]).toMatch(
      /^broken: something listens on 127.0.0.1, and whether it is a node cannot be told: .* the status “draining” → see/,
    );
    const closing = await program((socket) => socket.destroy());
    const busy = await program((socket) => socket.end('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n'));
    const switching = await program((socket) =>
      socket.write('HTTP/1.1 101 Now\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    );
    for (const [port, saw] of [
      [switching, 'it speaks HTTP, and breaks off: it closes the connection'],
      [closing, 'it closes each connection without a word'],
      [busy, 'it answers GET /health with 503'],
    ] as const) {
      const [finding] = await http(port);
      expect(finding).toContain(
        `broken: something listens on 127.0.0.1, and whether it is a node cannot be told: ${saw}`,
      );
      expect(finding).toContain(' → see whose it is: ');
      expect(finding).not.toContain('stop it');
    }
  });
});

describe('a node that runs on the data directory', () => {
  const note = (grpcPort: number, httpPort: number, process: number): void => {
    const [grpc, http] = [grpcPort, httpPort].map((port) => ({ host: '127.0.0.1', port }));
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'health.json'), JSON.stringify({ reasons: [], process, listens: { grpc, http } }));
  };

  it('is asked where it listens, whatever the configuration says', async () => {
    const [{ port: httpPort }, grpcPort, taken] = [
      await httpFacade(),
      await serving(),
      await program((socket) => socket.end('SSH-2.0-x\r\n')),
    ];
    note(grpcPort, httpPort, process.pid);
    const says = `on 127.0.0.1, and this configuration says 127.0.0.1:${taken} → nothing, if`;
    expect(await grpc(grpcPort)).toEqual(['ok: a node answers on 127.0.0.1: SERVING → ']);
    const config = configOf({ grpcPort: taken, httpPort: taken });
    expect(told(await grpcFindings(config), grpcPort)).toEqual([
      expect.stringContaining(`warning: the node on this data directory has its gRPC ${says}`),
      'ok: a node answers on 127.0.0.1: SERVING → ',
    ]);
    const findings = (await httpChecks(config)[0]!.run()) as readonly Finding[];
    expect(told(findings, httpPort).slice(0, 2)).toEqual([
      expect.stringContaining(`warning: the node on this data directory has its HTTP ${says}`),
      'ok: a node (1.2.3) answers on http://127.0.0.1: serving → ',
    ]);
  });

  it('that has died is not asked: its note is of no use', async () => {
    const free = await serving();
    note(free, free, 2 ** 22 + 1);
    const taken = await program((socket) => socket.end('SSH-2.0-x\r\n'));
    expect(await grpc(taken)).toEqual([expect.stringContaining('broken: another program listens on 127.0.0.1')]);
  });
});

describe.skipIf(noOpenssl)(`with TLS${skipped(noOpenssl)}`, () => {
  const certificates = new Certificates();
  const file = (name: string): string => certificates.path(name);
  beforeAll(() => {
    certificates.selfSigned('ca');
    for (const name of ['server', 'other']) certificates.signed(name, 'ca');
  });
  afterAll(() => certificates.remove());

  const tls = { certPath: file('server.pem'), keyPath: file('server.key') };
  const settings = (name: string) => ({ tlsCertFile: file(`${name}.pem`), tlsKeyFile: file(`${name}.key`) });

  it('knows the node by the certificate of its configuration, and asks it everything', async () => {
    const { port, requests } = await httpFacade({ tls });
    expect(await grpc(await serving({ tls }), settings('server'))).toEqual([
      'ok: a node answers on 127.0.0.1: SERVING → ',
    ]);
    const [health, ...more] = await http(port, file('server.pem'));
    expect(health).toBe('ok: a node (1.2.3) answers on https://127.0.0.1: serving → ');
    expect(more).toHaveLength(1);
    expect(requests.map(({ route }) => route)).toContain('GET /status');
  });

  it.each([
    ['none', undefined, 'this configuration names none'],
    ['another', 'other', 'it is not the one in '],
  ])(
    'knows a node whose certificate is not that of the configuration (%s), and tells it no token',
    async (_, name, why) => {
      const { port, requests } = await httpFacade({ tls });
      const found = await http(port, name === undefined ? undefined : file(`${name}.pem`));
      const warning = `warning: the node on 127.0.0.1 listens with TLS, and whose certificate it shows is not known: ${why}`;
      expect(found).toEqual([
        'ok: a node (1.2.3) answers on https://127.0.0.1: serving → ',
        expect.stringContaining(warning),
      ]);
      expect(requests.map(({ route }) => route)).not.toContain('GET /status');
      expect(await grpc(await serving({ tls }), name === undefined ? {} : settings(name))).toEqual([
        'ok: a node answers on 127.0.0.1: SERVING → ',
        expect.stringContaining(warning),
      ]);
    },
  );

  it('finds it where what speaks TLS answers others that their request is bad, as proxies do', async () => {
    const { port } = await httpFacade({ tls });
    const proxy = await program((socket) =>
      socket.once('data', (first) => {
        // A handshake of TLS.
        if (first[0] !== 22) return socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
        const node = connect(port, '127.0.0.1', () => {
          node.write(first);
          socket.pipe(node).pipe(socket);
        });
        return node.on('error', () => socket.destroy());
      }),
    );
    expect((await http(proxy, file('server.pem')))[0]).toBe(
      'ok: a node (1.2.3) answers on https://127.0.0.1: serving → ',
    );
  });

  it('says that a node listens without, where the configuration says with', async () => {
    const { port, requests } = await httpFacade();
    const warning = 'warning: the node on 127.0.0.1 listens without TLS, and this configuration says with';
    expect((await http(port, file('server.pem')))[1]).toContain(warning);
    // Nor is it told a token.
    expect(requests.map(({ route }) => route)).not.toContain('GET /status');
    expect((await grpc(await serving(), settings('server')))[1]).toContain(warning);
  });

  it('takes a node that wants certificates of clients for what it is, as far as that can be known', async () => {
    const mutual = { ...tls, clientCaPath: file('ca.pem') };
    const port = await serving({ tls: mutual });
    const wants = 'it speaks HTTP/2 with TLS, and wants a certificate of who calls';
    expect(await grpc(port, settings('server'))).toEqual([
      expect.stringContaining(`shows the certificate that it should, and does not tell how it is: ${wants}`),
    ]);
    expect(await grpc(port)).toEqual([
      expect.stringMatching(new RegExp(`^warning: .* whether it is a node cannot be told: ${wants} → see whose it is`)),
    ]);
    const { port: httpPort } = await httpFacade({ tls: mutual });
    expect(await http(httpPort, file('server.pem'))).toEqual([
      'ok: a node answers on https://127.0.0.1: serving → ',
      expect.stringContaining('the status of the stages requires a client certificate (tlsClientCaFile) → '),
    ]);
  });
});
