/** Objects on JetStream: the contract, and what only a real server can do (OBJECTS-1–OBJECTS-4). */
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { type NatsConnection, TimeoutError } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import { dropAbandoned, openObjects } from '../../../../connectors/nats/objects/objects.js';
import { utf8 } from '../../../../runtime/frames/bytes.js';
import type { Logger, Objects } from '../../../../runtime/contract/ports.js';
import { allOf, bytesOf, inPieces, objectsContract } from '../../../contracts/objects-contract.js';
import { SILENT } from '../../../runtime/tuning.js';
import { eventually } from '../../../support/eventually.js';
import { startTestNats, startTwoClients, type TestNats } from '../../../support/nats.js';
import { takePieceAway } from '../../../support/object-damage.js';

const HOUR_MS = 3_600_000;

objectsContract('JetStream', async () => {
  const { connection, another, stop } = await startTwoClients();
  return {
    objects: await openObjects(connection, { bucket: 'objects', replicas: 1 }),
    other: await openObjects(another, { bucket: 'objects', replicas: 1 }),
    damage: (name) => takePieceAway(connection, 'objects', name),
    stop,
  };
});

describe('a bucket', () => {
  let server: TestNats;
  let connection: NatsConnection;

  const open = (bucket: string, bytesMax?: number): Promise<Objects> =>
    openObjects(connection, { bucket, replicas: 1, ...(bytesMax === undefined ? {} : { bytesMax }) });
  const messagesIn = async (bucket: string): Promise<number> =>
    (await (await jetstreamManager(connection)).streams.info(`OBJ_${bucket}`)).state.messages;

  beforeAll(async () => {
    server = await startTestNats();
    connection = await connectNats({ url: server.url }, 'test');
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it('holds nothing of what was replaced, deleted or given up (OBJECTS-4)', async () => {
    const objects = await open('clean');
    const megabyte = bytesOf(1_000_000);
    await objects.put('a', inPieces(megabyte));
    const once = await messagesIn('clean');
    for (let i = 0; i < 3; i++) await objects.put('a', inPieces(megabyte));
    expect(await messagesIn('clean')).toBe(once);

    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield megabyte;
      throw new Error('given up');
    };
    await expect(objects.put('b', failing())).rejects.toThrow('given up');
    expect(await messagesIn('clean')).toBe(once);
    await objects.delete('a');
    expect(await messagesIn('clean')).toBe(0);
  });

  it('that is full refuses with LOG_FULL, keeps what was there, and has room again', async () => {
    const objects = await open('full', 2 * 1024 * 1024);
    await objects.put('a', inPieces(bytesOf(1_000_000, 1)));
    await expect(objects.put('a', inPieces(bytesOf(3_000_000, 2)))).rejects.toMatchObject({
      ...{ reaction: 'transient', code: 'LOG_FULL' },
    });
    expect(Buffer.compare(await allOf(objects.get('a')), bytesOf(1_000_000, 1))).toBe(0);
    await objects.put('b', inPieces(bytesOf(700_000, 3)));
    await open('full', 8 * 1024 * 1024);
    await objects.put('a', inPieces(bytesOf(3_000_000, 2)));
  });

  it('drops what a killed process left half put, when it is old, and nothing else', async () => {
    const objects = await open('left');
    await objects.put('whole', inPieces(bytesOf(600_000)));
    await objects.put('empty', inPieces(bytesOf(0)));
    const killed = async (name: string): Promise<void> => {
      const pieces = (async function* (): AsyncGenerator<Uint8Array> {
        yield bytesOf(600_000);
        await new Promise(() => undefined);
      })();
      const before = await messagesIn('left');
      void objects.put(name, pieces);
      await eventually(async () => expect(await messagesIn('left')).toBe(before + 1));
    };
    const whole = await messagesIn('left');
    await killed('never');
    await killed('whole');
    await dropAbandoned(connection, 'left');
    expect(await messagesIn('left')).toBe(whole + 2);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * HOUR_MS);
    await dropAbandoned(connection, 'left');
    expect(await messagesIn('left')).toBe(whole);
    expect(await allOf(objects.get('whole'))).toHaveLength(600_000);
    expect(await objects.names('')).toEqual(['empty', 'whole']);
  });

  it('records which pieces it could not remove, and has the new object nevertheless', async () => {
    const warned: object[] = [];
    const logger: Logger = { ...SILENT, warn: (fields) => void warned.push(fields) };
    const objects = await openObjects(connection, { bucket: 'purge-fails', replicas: 1, logger });
    await objects.put('a', inPieces(bytesOf(1_000, 1)));
    const request = connection.request.bind(connection);
    const failing = vi
      .spyOn(connection, 'request')
      .mockImplementation((subject, ...rest) =>
        subject.includes('.STREAM.PURGE.') ? Promise.reject(new TimeoutError()) : request(subject, ...rest),
      );
    await objects.put('a', inPieces(bytesOf(1_000, 2)));
    failing.mockRestore();
    expect(warned).toEqual([
      { err: expect.objectContaining({ code: 'LOG_UNREACHABLE' }), bucket: 'purge-fails', object: expect.any(String) },
    ]);
    expect(Buffer.compare(await allOf(objects.get('a')), bytesOf(1_000, 2))).toBe(0);
  });

  it('ends a reader whose object is replaced under it with OBJECT_MISSING: to ask again helps', async () => {
    const objects = await open('replaced');
    await objects.put('a', inPieces(bytesOf(4_000_000, 1)));
    const reading = objects.get('a')[Symbol.asyncIterator]();
    await reading.next();
    await objects.put('a', inPieces(bytesOf(4_000_000, 2)));
    const rest = async (): Promise<void> => {
      while (!(await reading.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({ reaction: 'transient', code: 'OBJECT_MISSING' });
    expect(Buffer.compare(await allOf(objects.get('a')), bytesOf(4_000_000, 2))).toBe(0);
  });

  it('is one that the tools of NATS read and write', async () => {
    const objects = await open('tools');
    const tool = await new Objm(connection).open('tools');
    await objects.put('ours', inPieces(bytesOf(1_500_000)));
    expect(Buffer.compare((await tool.getBlob('ours'))!, bytesOf(1_500_000))).toBe(0);
    await tool.putBlob({ name: 'theirs/x' }, bytesOf(900_000));
    expect(Buffer.compare(await allOf(objects.get('theirs/x')), bytesOf(900_000))).toBe(0);
    await tool.delete('ours');
    await expect(allOf(objects.get('ours'))).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    await objects.put('ours', inPieces(utf8('again')));
    expect(Buffer.from((await tool.getBlob('ours'))!).toString()).toBe('again');
  });

  it('is written and read in bounded memory (OBJECTS-3)', async () => {
    const objects = await open('large');
    const piece = bytesOf(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const look = (): void => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    };

    const many = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 128; i++) {
        look();
        yield piece;
      }
    };
    await objects.put('a', many());
    let bytes = 0;
    for await (const data of objects.get('a')) {
      look();
      bytes += data.length;
    }
    expect(bytes).toBe(128 * 1024 * 1024);
    expect(most).toBeLessThan(96 * 1024 * 1024);
  });
});
