import { expect, it, vi } from 'vitest';
import { publishOnce } from '../../../connectors/nats/connection/retry.js';
import { fatal, transient } from '../../../runtime/contract/errors.js';
import type { Log } from '../../../runtime/contract/ports.js';

const unknown = transient('LOG_UNKNOWN', 'no ack');
const data = Buffer.from('ours');

/** A log whose acks are lost, and what it has on the subject then. */
const lossy = (last: () => Promise<unknown>) => {
  const publish = vi.fn(() => Promise.reject(unknown));
  return { publish, log: { publish, last } as unknown as Log };
};

it('a fatal look at what the log has is that error, not an unknown outcome', async () => {
  const gone = fatal('LOG_BEHIND', 'the stream is another one');
  const { log, publish } = lossy(() => Promise.reject(gone));
  await expect(publishOnce(log, 'S', 's', data, 1)).rejects.toBe(gone);
  expect(publish).toHaveBeenCalledOnce();
});

it('what another has written is final', async () => {
  const { log, publish } = lossy(() => Promise.resolve({ sequence: 7, data: Buffer.from('theirs') }));
  await expect(publishOnce(log, 'S', 's', data, 1)).rejects.toMatchObject({ code: 'FENCED' });
  expect(publish).toHaveBeenCalledOnce();
});

it('a message that is there was stored', async () => {
  const { log } = lossy(() => Promise.resolve({ sequence: 7, data }));
  await expect(publishOnce(log, 'S', 's', data, 1)).resolves.toBe(7);
});
