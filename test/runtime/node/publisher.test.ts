/** Events of the façades on their way to NATS: what is tried again, and when it is given up. */
import { expect, it } from 'vitest';
import type { SoundEvent } from '../../../actors/formats/event-reader.js';
import { poison, transient } from '../../../runtime/contract/errors.js';
import { eventPublisher } from '../../../runtime/node/publisher.js';

const EVENT: SoundEvent = {
  ...{ bytes: Buffer.from('{}'), contentType: 'application/json', type: 'view', userId: 'u1', timeMs: 0 },
};
const AWAY = transient('LOG_UNREACHABLE', 'the connection to NATS is broken; reconnecting');

/** A log that fails so, one error after the other, and then stores. */
function failing(...errors: readonly Error[]) {
  const [subjects, pauses]: [string[], number[]] = [[], []];
  const log = {
    publish: async (subject: string) => {
      subjects.push(subject);
      const error = errors[subjects.length - 1];
      if (error !== undefined) throw error;
      return 1;
    },
  };
  const clock = { sleep: async (ms: number) => void pauses.push(ms) };
  return { publish: () => eventPublisher(log, clock).publish(EVENT), subjects, pauses };
}

it('is sent again after a pause while NATS is unreachable', async () => {
  const { publish, subjects, pauses } = failing(AWAY, AWAY);
  await publish();
  expect(subjects).toEqual(Array(3).fill('rivulet.events.view.u1'));
  expect(pauses).toEqual([200, 400]);
});

it('is given up after three attempts', async () => {
  const { publish, subjects } = failing(AWAY, AWAY, AWAY);
  await expect(publish()).rejects.toBe(AWAY);
  expect(subjects).toHaveLength(3);
});

it.each([transient('LOG_UNKNOWN', 'no answer in time'), poison('LOG_MESSAGE_SIZE', 'too large')])(
  'is not sent again when it may be stored, or never will be: %s',
  async (error) => {
    const { publish, subjects, pauses } = failing(error);
    await expect(publish()).rejects.toBe(error);
    expect([subjects.length, pauses]).toEqual([1, []]);
  },
);
