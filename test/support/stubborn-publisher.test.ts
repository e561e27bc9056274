/** The publisher of the crash tests must not hide a loss: what counts as acknowledged is stored. */
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { eventually } from './eventually.js';
import { startTestNats } from './nats.js';
import { StubbornPublisher } from './stubborn-publisher.js';

it('takes the refusal of a full stream for what it is, and goes on until the event is stored', async () => {
  const nats = await startTestNats();
  const connection = await connectNats({ url: nats.url }, 'test');
  const log = await openNatsLog(connection);
  const publisher = await StubbornPublisher.connect(nats.url);
  try {
    await log.ensureStream({ name: 'S', subjects: ['s.>'], bytesMax: 1_000, dropsOldest: false, replicas: 1 });
    const large = (n: number) => ({ subject: `s.${n}`, body: { n, text: 'x'.repeat(600) } });
    await publisher.publish([large(1)], 1_000);
    const second = publisher.publish([large(2)], 1_000);
    await eventually(() => expect(publisher.sent).toBeGreaterThan(3));
    expect(publisher.acked).toBe(1);
    await log.purge('S', 's.1', 2);
    await second;
    const { state } = await (await jetstreamManager(connection)).streams.info('S');
    expect([publisher.acked, state.messages, state.last_seq]).toEqual([2, 1, 2]);
  } finally {
    await publisher.close();
    await log.close();
    await nats.stop();
  }
});
