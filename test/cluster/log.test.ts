/** What nodes rely on when a server of a NATS cluster dies, hangs, or hands its leadership over (three servers, three replicas). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { openObjects } from '../../connectors/nats/objects/objects.js';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import { nodeOptions, pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { repartitionDeployment } from '../../runtime/cli/repartition/repartition.js';
import { loadConfig } from '../../runtime/config/config.js';
import { RivuletError } from '../../runtime/contract/errors.js';
import { BUCKETS, openDeployment } from '../../runtime/node/buckets.js';
import { writeSharedDeployment } from '../../runtime/node/deployment.js';
import type { KeyValue, Log } from '../../runtime/contract/ports.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { retryThroughFailover } from '../../runtime/supervision/retry.js';
import { ensureStreams, REPARTITIONING_STREAM, streamsOf } from '../../runtime/contract/streams.js';
import { takeAll } from '../contracts/log-contract.js';
import { allOf, bytesOf, inPieces } from '../contracts/objects-contract.js';
import { eventually } from '../support/eventually.js';
import { letter, numbersOf, openLine } from '../support/letters.js';
import { type NatsCluster, startNatsCluster } from '../support/nats-cluster.js';

const S = { name: 'S', subjects: ['s.>'], bytesMax: 64 * 1024 * 1024, dropsOldest: false, replicas: 3 };
const PATIENT = { timeout: 40_000, interval: 100 };

let cluster: NatsCluster;
const connections: NatsConnection[] = [];

beforeAll(async () => {
  cluster = await startNatsCluster();
});
afterAll(() => cluster.stop());
afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
});

/** A client that is on this server at first. */
async function clientOn(server: number): Promise<NatsConnection> {
  const connection = await connectNats({ url: cluster.urls[server]! }, `test-${server}`);
  connections.push(connection);
  return connection;
}

const logOn = async (server: number): Promise<Log> => openNatsLog(await clientOn(server));

/** Adds one, again and again, by compare-and-set; tells each number that it is known to have set. */
async function count(table: KeyValue, key: string, go: () => boolean): Promise<number[]> {
  const won: number[] = [];
  while (go()) {
    try {
      const entry = await table.get(key);
      const next = entry === undefined ? 1 : Number(textOf(entry.value)) + 1;
      await table.put(key, utf8(String(next)), entry?.revision ?? 0);
      won.push(next);
    } catch (error) {
      // FENCED, LOG_UNKNOWN or LOG_UNREACHABLE: not known to have won.
      if (!(error instanceof RivuletError && error.reaction === 'transient')) throw error;
      // LOG_UNREACHABLE comes at once while the connection is broken: without a pause nothing else would have its turn.
      await sleep(5);
    }
  }
  return won;
}

