/** The first start of an embedded server: on the requested port, or the next free one. */
import { connect } from 'node:net';
import { fatal, hasCode } from '../../../runtime/contract/errors.js';
import { launch, PORT_ANY, portTaken, type ServerProcess, type ServerSpec } from './server-process.js';

const PORT_DEFAULT = 4222;
const PORTS_TRIED_MAX = 100;
const PROBE_MS_MAX = 1_000;

export async function launchFirst(
  spec: ServerSpec,
  wanted: number | 'any',
  signal: AbortSignal,
): Promise<ServerProcess> {
  if (wanted === 'any') return launch(spec, PORT_ANY, signal);
  if (wanted !== 0) {
    // Checked first: a server that cannot have the port would open the store for nothing.
    if (await isTaken(spec.host, wanted)) throw portTaken(spec.host, wanted);
    return launch(spec, wanted, signal);
  }
  for (let port = PORT_DEFAULT; port < PORT_DEFAULT + PORTS_TRIED_MAX; port++) {
    if (await isTaken(spec.host, port)) continue;
    try {
      return await launch(spec, port, signal);
    } catch (error) {
      // Taken between the check and the start.
      if (!hasCode(error, 'NATS_PORT_TAKEN')) throw error;
    }
  }
  const range = `${PORT_DEFAULT} to ${PORT_DEFAULT + PORTS_TRIED_MAX - 1}`;
  throw fatal('NATS_PORT_TAKEN', `every port from ${range} is taken`, {
    hint: 'choose a port for the embedded NATS (--nats-port, RIVULET_NATS_PORT)',
  });
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect({ host, port, timeout: PROBE_MS_MAX });
    const settle = (taken: boolean): void => {
      socket.destroy();
      answer(taken);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
