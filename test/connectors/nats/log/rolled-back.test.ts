/** A server whose store was put back to an earlier moment while readers live (NATS-LOG-4 in log.ts). */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import type { EmbeddedNats } from '../../../../connectors/nats/embedded/embedded.js';
import { openNatsLog } from '../../../../connectors/nats/log/log.js';
import { utf8 } from '../../../../runtime/frames/bytes.js';
import { wasDropped } from '../../../../runtime/log-integrity/last-message.js';
import type { Log } from '../../../../runtime/contract/ports.js';
import { takeAll } from '../../../contracts/log-contract.js';
import { startEmbedded } from '../../../support/nats.js';

const STREAM = { name: 'S', subjects: ['s.>'], bytesMax: 1024 * 1024, dropsOldest: false, replicas: 1 };

let folder: string;
let server: EmbeddedNats | undefined;
let log: Log | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rivulet-rolled-back-'));
});
afterEach(async () => {
  await log?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

const store = (): string => join(folder, 'store');
const older = (): string => join(folder, 'older');

async function start(port: number | 'any'): Promise<EmbeddedNats> {
  return (server = await startEmbedded({ storeDir: store(), port }));
}

const connected = async (): Promise<Log> => openNatsLog(await connectNats({ url: server!.url }, 'test'));

async function publish(on: Log, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await on.publish(`s.${n % 2}`, utf8(String(n)));
}

/** Five messages, of which there is a copy, and five more, which are read. */
async function tenRead(): Promise<{ readonly port: number; readonly reader: Awaited<ReturnType<Log['read']>> }> {
  const { port } = await start('any');
  const first = await connected();
  await first.ensureStream(STREAM);
  await publish(first, 1, 5);
  await first.close();
  await server!.stop();
  cpSync(store(), older(), { recursive: true });
  await start(port);
  log = await connected();
  const reader = await log.read('S', { filters: ['s.>'], from: 1 });
  await publish(log, 6, 10);
  expect(await takeAll(reader, 10)).toHaveLength(10);
  await server!.stop();
  return { port, reader };
}

function putBack(): void {
  rmSync(store(), { recursive: true });
  cpSync(older(), store(), { recursive: true });
}

it('a reader does not go on in a stream that is behind what it has read', async () => {
  const { port, reader } = await tenRead();
  putBack();
  await start(port);
  await expect(reader.take(1)).rejects.toMatchObject({
    ...{ reaction: 'transient', code: 'LOG_READ' },
    cause: {
      message: expect.stringContaining('expected message 10, which it has read, but the stream ends at message 5'),
    },
  });
});

it('nor where it was filled with other messages in the meantime', async () => {
  const { port, reader } = await tenRead();
  putBack();
  await start('any');
  const other = await connected();
  await publish(other, 11, 30);
  await other.close();
  await server!.stop();
  await start(port);
  await expect(reader.take(1)).rejects.toMatchObject({
    ...{ reaction: 'transient', code: 'LOG_READ' },
    cause: { message: expect.stringContaining('truncated and refilled') },
  });
});

it('but goes on where all that it has read is there, trimmed or not', async () => {
  const { port, reader } = await tenRead();
  await start(port);
  await publishAgain(11, 12);
  expect((await takeAll(reader, 2)).map(({ sequence }) => sequence)).toEqual([11, 12]);
  await log!.purge('S', 's.>', 13);
  await server!.stop();
  await start(port);
  await publishAgain(13, 14);
  expect((await takeAll(reader, 2)).map(({ sequence }) => sequence)).toEqual([13, 14]);
});

it('a message whose place another one has was not dropped; one whose place is empty was', async () => {
  const { port } = await tenRead();
  putBack();
  await start(port);
  await log!.close();
  log = await connected();
  // Message 10 was of s.0.
  const dropped = (sequence: number): Promise<boolean> => wasDropped(log!, 'S', 's.0', sequence);
  expect(await dropped(10)).toBe(false);
  for (let n = 6; n <= 10; n++) await log.publish('s.1', utf8(String(n)));
  expect(await dropped(10)).toBe(false);
  await log.purge('S', 's.0', 5);
  expect(await dropped(4)).toBe(true);
  await log.purge('S', '>', 11);
  expect(await dropped(10)).toBe(true);
});

/** As soon as the client is back. */
async function publishAgain(from: number, to: number): Promise<void> {
  for (;;) {
    const back = await log!.info('S').catch(() => undefined);
    if (back !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await publish(log!, from, to);
}
