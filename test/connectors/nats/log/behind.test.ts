/** What a reader says of the messages that wait for it, on a real server. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../../connectors/nats/log/log.js';
import type { Log } from '../../../../runtime/contract/ports.js';
import { eventually } from '../../../support/eventually.js';
import { startTestNats, type TestNats } from '../../../support/nats.js';

const STREAM = 'RIVULET_LAG';
const WAITING = 60;

let server: TestNats;
let log: Log;

beforeAll(async () => {
  server = await startTestNats();
  log = await openNatsLog(await connectNats({ url: server.url }, 'test'));
  await log.ensureStream({
    ...{ name: STREAM, subjects: ['rivulet.lag.>'], bytesMax: 64 * 1024 * 1024, dropsOldest: false, replicas: 1 },
  });
});
afterAll(async () => {
  await log.close();
  await server.stop();
});

const publish = async (subject: string, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await log.publish(`rivulet.lag.${subject}`, new Uint8Array(10));
};

it('is all that is stored for it and not taken in, also what came while it was full; nothing of others', async () => {
  await publish('a', WAITING);
  await publish('b', 7);
  const reader = await log.read(STREAM, { filters: ['rivulet.lag.a'], from: 1 });
  const [first] = await reader.take(1);
  await eventually(() => expect(reader.waiting!(first!.sequence)?.messages).toBe(WAITING - 1));
  // The one that was given out and is not done.
  const waiting = reader.waiting!(0);
  expect(waiting).toEqual({ messages: WAITING, oldestStoredAtMs: first!.storedAtMs });

  await publish('b', 5);
  await publish('a', 10);
  // Full, and told of nothing since: it asks.
  await eventually(() => expect(reader.waiting!(first!.sequence)?.messages).toBe(WAITING + 9));

  let last = first!.sequence;
  for (let taken = 1; taken < WAITING + 10;) {
    const messages = await reader.take(100);
    taken += messages.length;
    last = messages.at(-1)!.sequence;
  }
  await eventually(() => expect(reader.waiting!(last)).toEqual({ messages: 0, oldestStoredAtMs: undefined }));
  await reader.close();
  expect(reader.waiting!(last)).toBeUndefined();
});
