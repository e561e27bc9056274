/** Servers of Node that take connections in and hand them to grpc-js: so their number, and what each is, are known here. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
import type { ConnectionInjector, ServerInterceptingCallInterface } from '@grpc/grpc-js';

type ConnectionInfo = ReturnType<ServerInterceptingCallInterface['getConnectionInfo']>;

export class Listener {
  readonly servers: Server[] = [];
  private readonly open = new Map<string, Socket>();

  /** Gives the port. `localhost` has more than one address: all of them. */
  async listen(host: string, port: number, injector: ConnectionInjector): Promise<number> {
    const addresses = isIP(host) > 0 ? [{ address: host }] : await lookup(host, { all: true });
    let bound = port;
    try {
      for (const { address } of addresses) bound = await this.listenAt(address, bound, injector);
    } catch (error) {
      await this.close();
      throw error;
    }
    return bound;
  }

  /** What stands for the connection of a call; `undefined`: it is closed. */
  connectionOf(info: ConnectionInfo): object | undefined {
    return this.open.get(keyOf(info));
  }

  /** Takes no more connections, and resolves when all are closed. Those on which nothing has come are closed now. */
  async close(): Promise<void> {
    const closed = this.servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.open.values()) if (socket.bytesRead === 0) socket.destroy();
    await Promise.all(closed);
  }

  cut(): void {
    for (const socket of this.open.values()) socket.destroy();
  }

  private async listenAt(host: string, port: number, injector: ConnectionInjector): Promise<number> {
    const server = createServer((socket) => this.take(socket, injector));
    server.listen({ host, port });
    await once(server, 'listening');
    this.servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  private take(socket: Socket, injector: ConnectionInjector): void {
    const key = keyOf(socket);
    this.open.set(key, socket);
    socket.once('close', () => this.open.delete(key));
    // What reads it may not be there yet, or not any more.
    socket.on('error', () => socket.destroy());
    injector.injectConnection(socket);
  }
}

const keyOf = ({ remoteAddress, remotePort, localAddress }: ConnectionInfo): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
