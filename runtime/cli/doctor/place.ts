/** Doctor: where the node listens. One that runs on the data directory has said so; else it is where this configuration would have it. */
import { authorityOf } from '../../../connectors/facade/authority.js';
import type { Config } from '../../config/config.js';
import { readHealthNote } from '../../node/health.js';
import { type Finding, warning } from './finding.js';
import { isFree } from './machine.js';
import { isAlive } from '../nats-link.js';
import { reachedAt } from '../place.js';

export interface FacadePlace {
  /** As it is given to listen. */
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly findings: readonly Finding[];
}

/** What the node that runs on the data directory has noted; not what one that was killed has left. */
export function livingNote(dataDir: string): ReturnType<typeof readHealthNote> {
  const note = readHealthNote(dataDir);
  return note !== undefined && isAlive(note.process) ? note : undefined;
}

export async function facadePlace(config: Config, kind: 'grpc' | 'http'): Promise<FacadePlace> {
  const [host, port] = kind === 'grpc' ? [config.grpcHost, config.grpcPort] : [config.httpHost, config.httpPort];
  const found = livingNote(config.dataDir)?.listens?.[kind];
  // Where nobody is, nobody has been since: the process of the note is another one by now.
  if (found === undefined || (await isFree(found.host, found.port))) return { host, port, findings: [] };
  const [at, said] = [found, { host, port }].map((place) => authorityOf(reachedAt(place.host, place.port)));
  if (port === 0 || at === said) return { ...found, findings: [] };
  const name = kind === 'grpc' ? 'gRPC' : 'HTTP';
  return {
    ...found,
    findings: [
      warning(
        `the node on this data directory has its ${name} on ${at}, and this configuration says ${said}`,
        'nothing, if it was started with other settings: it is asked where it is',
      ),
    ],
  };
}
