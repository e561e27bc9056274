/** Doctor: the gRPC façade. */
import { connectRivulet } from '../../connectors/grpc/client.js';
import { EventService } from '../../proto/gen/rivulet/v1/event_service_pb.js';
import type { Config } from '../config.js';
import { asError } from '../errors.js';
import { readHealthNote } from '../main-health.js';
import { broken, type Check, type Finding, ok, warning } from './doctor.js';
import { isFree } from './doctor-machine.js';
import { addressOf } from './node-link.js';
import { hasCode } from './nats-link.js';

const DEADLINE_MS = 3_000;

export const grpcChecks = (config: Config): Check[] => [{ name: 'grpc', run: () => grpc(config) }];

async function grpc(config: Config): Promise<Finding> {
  const { grpcHost, grpcPort, tlsCertFile } = config;
  if (grpcPort === 0) return ok('gRPC takes any free port');
  if (await isFree(grpcHost, grpcPort)) return ok(`gRPC port ${grpcPort} is free, no node answers there now`);
  const address = addressOf(config);
  if (tlsCertFile !== undefined)
    return warning(`something listens on ${address}, with TLS`, 'ask it: rivulet get USER --tls-ca FILE');
  const client = await connectRivulet(address, { deadlineMs: DEADLINE_MS });
  try {
    const [node, events] = [await client.health(), await client.health(EventService.typeName)];
    if (node === 'SERVING' && events === 'SERVING') return ok(`a node answers on ${address}: SERVING`);
    const status = node === 'SERVING' ? 'SERVING, and takes no events' : node;
    const reasons = readHealthNote(config.dataDir)?.reasons ?? [];
    if (reasons.length === 0)
      return warning(`a node answers on ${address}: ${status}`, 'it starts, or stops: ask again in a moment');
    return broken(`a node answers on ${address}: ${status}: ${reasons.join('; ')}`, 'see the log of the node');
  } catch (error) {
    const isOther =
      hasCode(error, 'GRPC_UNIMPLEMENTED') ||
      hasCode(error, 'GRPC_UNAVAILABLE') ||
      hasCode(error, 'GRPC_DEADLINE_EXCEEDED');
    const message = isOther ? `another program listens on ${address}` : `${address}: ${asError(error).message}`;
    return broken(message, 'stop it, or choose another port with --grpc-port or RIVULET_GRPC_PORT');
  } finally {
    client.close();
  }
}
