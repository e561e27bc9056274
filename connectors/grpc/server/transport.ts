/** What grpc-js leaves to the servers of Node that it makes. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server as NetServer } from 'node:net';
import type { Server } from '@grpc/grpc-js';

/** Of grpc-js, what is not in its types: the tests of what is here fail where that has changed. */
interface ServerInside {
  readonly http2Servers: ReadonlyMap<NetServer, unknown>;
}

/** The servers of Node that it has made. */
export const serversOf = (server: Server): Iterable<NetServer> =>
  (server as unknown as ServerInside).http2Servers.keys();

/** grpc-js counts milliseconds in 32 bits: what is longer would have passed. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const LONGEST_TIMEOUT = `${Math.floor(TIMEOUT_MS_MAX / 1000)}S`;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Of a server that listens: a deadline that is weeks away is no deadline that has passed. */
export function boundTimeouts(server: Server): void {
  const bound = (_: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const timeout = headers['grpc-timeout'];
    if (typeof timeout !== 'string') return;
    const unitMs = UNIT_MS[timeout.at(-1)!];
    if (unitMs !== undefined && Number.parseInt(timeout) * unitMs > TIMEOUT_MS_MAX)
      headers['grpc-timeout'] = LONGEST_TIMEOUT;
  };
  // Before grpc-js, which reads the same headers.
  for (const listening of serversOf(server)) listening.prependListener('stream', bound);
}
