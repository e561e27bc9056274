/** Events of one request: what is counted when, how many wait at once, and where to send again from. */
import { EventReader } from '../../../../actors/formats/event-reader.js';
import { describe, expect, it, vi } from 'vitest';
import type { EventPublisher } from '../../../../connectors/facade/ports.js';
import { type IntakeOptions, takeIn } from '../../../../connectors/facade/events/event-intake.js';
import { poison, transient } from '../../../../runtime/contract/errors.js';
import { eventually } from '../../../support/eventually.js';
import { handPublisher, storesAll } from '../../grpc/facade.js';

const AWAY = transient('LOG_UNREACHABLE', 'the log is unreachable');

const reader = new EventReader();
const jsonEvent = (id: string, given: object = {}) =>
  reader.json(
    Buffer.from(
      JSON.stringify({ event_id: id, event_type: 'view', event_time: 0, user_id: 'u', item_id: 'i', ...given }),
    ),
    0,
  );
const some = (count: number) => Array.from({ length: count }, (_, i) => jsonEvent(`e${i}`));

const options = (publisher: EventPublisher, more: Partial<IntakeOptions> = {}): IntakeOptions => ({
  ...{ publisher, publishesInFlight: 256, signal: new AbortController().signal },
  turn: () => undefined,
  ...more,
});

describe('an intake', () => {
  it('counts an event when it is stored, not before', async () => {
    const { publisher, acks } = handPublisher();
    const settled = vi.fn();
    const taken = takeIn(some(2), options(publisher)).finally(settled);
    await eventually(() => expect(acks).toHaveLength(2));
    acks[1]!.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).not.toHaveBeenCalled();
    acks[0]!.resolve();
    expect(await taken).toEqual({ accepted: 2, rejected: 0, errors: [], ended: undefined });
  });

  it('has no more events wait than it may', async () => {
    const { publisher, asked, acks } = handPublisher();
    const taken = takeIn(some(30), options(publisher, { publishesInFlight: 8 }));
    for (let stored = 0; stored < 30; stored++) {
      await eventually(() => expect(asked).toHaveLength(Math.min(30, stored + 8)));
      acks[stored]!.resolve();
    }
    expect(await taken).toMatchObject({ accepted: 30 });
    expect(asked).toEqual(Array.from({ length: 30 }, (_, i) => `e${i}`));
  });

  it('reports what breaks a rule by its place, a hundred of them, and counts all', async () => {
    const bad = Array.from({ length: 250 }, (_, i) => jsonEvent(`e${i}`, i % 2 === 0 ? { price: -1 } : {}));
    const { accepted, rejected, errors } = await takeIn(bad, options(storesAll));
    expect([accepted, rejected, errors.length]).toEqual([125, 125, 100]);
    expect(errors[99]).toEqual({
      ...{ index: 198, rule: 'price_negative', field: 'price' },
      reason: 'price is -1: send 0 or more',
    });
  });

  it('reports what the log will never take, and goes on', async () => {
    const publish = vi.fn<EventPublisher['publish']>(() => Promise.resolve());
    publish.mockRejectedValueOnce(poison('LOG_MESSAGE_SIZE', 'too large'));
    expect(await takeIn(some(3), options({ publish }))).toEqual({
      ...{ accepted: 2, rejected: 1, ended: undefined },
      errors: [{ index: 0, rule: 'not_stored', reason: 'too large' }],
    });
  });

  it('that the log leaves midway waits for what is under way, and says where to send again from', async () => {
    const { publisher, acks } = handPublisher();
    const taken = takeIn(
      [...some(3), jsonEvent('bad', { user_id: '' }), ...some(9)],
      options(publisher, { publishesInFlight: 4 }),
    );
    await eventually(() => expect(acks).toHaveLength(4));
    acks[2]!.reject(AWAY);
    acks[1]!.reject(transient('LOG_UNKNOWN', 'later'));
    await new Promise((resolve) => setImmediate(resolve));
    acks[0]!.resolve();
    acks[3]!.resolve();
    expect(await taken).toMatchObject({ accepted: 2, rejected: 1, ended: { error: AWAY, resendFrom: 1 } });
    expect(acks).toHaveLength(4);
  });

  it('that a publisher throws in ends the same way', async () => {
    const publish = (): Promise<void> => {
      throw AWAY;
    };
    expect(await takeIn(some(3), options({ publish }))).toMatchObject({
      ...{ accepted: 0, rejected: 0 },
      ended: { error: AWAY, resendFrom: 0 },
    });
  });

  it('that nobody waits for takes no more', async () => {
    const { publisher, acks } = handPublisher();
    const left = new AbortController();
    const taken = takeIn(some(9), options(publisher, { publishesInFlight: 2, signal: left.signal }));
    await eventually(() => expect(acks).toHaveLength(2));
    left.abort();
    for (const ack of acks) ack.resolve();
    expect(await taken).toMatchObject({ accepted: 2, ended: { resendFrom: 2 } });
    expect(acks).toHaveLength(2);
  });

  it.each([
    ['good', some(300)],
    ['bad', Array.from({ length: 300 }, () => jsonEvent('e', { user_id: '' }))],
  ])('of %s events lets others have their turn after each', async (_, events) => {
    let turns = 0;
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve)).then(() => void turns++);
    await takeIn(events, options(storesAll, { turn }));
    expect(turns).toBe(300);
  });
});
