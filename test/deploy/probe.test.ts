/** deploy/probe.mjs, asked of servers that answer as a node does, or do not. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Answer, answerOf } from './deploy-tools.js';
import { DEPLOY } from './deploy-files.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listening(server: Server): Promise<NodeJS.ProcessEnv> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { RIVULET_HTTP_HOST: '0.0.0.0', RIVULET_HTTP_PORT: `${(server.address() as AddressInfo).port}` };
}

const ask = (question: string, env: NodeJS.ProcessEnv): Promise<Answer> =>
  answerOf(process.execPath, [join(DEPLOY, 'probe.mjs'), question], { env });

const serving: RequestListener = (request, response) => {
  response.writeHead(request.url === '/health' ? 200 : 404).end('{"status":"serving"}');
};
const waiting: RequestListener = (_, response) => {
  response.writeHead(503).end('{"status":"degraded","reasons":["NATS is unreachable for 7 s"]}');
};

it('a node that serves is ready and alive', async () => {
  const env = await listening(createServer(serving));
  expect([(await ask('ready', env)).code, (await ask('alive', env)).code]).toEqual([0, 0]);
});

it('one that waits for NATS is not ready, says why, and is alive', async () => {
  const env = await listening(createServer(waiting));
  expect(await ask('ready', env)).toMatchObject({ code: 1, stdout: expect.stringContaining('NATS is unreachable') });
  expect(await ask('alive', env)).toMatchObject({ code: 0 });
});

it('one that hangs is neither, though its port takes connections', async () => {
  const env = await listening(createSocketServer());
  const answers = await Promise.all([ask('ready', env), ask('alive', env)]);
  for (const answer of answers) expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining('no answer') });
});

it('one that does not listen is neither', async () => {
  const env = { RIVULET_HTTP_PORT: '1' };
  expect([(await ask('ready', env)).code, (await ask('alive', env)).code]).toEqual([1, 1]);
});

it('a question that it does not know is said to be one', async () => {
  expect(await ask('well', {})).toMatchObject({ code: 2, stderr: expect.stringContaining('ready|alive') });
});

describe.skipIf(noOpenssl)(`with TLS${skipped(noOpenssl)}`, () => {
  const files = (): { key: string; cert: string } => {
    const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
    ];
    execFileSync('openssl', [...request, '-subj', '/CN=recommendations.example.com', '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
    return { key, cert };
  };

  it('a node of another name is asked all the same: it is the one in this container', async () => {
    const { key, cert } = files();
    const options = { key: readFileSync(key), cert: readFileSync(cert) };
    const env = await listening(createSecureServer(options, serving));
    expect(await ask('ready', { ...env, RIVULET_TLS_CERT_FILE: cert })).toMatchObject({ code: 0 });
  });

  it('one that wants certificates of its clients is alive when it refuses, and ready when it has noted so', async () => {
    const { key, cert } = files();
    const options = { key: readFileSync(key), cert: readFileSync(cert), ca: readFileSync(cert) };
    const server = createSecureServer({ ...options, requestCert: true, rejectUnauthorized: true }, serving);
    const own = { RIVULET_TLS_CERT_FILE: cert, RIVULET_TLS_CLIENT_CA_FILE: cert, RIVULET_DATA_DIR: folder };
    const env = { ...(await listening(server)), ...own };
    expect(await ask('alive', env)).toMatchObject({ code: 0 });
    expect(await ask('ready', env)).toMatchObject({ code: 1 });
    writeFileSync(join(folder, 'health.json'), '{"serving":false,"reasons":["thread 0 is silent for 9 s"]}');
    expect(await ask('ready', env)).toMatchObject({ code: 1, stdout: expect.stringContaining('thread 0 is silent') });
    writeFileSync(join(folder, 'health.json'), '{"serving":true,"reasons":[]}');
    expect(await ask('ready', env)).toMatchObject({ code: 0 });
  });
});
