/** What one client can have the façade keep for it: messages that are not complete, answers that it does not read. */
import { create, toBinary } from '@bufbuild/protobuf';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { PublishEventsRequestSchema } from '../../proto/gen/rivulet/v1/event_service_pb.js';
import { GetRecommendationsRequestSchema } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { ANSWER, facade, failure, PUBLISH, RECOMMEND } from '../connectors/grpc/facade.js';
import { announced, connection, sent } from '../connectors/grpc/raw-calls.js';
import { entries, HandLists } from '../connectors/facade/trending/trending-lists.js';
import { eventually } from '../support/eventually.js';

const KIB = 1024;
const MESSAGE = toBinary(PublishEventsRequestSchema, create(PublishEventsRequestSchema, {}));
const whole = (message: Uint8Array): Buffer => Buffer.concat([announced(message.length), message]);

describe('streams of requests and requests that are not complete', () => {
  it('are bounded together, and with them what is kept of their messages', async () => {
    const { address, client } = await facade({ limits: { callsPerClient: 2 } });
    const [one, other] = [connection(address), connection(address)];
    const first = sent(one, PUBLISH, announced(90 * KIB, 60 * KIB));
    const second = sent(one, RECOMMEND, announced(KIB, 10));
    await eventually(async () => {
      const third = sent(other, PUBLISH, announced(90 * KIB, 60 * KIB), { 'grpc-timeout': '100m' });
      expect(await third).toMatchObject({ status: 8, reason: 'TOO_MANY_CALLS' });
    });
    one.destroy();
    await Promise.all([first, second]);
    await eventually(() => client.getRecommendations({ userId: 'ann' }));
  });

  it('stay open for as long as they want between messages', async () => {
    const { address, calls } = await facade({ limits: { requestMsMax: 40 } });
    const session = connection(address);
    void sent(session, PUBLISH, whole(MESSAGE));
    expect(await sent(session, RECOMMEND, announced(1000, 10))).toMatchObject({ reason: 'REQUEST_TOO_SLOW' });
    expect(calls).toHaveLength(1);
  });
});

describe('answers that their client does not read', () => {
  const items = Array.from({ length: 100 }, (_, i) => ({ ...ANSWER.items[0]!, itemId: 'x'.repeat(200), rank: i + 1 }));
  const ASKS = whole(
    toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId: 'ann', limit: 100 })),
  );

  it('count in bytes, however its calls have ended, until it reads them or goes', async () => {
    const answers = { get: () => ({ ...ANSWER, items }) };
    const { address, client } = await facade({ answers, limits: { unreadBytesPerClient: 100 * KIB } });
    const deaf = connection(address, 0);
    const late = { 'grpc-timeout': '50m' };
    const unread = Array.from({ length: 6 }, () => sent(deaf, RECOMMEND, ASKS, late, true));
    const call = (): Promise<unknown> => client.getRecommendations({ userId: 'ann' });
    await eventually(async () => expect(await failure(call())).toMatchObject({ reason: 'TOO_MUCH_HELD' }));
    deaf.destroy();
    await Promise.all(unread);
    await eventually(call);
  });

  it('of one that reads do not add up', async () => {
    const answers = { get: () => ({ ...ANSWER, items }) };
    const { client } = await facade({ answers, limits: { unreadBytesPerClient: 100 * KIB } });
    for (let i = 0; i < 50; i++) await client.getRecommendations({ userId: 'ann', limit: 100 });
  });
});

it('a deadline that is weeks away is none that has passed', async () => {
  const trending = new HandLists();
  trending.set(entries('a:1'));
  const { client } = await facade({ trending });
  for (const deadlineMs of [20, 30, 60, 400].map((days) => days * 86_400_000)) {
    expect((await client.getRecommendations({ userId: 'ann' }, { deadlineMs })).items).toHaveLength(2);
  }
});

it('what strangers make the library say holds no token, is short, and comes once a second', async () => {
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(line) });
  const { address } = await facade({ logger });
  const session = connection(address);
  const authorization = 'Bearer eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.SIGNATURE\u00a0';
  for (let i = 0; i < 50; i++)
    await sent(session, RECOMMEND, Buffer.alloc(0), { authorization, filler: 'ü'.repeat(4000) }, true);
  expect(lines.join()).not.toContain('SIGNATURE');
  expect(lines.join().length).toBeLessThan(5_000);
  expect(lines.join()).toContain('Failed to add metadata entry');
});