/** Everything that a node does, while `harm` is done to the server that leads all of it. */
async function throughout(server: number, harm: (bothSpeak: () => Promise<void>) => Promise<void>): Promise<void> {
  const others = [(server + 1) % 3, (server + 2) % 3] as const;
  const logs = [await logOn(server), await logOn(others[0]), await logOn(others[1])] as const;
  await logs[0].ensureStream(S);
  const first = (await logs[0].info('S')).lastSequence + 1;
  const [near, far] = [await clientOn(server), await clientOn(others[1])];
  const tables = await Promise.all([near, far].map((one) => openKeyValue(one, { bucket: 'counts', replicas: 3 })));
  const objects = await openObjects(far, { bucket: 'copies', replicas: 3 });
  const told: string[] = [];
  const view = await tables[0]!.watch((key) => told.push(key));
  for (const stream of ['S', 'KV_counts', 'OBJ_copies']) await cluster.moveLeader(stream, server);
  await cluster.whole('S', 'KV_counts', 'OBJ_copies');

  // A line from the server itself, and one from another.
  const said = 400;
  const subjects = [`s.near-${first}`, `s.far-${first}`];
  const lines = [await openLine(logs[0], 'S', subjects[0]!), await openLine(logs[1], 'S', subjects[1]!)];
  const readers = await Promise.all(logs.map((log) => log.read('S', { filters: ['s.>'], from: first })));
  const heard = readers.map((reader) => takeAll(reader, 2 * said));
  const key = `count-${first}`;
  let counting = true;
  const counts = tables.map((table) => count(table, key, () => counting));
  const bytes = bytesOf(3_000_000, first);
  const saying = lines.map(async ({ line, outbox }) => {
    for (let i = 1; i <= said; i++) {
      line.enqueue(...letter(i));
      await outbox.room(8, Infinity);
      if (i === said / 4) await half;
    }
    await outbox.settled();
  });
  let reached = (): void => undefined;
  const half = new Promise<void>((resolve) => (reached = resolve));
  await eventually(() => expect(lines.every(({ line }) => line.acked > said / 5)).toBe(true), PATIENT);
  const putting = objects.put('copy', inPieces(bytes));
  reached();
  const acked = lines.map(({ line }) => line.acked);
  await harm(() =>
    eventually(() => expect(lines.every(({ line }, i) => line.acked > acked[i]! + 20)).toBe(true), PATIENT),
  );
  await Promise.all(saying);
  await putting;
  // Both go on counting after the harm.
  const countIs = async (from: number): Promise<number> => {
    const now = Number(textOf((await tables[1]!.get(key))!.value));
    expect(now).toBeGreaterThanOrEqual(from);
    return now;
  };
  const now = await eventually(() => countIs(0), PATIENT);
  await eventually(() => countIs(now + 20), PATIENT);
  counting = false;

  const all = Array.from({ length: said }, (_, i) => i + 1);
  const stored = (await Promise.all(heard)).map((messages) =>
    subjects.map((subject) => numbersOf(messages.filter((message) => message.subject === subject))),
  );
  for (const one of stored) expect(one).toEqual([all, all]);
  expect((await logs[1].info('S')).lastSequence).toBe(first - 1 + 2 * said);

  const won = (await Promise.all(counts)).flat().sort((a, b) => a - b);
  expect(won).toEqual([...new Set(won)]);
  expect(Number(textOf((await tables[0]!.get(key))!.value))).toBeGreaterThanOrEqual(won.at(-1)!);
  expect(Buffer.compare(await allOf(objects.get('copy')), bytes)).toBe(0);

  await tables[1]!.put(`last-${first}`, utf8('1'));
  await eventually(() => expect(told).toContain(`last-${first}`), PATIENT);
  await view.stop();
  await Promise.all(readers.map((reader) => reader.close()));
}

