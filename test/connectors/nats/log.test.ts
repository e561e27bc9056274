/** The log on JetStream: the contract, and what only a real server can do (N1–N3). */
import { jetstreamManager } from '@nats-io/jetstream';
import { connectNats } from '../../../connectors/nats/connect.js';
import { openNatsLog } from '../../../connectors/nats/log.js';
import { logContract } from '../../contracts/log-contract.js';
import { startTestNats } from '../../support/nats.js';

logContract('JetStream', async () => {
  const server = await startTestNats();
  const [connection, second] = [
    await connectNats({ url: server.url }, 'test'),
    await connectNats({ url: server.url }, 'test-other'),
  ];
  const [log, other] = [await openNatsLog(connection), await openNatsLog(second)];
  const manager = await jetstreamManager(connection);
  return {
    ...{ log, other },
    deleteStream: async (name) => {
      await manager.streams.delete(name);
    },
    stop: async () => {
      await log.close();
      await other.close();
      await server.stop();
    },
  };
});
