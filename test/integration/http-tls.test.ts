/** HTTPS, with and without certificates of clients, over real sockets. */
import { copyFileSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HttpServerOptions } from '../../connectors/http/server/server.js';
import { type Asked, asking, httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { hearer } from '../connectors/grpc/issuer.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const certificates = new Certificates();
const from = (name: string): string => certificates.path(name);
const pem = (name: string): Buffer => readFileSync(from(name));
const as = (name: string): Asked => ({ ca: pem('ca.pem'), cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
const anonymous = (): Asked => ({ ca: pem('ca.pem') });

const secure = (clients: boolean, options: Partial<HttpServerOptions> = {}) =>
  httpFacade({
    tls: {
      ...{ certPath: from('server.pem'), keyPath: from('server.key') },
      ...(clients && { clientCaPath: from('ca.pem') }),
    },
    ...options,
  });

afterAll(() => certificates.remove());

describe.skipIf(noOpenssl)(`TLS${skipped(noOpenssl)}`, () => {
  beforeAll(() => {
    for (const authority of ['ca', 'other-ca']) certificates.selfSigned(authority);
    for (const name of ['server', 'next', 'ann', 'bob']) certificates.signed(name, 'ca');
    certificates.signed('stranger', 'other-ca');
  });

  it('is spoken, and nothing else', async () => {
    const { ask, sendRaw } = await secure(false);
    expect((await ask('/reco/512', anonymous())).json).toMatchObject({ user_id: '512', count: 2 });
    expect((await ask('/health', anonymous())).status).toBe(200);
    problemOf(await ask('/nothing', anonymous()), 404);
    await expect(ask('/health', { ca: pem('other-ca.pem') })).rejects.toThrow(/certificate|signature/);
    expect(await sendRaw('GET /health HTTP/1.1\r\nhost: a\r\n\r\n')).not.toContain('200');
  });

  it('with certificates of clients answers who has one, and tells health to who has none', async () => {
    const { ask } = await secure(true);
    for (const path of ['/reco/512', '/metrics', '/docs', '/openapi.json', '/trending', '/nothing']) {
      const known = await ask(path, as('ann'));
      expect(known.status, path).toBe(path === '/nothing' ? 404 : 200);
      for (const asked of [anonymous(), as('stranger')]) {
        const answer = await ask(path, asked);
        expect(problemOf(answer, 401).reason, path).toBe('CERTIFICATE_MISSING');
      }
    }
    expect((await ask('/health', anonymous())).status).toBe(200);
    problemOf(await ask('/events', { ...anonymous(), method: 'POST', body: {} }), 401);
  });

  it('counts limits for the name in the certificate, over its connections', async () => {
    const { ask } = await secure(true, { limits: { callsPerSecond: 0.001, callBurst: 2 } });
    const statuses: number[] = [];
    for (const name of ['ann', 'ann', 'ann', 'bob']) statuses.push((await ask('/reco/512', as(name))).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
  });

  it('takes replaced files for new connections, and loses none of the old; broken ones are told and not taken', async () => {
    const { lines, logger } = hearer();
    for (const kind of ['pem', 'key']) copyFileSync(from(`server.${kind}`), from(`live.${kind}`));
    const tls = { certPath: from('live.pem'), keyPath: from('live.key') };
    const { ask, port } = await httpFacade({ tls, logger, reloadEveryMs: 10 });
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', ca: pem('ca.pem') }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.once('error', reject);
      });
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: pem('ca.pem') });
    onTestFinished(() => agent.destroy());
    expect((await ask('/health', { agent })).status).toBe(200);
    expect(await shown()).toBe('server');

    copyFileSync(from('stranger.key'), from('live.key'));
    await expect.poll(() => lines.join()).toContain('replaced files are of no use');
    expect(await shown()).toBe('server');

    for (const kind of ['pem', 'key']) copyFileSync(from(`next.${kind}`), from(`live.${kind}`));
    await expect.poll(shown).toBe('next');
    expect((await ask('/reco/512', { agent })).status).toBe(200);
  });

  it.each([
    ['are not there', { certPath: '/no/server.pem', keyPath: '/no/server.key' }, 'TLS_UNREADABLE'],
    ['do not belong together', { certPath: 'server.pem', keyPath: 'ann.key' }, 'TLS_UNUSABLE'],
  ])('files that %s stop the start', async (_, { certPath, keyPath }, code) => {
    const place = (path: string): string => (path.startsWith('/') ? path : from(path));
    const starting = httpFacade({ tls: { certPath: place(certPath), keyPath: place(keyPath) } });
    await expect(starting).rejects.toMatchObject({ reaction: 'fatal', code });
  });

  it('does not hold up a stop: a stream ends, and a connection that was opened ahead is closed', async () => {
    const { server, port } = await secure(false);
    const stream = await asking(port, '/trending/stream', anonymous(), 'https');
    const ended = new Promise((resolve) => stream.resume().once('end', resolve));
    const ahead = await new Promise<ReturnType<typeof connect>>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ca: pem('ca.pem') }, () => resolve(socket));
      socket.once('error', reject);
    });
    const closed = new Promise((resolve) => ahead.resume().once('close', resolve));
    await server.stop(600_000);
    await ended;
    await closed;
  });
});