describe('a stream', () => {
  it('takes on as many replicas as are asked for, gives up none for a node that asks for fewer, and says which setting is wrong when servers are too few', async () => {
    const log = await logOn(0);
    const topology = mainTopology(pipelineOptions(loadConfig({ env: {}, cwd: tmpdir() }).config));
    const name = streamsOf(topology, { bytesMax: 1024 * 1024, replicas: 1 })[0]!.name;
    const replicas = async (): Promise<number> => (await cluster.manager.streams.info(name)).config.num_replicas;
    for (const [wanted, kept] of [
      [1, 1],
      [3, 3],
      [1, 3],
    ] as const) {
      await retryThroughFailover(
        systemClock,
        () => undefined,
      )(() => ensureStreams(log, topology, { bytesMax: 1024 * 1024, replicas: wanted }));
      expect(await replicas()).toBe(kept);
    }
    await expect(ensureStreams(log, topology, { bytesMax: 1024 * 1024, replicas: 5 })).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'NATS_REPLICAS' },
      hint: expect.stringContaining('replicas') as string,
    });
    for (const spec of streamsOf(topology, { bytesMax: 0, replicas: 1 }))
      await cluster.manager.streams.delete(spec.name);
  });

  it('marks a repartition with the replicas that the deployment has, whatever is configured there', async () => {
    const log = await logOn(0);
    const { config } = loadConfig({ env: { RIVULET_PARTITIONS: '1' }, cwd: tmpdir() });
    const before = nodeOptions(config);
    const limits = { bytesMax: 1024 * 1024, replicas: 3 };
    const patiently = retryThroughFailover(systemClock, () => undefined);
    await patiently(() => ensureStreams(log, mainTopology(before.pipeline), limits));
    const deployment = await openDeployment(await clientOn(0), { replicas: 3 });
    await patiently(() => writeSharedDeployment(deployment, before.deployment));
    const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-replicas-'));
    const replicasOf = async (stream: string): Promise<number> =>
      (await cluster.manager.streams.info(stream)).config.num_replicas;
    let mark: Promise<number> | undefined;
    const broken = repartitionDeployment({
      config: { ...config, dataDir, natsUrl: cluster.url, streamMegabytesMax: 1, replicas: 1 },
      ...{ wanted: { partitions: 2 }, yes: true, onProgress: () => undefined },
      at: (point) => {
        if (point === 'begun') mark = replicasOf(REPARTITIONING_STREAM);
        if (point === 'drained') throw new Error('enough');
      },
    });
    await expect(broken).rejects.toThrow('enough');
    expect([await mark, await replicasOf(`KV_${BUCKETS.deployment}`)]).toEqual([3, 3]);
    rmSync(dataDir, { recursive: true });
    for await (const name of cluster.manager.streams.names()) await cluster.manager.streams.delete(name);
  });

  it('is made once by nodes that start at the same time', async () => {
    const logs = await Promise.all([0, 1, 2].map(logOn));
    const spec = { ...S, name: 'TOGETHER', subjects: ['together.>'] };
    await Promise.all(logs.map((log) => log.ensureStream(spec)));
    const tables = await Promise.all(
      connections.slice(-3).map((one) => openKeyValue(one, { bucket: 'together', replicas: 3 })),
    );
    // What was made has no leader for a moment.
    const patiently = retryThroughFailover(systemClock, () => undefined);
    await Promise.all(tables.map((table, i) => patiently(() => table.put(`k${i}`, utf8('1'), 0))));
    expect(await tables[0]!.entries()).toHaveLength(3);
  });

  it('takes one of many writes with the same expectation, also of those that are still under way', async () => {
    const log = await logOn(0);
    await log.ensureStream({ ...S, name: 'RACE', subjects: ['race.>'] });
    const leader = await logOn(await cluster.leaderOf('RACE'));
    for (let round = 0, expected = 0; round < 10; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, () => leader.publish('race.a', utf8('x'), { expected })),
      );
      const stored = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(stored).toEqual([round + 1]);
      for (const one of outcomes) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'FENCED' });
      expected = stored[0]!;
    }
  });
});

describe('a client', () => {
  it('finds a server that is there among several that it is told of', async () => {
    const connection = await connectNats({ url: `nats://127.0.0.1:1, ${cluster.urls[2]!}` }, 'test');
    connections.push(connection);
    expect((await openNatsLog(connection)).payloadBytesMax).toBeGreaterThan(0);
  });
});

describe('a server that leads everything', () => {
  it('is killed: each letter is stored once, readers hear all, nobody wins twice', async () => {
    try {
      await throughout(0, () => cluster.kill(0));
    } finally {
      await cluster.restart(0);
    }
    await cluster.whole('S', 'KV_counts', 'OBJ_copies');
  });

  it('hangs, and wakes as a leader of old: the same, and its clients go elsewhere meanwhile', async () => {
    await throughout(1, async (bothSpeak) => {
      cluster.pause(1);
      try {
        await bothSpeak();
      } finally {
        cluster.resume(1);
      }
    });
    await cluster.whole('S', 'KV_counts', 'OBJ_copies');
  });
});
