/** TLS and mTLS with certificates made here. */
import { EventReader } from '../../actors/formats/event-reader.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientTls } from '../../connectors/grpc/credentials.js';
import type { ServerTls } from '../../connectors/facade/tls/server-tls.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { startGrpcServer } from '../../connectors/grpc/server/server.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { ANSWER, facade, failure, storesAll } from '../connectors/grpc/facade.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const certificates = new Certificates();
const file = (name: string): string => certificates.path(name);

afterAll(() => certificates.remove());

describe.skipIf(noOpenssl)(`TLS${skipped(noOpenssl)}`, () => {
  beforeAll(() => {
    certificates.selfSigned('ca');
    certificates.selfSigned('stranger');
    certificates.signed('server', 'ca');
    certificates.signed('client', 'ca');
  });

  const server: ServerTls = { certPath: file('server.pem'), keyPath: file('server.key') };
  const mutual: ServerTls = { ...server, clientCaPath: file('ca.pem') };
  const client: ClientTls = { caPath: file('ca.pem') };

  it('protects calls', async () => {
    const { client: calls } = await facade({ tls: server }, { tls: client });
    expect((await calls.getRecommendations({ userId: '512' })).items).toHaveLength(2);
  });

  it('knows a server by another name when told so', async () => {
    const { client: calls } = await facade({ tls: server }, { tls: { ...client, serverName: 'rivulet.example.com' } });
    expect(await calls.health()).toBe('NOT_SERVING');
    const { client: wrong } = await facade({ tls: server }, { tls: { ...client, serverName: 'other.example.com' } });
    expect((await failure(wrong.health())).status).toBe('UNAVAILABLE');
  });

  it('turns away a client that trusts somebody else, and one without TLS', async () => {
    const { client: calls } = await facade({ tls: server }, { tls: { caPath: file('stranger.pem') } });
    expect((await failure(calls.health())).status).toBe('UNAVAILABLE');
    const { client: plain } = await facade({ tls: server });
    expect((await failure(plain.health('', { deadlineMs: 1000 }))).reaction).toBe('transient');
  });

  it('asks for a certificate of the client when it has an authority for it', async () => {
    const shown = { ...client, certPath: file('client.pem'), keyPath: file('client.key') };
    const { client: calls } = await facade({ tls: mutual }, { tls: shown });
    expect((await calls.getRecommendations({ userId: '512' })).items).toHaveLength(2);
  });

  it.each([
    ['none', {}],
    ['one of a stranger', { certPath: file('stranger.pem'), keyPath: file('stranger.key') }],
  ])('refuses a client whose certificate is %s', async (_, shown) => {
    const { client: calls } = await facade({ tls: mutual }, { tls: { ...client, ...shown } });
    expect((await failure(calls.health('', { deadlineMs: 2000 }))).status).toMatch(/UNAVAILABLE|DEADLINE_EXCEEDED/);
  });

  it('says which files do not belong together', async () => {
    const tls = { certPath: file('server.pem'), keyPath: file('client.key') };
    await expect(
      startGrpcServer({
        answers: { get: () => ANSWER },
        publisher: storesAll,
        reader: new EventReader(),
        clock: systemClock,
        port: 0,
        tls,
      }),
    ).rejects.toMatchObject({
      code: 'TLS_UNUSABLE',
      reaction: 'fatal',
    });
  });
});

describe('a TLS file that is not there', () => {
  const missing = { certPath: file('no.pem'), keyPath: file('no.key') };
  const says = { code: 'TLS_UNREADABLE', reaction: 'fatal', message: expect.stringContaining(file('no')) };

  it('stops the start of a server', async () => {
    const start = startGrpcServer({
      answers: { get: () => ANSWER },
      publisher: storesAll,
      reader: new EventReader(),
      clock: systemClock,
      port: 0,
      tls: missing,
    });
    await expect(start).rejects.toMatchObject(says);
  });

  it('stops a client', async () => {
    await expect(connectRivulet('127.0.0.1:1', { tls: { caPath: file('no.pem') } })).rejects.toMatchObject(says);
  });
});
