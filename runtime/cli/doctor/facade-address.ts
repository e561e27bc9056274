/** Doctor: where the node listens, according to the node that runs on the data directory, else to this configuration. */
import { authorityOf } from '../../../connectors/facade/address.js';
import type { Config } from '../../config/config.js';
import { readHealthNote } from '../../node/health.js';
import { type Finding, warning } from './finding.js';
import { isFree } from './machine.js';
import { isAlive } from '../nats-link.js';
import { reachedAt } from '../address.js';

export interface FacadeAddress {
  /** The configured listen address. */
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly findings: readonly Finding[];
}

/** The health note of the running node on the data directory; not one left by a killed node. */
export function livingNote(dataDir: string): ReturnType<typeof readHealthNote> {
  const note = readHealthNote(dataDir);
  return note !== undefined && isAlive(note.process) ? note : undefined;
}

export async function facadeAddress(config: Config, kind: 'grpc' | 'http'): Promise<FacadeAddress> {
  const [host, port] = kind === 'grpc' ? [config.grpcHost, config.grpcPort] : [config.httpHost, config.httpPort];
  const found = livingNote(config.dataDir)?.listens?.[kind];
  // If nothing listens there, the note's process id belongs to another process by now.
  if (found === undefined || (await isFree(found.host, found.port))) return { host, port, findings: [] };
  const [at, configured] = [found, { host, port }].map((place) => authorityOf(reachedAt(place.host, place.port)));
  if (port === 0 || at === configured) return { ...found, findings: [] };
  const name = kind === 'grpc' ? 'gRPC' : 'HTTP';
  return {
    ...found,
    findings: [
      warning(
        `the node on this data directory has its ${name} on ${at}, and this configuration says ${configured}`,
        'nothing, if it was started with other settings: it is asked where it is',
      ),
    ],
  };
}
