/** The contracts of the log, the shared table and the objects, on three servers that keep three replicas. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { openObjects } from '../../connectors/nats/objects/objects.js';
import { keyValueContract } from '../contracts/key-value-contract.js';
import { type LogBed, logContract } from '../contracts/log-contract.js';
import { objectsContract } from '../contracts/objects-contract.js';
import { type NatsCluster, startNatsCluster } from '../support/nats-cluster.js';
import { takePieceAway } from '../support/object-damage.js';

let cluster: NatsCluster;

beforeAll(async () => {
  cluster = await startNatsCluster();
});
afterAll(() => cluster.stop());

/** Each on a server of its own, so that what one says must have come to the other's. */
const two = (): Promise<[NatsConnection, NatsConnection]> =>
  Promise.all([connectNats({ url: cluster.urls[0]! }, 'test'), connectNats({ url: cluster.urls[1]! }, 'test-other')]);

const replicas = 3;

logContract('three replicas', async (): Promise<LogBed> => {
  const [connection, another] = await two();
  const [log, other] = [await openNatsLog(connection), await openNatsLog(another)];
  return {
    ...{ log, other, replicas },
    deleteStream: async (name) => {
      await cluster.manager.streams.delete(name);
    },
    stop: async () => {
      await log.close();
      await other.close();
    },
  };
});

keyValueContract('three replicas', async () => {
  const [connection, another] = await two();
  const leaseMs = 3_000;
  return {
    table: await openKeyValue(connection, { bucket: 'table', replicas }),
    other: await openKeyValue(another, { bucket: 'table', replicas }),
    leases: await openKeyValue(connection, { bucket: 'leases', ttlMs: leaseMs, replicas }),
    leaseMs,
    elapse: (ms) => sleep(ms),
    stop: async () => {
      await connection.close();
      await another.close();
    },
  };
});

objectsContract('three replicas', async () => {
  const [connection, another] = await two();
  return {
    objects: await openObjects(connection, { bucket: 'objects', replicas }),
    other: await openObjects(another, { bucket: 'objects', replicas }),
    damage: (name) => takePieceAway(connection, 'objects', name),
    stop: async () => {
      await connection.close();
      await another.close();
    },
  };
});
