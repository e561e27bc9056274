/** Doctor: the gRPC façade. */
import { authorityOf } from '../../../connectors/facade/address.js';
import type { Config } from '../../config/config.js';
import { broken, type Check, type Finding, ok, warning } from './finding.js';
import { listenerAt, type ServingStatusName } from './listener.js';
import { whyNotFree } from './machine.js';
import { facadeAddress, livingNote } from './facade-address.js';
import { certificateFindings, GRPC, takenFinding } from './taken.js';
import { runningServer } from '../nats-link.js';
import { reachedAt } from '../address.js';

export const grpcChecks = (config: Config): Check[] => [{ name: 'grpc', run: () => grpcFindings(config) }];

export async function grpcFindings(config: Config): Promise<readonly Finding[]> {
  const { dataDir, tlsCertFile: certFile } = config;
  const { host, port, findings } = await facadeAddress(config, 'grpc');
  if (port === 0) return [ok('gRPC takes any free port')];
  const why = await whyNotFree(host, port);
  if (why === undefined) return [...findings, ok(`gRPC port ${port} is free, no node answers there now`)];
  const place = reachedAt(host, port);
  const listener = await listenerAt(place);
  if (listener.kind !== 'grpc') {
    return [...findings, takenFinding(place, why, listener, GRPC, { certFile, natsUrl: runningServer(dataDir)?.url })];
  }
  const reasons = livingNote(dataDir)?.reasons ?? [];
  return [
    ...findings,
    servingFinding(authorityOf(place), listener, reasons),
    ...certificateFindings(place, listener.certificate, certFile),
  ];
}

function servingFinding(
  address: string,
  { node, events }: { readonly node: ServingStatusName; readonly events: ServingStatusName },
  reasons: readonly string[],
): Finding {
  if (node === 'SERVING' && events === 'SERVING') return ok(`a node answers on ${address}: SERVING`);
  const status = node === 'SERVING' ? 'SERVING, and takes no events' : node;
  if (reasons.length === 0)
    return warning(`a node answers on ${address}: ${status}`, 'it starts, or stops: ask again in a moment');
  return broken(`a node answers on ${address}: ${status}: ${reasons.join('; ')}`, 'see the log of the node');
}
