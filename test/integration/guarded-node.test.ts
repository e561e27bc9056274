/**
 * A real node with all its guards up, as people run it: an embedded NATS that knows the node by its key alone, TLS and tokens on gRPC and REST.
 * Who shows nothing is refused by every way in; what comes in by any of them is seen through every way out.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type ConnectOptions, connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import { runningServer } from '../../runtime/cli/nats-link.js';
import { type Running, startCli, workingDirectory } from '../cli/run-cli.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { failure } from '../connectors/grpc/facade.js';
import { AUDIENCE, ISSUER, keySet, signingKey } from '../connectors/grpc/issuer.js';
import { ask, type Asked, type HttpAnswer, problemOf } from '../connectors/http/http-facade.js';
import { StreamReader } from '../connectors/http/stream-reader.js';
import { eventually } from '../support/eventually.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const USER = 'u1';
/** By the way that each came in. */
const ITEMS = ['from-grpc', 'from-nats', 'from-rest'];
const EVENTS = ['view', 'purchase', 'purchase'] as const;
const SMALL = ['--set', 'partitions=2', '--set', 'sourcePartitions=1', '--grpc-port', '0', '--http-port', '0'];

describe.skipIf(noOpenssl)(`a guarded node${skipped(noOpenssl)}`, () => {
  const { cwd, remove } = workingDirectory();
  const certificates = new Certificates();
  let node: Running;
  let [httpPort, grpcAddress, token, forged] = [0, '', '', ''];

  beforeAll(async () => {
    certificates.selfSigned('ca');
    certificates.signed('server', 'ca');
    const key = await signingKey('k1');
    writeFileSync(join(cwd, 'keys.json'), keySet(key));
    [token, forged] = [await key.sign({ sub: 'shop' }), await (await signingKey('k1')).sign({ sub: 'shop' })];
    const guards = {
      tlsCertFile: certificates.path('server.pem'),
      tlsKeyFile: certificates.path('server.key'),
      'auth.jwksFile': join(cwd, 'keys.json'),
      'auth.issuer': ISSUER,
      'auth.audience': AUDIENCE,
    };
    const settings = Object.entries(guards).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    node = startCli(cwd, ['start', '--data-dir', 'data', ...SMALL, ...settings]);
    httpPort = Number((await node.printed(/HTTP at https:\/\/127\.0\.0\.1:(\d+)/))[1]);
    grpcAddress = (await node.printed(/gRPC on (127\.0\.0\.1:\d+)/))[1]!;
    await node.printed(/rivulet is up/);
  });
  afterAll(async () => {
    node?.child.kill('SIGTERM');
    await node?.ended;
    certificates.remove();
    remove();
  });

  const trusting = (): Asked => ({ ca: readFileSync(certificates.path('ca.pem')) });
  const bearer = (shown = token): { authorization?: string } =>
    shown === '' ? {} : { authorization: `Bearer ${shown}` };
  const rest = (path: string, request: Asked = {}): Promise<HttpAnswer> =>
    ask(httpPort, path, { ...trusting(), headers: bearer(), ...request }, 'https');
  const grpc = async (options: ConnectOptions): Promise<RivuletClient> => {
    const client = await connectRivulet(grpcAddress, { tls: { caPath: certificates.path('ca.pem') }, ...options });
    onTestFinished(() => client.close());
    return client;
  };

  describe.each<[string, () => string, string]>([
    ['no token', () => '', 'TOKEN_MISSING'],
    ['a token that somebody else has signed', () => forged, 'TOKEN_SIGNATURE'],
  ])('refuses who shows %s', (_, shown, reason) => {
    it.each<[string, string, Asked]>([
      ['recommendations', `/reco/${USER}`, {}],
      ['a trending list', '/trending', {}],
      ['Server-Sent Events', '/trending/stream', {}],
      ['events', '/events', { method: 'POST', body: { event_type: 'view' } }],
    ])('by REST: %s', async (_what, path, request) => {
      expect(problemOf(await rest(path, { ...request, headers: bearer(shown()) }), 401).reason).toBe(reason);
    });

    it.each<[string, (client: RivuletClient) => Promise<unknown>]>([
      ['recommendations', (client) => client.getRecommendations({ userId: USER })],
      ['a stream of recommendations', (client) => client.streamRecommendations({ userId: USER }).next()],
      ['a stream of trending lists', (client) => client.streamTrending().next()],
      ['events', (client) => client.publishEvents([{ userId: USER }])],
    ])('by gRPC: %s', async (_what, call) => {
      const client = await grpc(shown() === '' ? {} : { token: shown() });
      expect(await failure(call(client))).toMatchObject({ status: 'UNAUTHENTICATED', reason });
    });
  });

  it('refuses who speaks no TLS, and is not taken for another by who checks', async () => {
    await expect(ask(httpPort, '/health')).rejects.toThrow(/hang up|reset/);
    await expect(ask(httpPort, '/health', {}, 'https')).rejects.toThrow(/certificate/);
    const plain = await connectRivulet(grpcAddress);
    onTestFinished(() => plain.close());
    expect((await failure(plain.health())).status).toMatch(/UNAVAILABLE|DEADLINE_EXCEEDED/);
  });

  it('refuses who comes to NATS without the key of the node', async () => {
    const { url } = runningServer(join(cwd, 'data'))!;
    await expect(connect({ servers: url, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  it('shows by REST, Server-Sent Events and gRPC what came by NATS, REST and gRPC', async () => {
    const nowMs = Date.now();
    const jsonOf = (item: string) =>
      EVENTS.map((type, i) => ({
        ...{ event_id: `${item}-${i}`, event_type: type, event_time: new Date(nowMs).toISOString(), user_id: USER },
        ...{ item_id: item, category_code: 'home.chair', price: 5 },
      }));

    const server = runningServer(join(cwd, 'data'))!;
    const nats = await connectNats({ url: server.url, nkeyFile: server.nkeyFile! }, 'test-guarded');
    onTestFinished(() => nats.close());
    for (const event of jsonOf('from-nats')) {
      await jetstream(nats).publish(`rivulet.events.${event.event_type}.${USER}`, JSON.stringify(event));
    }
    const posted = await rest('/events', { method: 'POST', body: jsonOf('from-rest') });
    expect(posted.json).toMatchObject({ accepted: EVENTS.length, rejected: 0 });
    const client = await grpc({ token });
    const types = { view: EventType.VIEW, purchase: EventType.PURCHASE };
    const poured = await client.publishEvents(
      EVENTS.map((type, i) => ({
        ...{ eventId: `from-grpc-${i}`, eventType: types[type], eventTime: timestampFromMs(nowMs), userId: USER },
        ...{ itemId: 'from-grpc', categoryCode: 'home.chair', price: 5 },
      })),
    );
    expect(poured).toMatchObject({ accepted: EVENTS.length, rejected: 0 });

    const idsOf = ({ json }: HttpAnswer): string[] =>
      (json as { items: { item_id: string }[] }).items.map(({ item_id: id }) => id).sort();
    await eventually(async () => expect(idsOf(await rest(`/reco/${USER}`))).toEqual(ITEMS));
    await eventually(async () => expect(idsOf(await rest('/trending'))).toEqual(ITEMS));
    const named = (items: readonly { readonly itemId: string }[]): string[] => items.map(({ itemId }) => itemId).sort();
    expect(named((await client.getRecommendations({ userId: USER })).items)).toEqual(ITEMS);
    for await (const { items } of client.streamRecommendations({ userId: USER })) {
      expect(named(items)).toEqual(ITEMS);
      break;
    }
    for await (const { items } of client.streamTrending()) {
      expect(named(items)).toEqual(ITEMS);
      break;
    }
    const stream = await StreamReader.open(httpPort, '', { ...trusting(), headers: bearer() }, 'https');
    await eventually(() => expect(stream.items.sort()).toEqual(ITEMS));
  });
});
