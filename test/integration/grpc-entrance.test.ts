/** What becomes of a call before its request is complete: what strangers, slow clients and broken ones can hold, and what they are told. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ANSWER, facade, failure, PUBLISH, RECOMMEND } from '../connectors/grpc/facade.js';
import { announced, connection, sent } from '../connectors/grpc/raw-calls.js';
import { keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';

const HEALTH = '/grpc.health.v1.Health/Check';

const ASKS_ANN = Buffer.concat([announced(5), Buffer.from('\n\x03ann')]);
const QUICK = { requestMsMax: 40 };

describe('a request that is never complete', () => {
  it('is refused by its headers when its call has no good token, and holds nothing', async () => {
    const auth = { ...RULES, keys: { file: keyFile(keySet(await signingKey('k1'))).path } };
    const { address, calls, began } = await facade({ auth, limits: { requestMsMax: 3_600_000 } });
    const session = connection(address);
    const part = announced(60_000, 30_000);
    for (const authorization of [{}, { authorization: `Bearer ${await (await signingKey('k1')).sign()}` }]) {
      expect(await sent(session, RECOMMEND, part, authorization)).toMatchObject({ status: 16 });
    }
    expect(await sent(session, PUBLISH, part)).toMatchObject({ status: 16, reason: 'TOKEN_MISSING' });
    expect(began).toHaveLength(3);
    await eventually(() => expect(calls.map(({ code }) => code)).toEqual(Array(3).fill('UNAUTHENTICATED')));
  });

  it.each([RECOMMEND, HEALTH])('is ended after some time: %s', async (path) => {
    const { address, calls } = await facade({ limits: QUICK });
    const session = connection(address);
    const all = [sent(session, path, announced(1000, 10)), sent(session, path, Buffer.alloc(0))];
    for (const told of await Promise.all(all)) {
      expect(told).toMatchObject({ status: 4, reason: 'REQUEST_TOO_SLOW', requestId: expect.any(String) });
    }
    expect(calls).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }, { code: 'DEADLINE_EXCEEDED' }]);
  });

  it('counts for its client, also where no token is asked for; who asks for health is one too', async () => {
    const { address, client } = await facade({ limits: { callsPerClient: 2 } });
    const session = connection(address);
    const first = sent(session, HEALTH, announced(1000));
    void sent(session, RECOMMEND, announced(1000));
    const tooMany = { status: 8, reason: 'TOO_MANY_CALLS' };
    await eventually(async () => {
      expect(await sent(connection(address), HEALTH, ASKS_ANN, {}, true)).toMatchObject(tooMany);
    });
    expect(await failure(client.getRecommendations({ userId: 'ann' }))).toMatchObject({ reason: 'TOO_MANY_CALLS' });
    session.destroy();
    await first;
    await eventually(() => client.getRecommendations({ userId: 'ann' }));
  });

  it('and one that comes in one piece with hundreds of others are two things', async () => {
    const { client } = await facade({ limits: { callsPerClient: 2 } });
    const all = Array.from({ length: 300 }, (_, i) => client.getRecommendations({ userId: `u${i}` }));
    expect(await Promise.all(all)).toHaveLength(300);
  });
});

describe('what the library refuses', () => {
  it.each([
    ['two messages', Buffer.concat([ASKS_ANN, ASKS_ANN]), {}, 12, 'MALFORMED_REQUEST'],
    ['no message', Buffer.alloc(0), {}, 12, 'UNIMPLEMENTED'],
  ])('has the id of its request: %s', async (_, bytes, headers, status, reason) => {
    const { address, calls } = await facade({ answers: { get: () => new Promise(() => undefined) } });
    const given = { ...headers, 'x-request-id': 'shop/1' };
    const told = await sent(connection(address), RECOMMEND, bytes, given, true);
    expect(told).toMatchObject({ status, reason, requestId: 'shop/1' });
    await eventually(() => expect(calls).toHaveLength(1));
  });

  it.each([
    ['a message that is no gzip', announced(3, 3, 1), { 'grpc-encoding': 'gzip' }, 13],
    ['a timeout that is none', ASKS_ANN, { 'grpc-timeout': 'abc' }, 13],
    ['a message above the limit of the transport', announced(2 ** 20 + 1), {}, 8],
    ['a deadline', ASKS_ANN, { 'grpc-timeout': '50m' }, 4],
  ])('by itself ends its call for the observer too: %s', async (_, bytes, headers, status) => {
    const { address, calls, began } = await facade({ answers: { get: () => new Promise(() => undefined) } });
    expect(await sent(connection(address), RECOMMEND, bytes, headers, true)).toMatchObject({ status });
    await eventually(() => expect(calls).toHaveLength(1));
    expect(began).toHaveLength(1);
  });

  it('a method that this node does not have a part for', async () => {
    const { client, calls } = await facade();
    const error = await failure(client.streamRecommendations({ userId: 'ann' }).next());
    expect(error).toMatchObject({ status: 'UNIMPLEMENTED', requestId: expect.any(String) });
    expect(calls).toMatchObject([{ code: 'UNIMPLEMENTED' }]);
  });
});

it('one connection carries all streams that a client may have, and more are refused, not kept waiting', async () => {
  const warn = vi.fn();
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const changes = { get: () => ANSWER, version: () => 1, onChange: () => () => undefined };
  const { client } = await facade({ changes, limits: { streamsPerClient: 300 } });
  const streams = Array.from({ length: 300 }, () => client.streamRecommendations({ userId: 'ann' }));
  const first = await Promise.all(streams.map((one) => one.next()));
  expect(first.every(({ done }) => done === false)).toBe(true);
  expect(await failure(client.streamRecommendations({ userId: 'ann' }).next())).toMatchObject({
    reason: 'TOO_MANY_STREAMS',
  });
  expect((await client.getRecommendations({ userId: 'ann' })).items).toHaveLength(2);
  await Promise.all(streams.map((one) => one.return(undefined)));
  expect(warn).not.toHaveBeenCalled();
});
