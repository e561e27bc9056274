/** The shared table on JetStream: the contract, and what only a real server can do (KEY-VALUE-1–KEY-VALUE-3). */
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openKeyValue } from '../../../connectors/nats/key-value.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { keyValueContract } from '../../contracts/key-value-contract.js';
import { eventually } from '../../support/eventually.js';
import { startTestNats, startTwoClients, type TestNats } from '../../support/nats.js';

keyValueContract('JetStream', async () => {
  const { connection, another, stop } = await startTwoClients();
  const leaseMs = 2_000;
  return {
    table: await openKeyValue(connection, { bucket: 'table', replicas: 1 }),
    other: await openKeyValue(another, { bucket: 'table', replicas: 1 }),
    leases: await openKeyValue(connection, { bucket: 'leases', ttlMs: leaseMs, replicas: 1 }),
    leaseMs,
    elapse: (ms) => sleep(ms),
    stop,
  };
});

describe('a bucket', () => {
  let server: TestNats;
  let connection: NatsConnection;

  beforeAll(async () => {
    server = await startTestNats();
    connection = await connectNats({ url: server.url }, 'test');
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it('of other settings is brought to what is asked for, with its entries', async () => {
    const manager = await jetstreamManager(connection);
    const before = await openKeyValue(connection, { bucket: 'changed', ttlMs: 60_000, replicas: 1 });
    await before.put('a', utf8('1'));
    const after = await openKeyValue(connection, { bucket: 'changed', ttlMs: 500, replicas: 1 });
    expect((await manager.streams.info('KV_changed')).config.max_age).toBe(500e6);
    await eventually(async () => expect(await after.get('a')).toBeUndefined());
    const forever = await openKeyValue(connection, { bucket: 'changed', replicas: 1 });
    await forever.put('a', utf8('2'), 0);
    expect((await manager.streams.info('KV_changed')).config.max_age).toBe(0);
  });

  it('that two open at the same time, with different settings, is open for both', async () => {
    const tables = await Promise.all(
      [1_000, 60_000, 5_000].map((ttlMs) => openKeyValue(connection, { bucket: 'both', ttlMs, replicas: 1 })),
    );
    for (const [i, table] of tables.entries()) await table.put(`k${i}`, utf8('1'), 0);
    expect(await tables[0]!.entries()).toHaveLength(3);
  });

  it('is one that the tools of NATS read and write', async () => {
    const table = await openKeyValue(connection, { bucket: 'tools', replicas: 1 });
    const tool = await new Kvm(connection).open('tools');
    await table.put('a', utf8('ours'));
    expect((await tool.get('a'))!.string()).toBe('ours');
    await table.delete('a');
    expect((await tool.get('a'))!.operation).toBe('DEL');
    await tool.put('b', 'theirs');
    expect(Buffer.from((await table.get('b'))!.value).toString()).toBe('theirs');
    await tool.purge('b');
    expect(await table.get('b')).toBeUndefined();
    await table.put('b', utf8('again'), 0);
  });

  it('refuses a key that NATS could not keep', async () => {
    const table = await openKeyValue(connection, { bucket: 'keys', replicas: 1 });
    for (const key of ['', 'a b', 'a.*', '>', '.a', 'a.', 'a..b', 'é']) {
      await expect(table.put(key, utf8('x'))).rejects.toMatchObject({ reaction: 'fatal', code: 'KEY_INVALID' });
    }
  });

  it('asks for more replicas than there are servers: NATS_REPLICAS', async () => {
    await expect(openKeyValue(connection, { bucket: 'three', replicas: 3 })).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'NATS_REPLICAS' },
      hint: expect.stringContaining('replicas') as string,
    });
  });

  it('leaves no consumer when a watch is stopped', async () => {
    const manager = await jetstreamManager(connection);
    const table = await openKeyValue(connection, { bucket: 'watched', replicas: 1 });
    for (let i = 0; i < 3; i++) await (await table.watch(() => undefined)).stop();
    await eventually(async () => expect((await manager.streams.info('KV_watched')).state.consumer_count).toBe(0));
  });

  it('is read through a watch at the same cost however many keys it has', async () => {
    const table = await openKeyValue(connection, { bucket: 'many', replicas: 1 });
    const view = await table.watch(() => undefined);
    const costOf = async (reads: number): Promise<number> => {
      const before = connection.stats().outMsgs;
      for (let i = 0; i < reads; i++) await view.entries();
      return connection.stats().outMsgs - before;
    };
    const keys = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await table.put(`k${i}`, utf8('1'));
      expect(await view.entries()).toHaveLength(to);
    };
    await keys(0, 4);
    const few = await costOf(20);
    await keys(4, 200);
    const many = await costOf(20);
    // A request each; the consumer asks for more messages now and then.
    expect(few).toBeLessThan(30);
    expect(many).toBeLessThan(30);
    await view.stop();
  });

  it('is watched again when the watch has ended, and says until then that it is behind', async () => {
    const manager = await jetstreamManager(connection);
    const table = await openKeyValue(connection, { bucket: 'ends', replicas: 1 });
    await table.put('a', utf8('1'));
    const view = await table.watch(() => undefined);
    expect(await view.entries()).toHaveLength(1);
    for await (const { name } of manager.consumers.list('KV_ends')) await manager.consumers.delete('KV_ends', name);
    const revision = await table.put('a', utf8('2'));
    const seen = (): Promise<number> =>
      view.entries().then(
        ([entry]) => entry!.revision,
        (error: unknown) => {
          expect(error).toMatchObject({ reaction: 'transient', code: 'LOG_UNREACHABLE' });
          return 0;
        },
      );
    // What it gives is never older than the call.
    await eventually(async () => {
      const now = await seen();
      expect([0, revision]).toContain(now);
      expect(now).toBe(revision);
    });
    await view.stop();
  });

  it('is watched across the death of the server, and when it was made anew', async () => {
    const manager = await jetstreamManager(connection);
    const table = await openKeyValue(connection, { bucket: 'dies', replicas: 1 });
    const told: string[] = [];
    const view = await table.watch((key) => told.push(key));
    await table.put('before', utf8('1'));
    await eventually(() => expect(told).toEqual(['before']));
    process.kill(server.pid, 'SIGKILL');
    await eventually(() => table.put('after', utf8('1')));
    await eventually(() => expect(told).toContain('after'));
    await manager.streams.delete('KV_dies');
    const anew = await openKeyValue(connection, { bucket: 'dies', replicas: 1 });
    await anew.put('anew', utf8('1'), 0);
    await eventually(() => expect(told).toContain('anew'));
    await eventually(async () => expect((await view.entries()).map(({ key }) => key)).toEqual(['anew']));
    await view.stop();
  });
});
