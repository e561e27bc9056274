/** Node servers that accept connections and pass them to grpc-js: so their number and identity are known here. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
import type { ConnectionInjector, ServerInterceptingCallInterface } from '@grpc/grpc-js';

type ConnectionInfo = ReturnType<ServerInterceptingCallInterface['getConnectionInfo']>;

export class Listener {
  readonly servers: Server[] = [];
  private readonly open = new Map<string, Socket>();

  /** Returns the port. `localhost` can have several addresses: it listens on all of them. */
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

  /** An object that identifies the connection of a call; `undefined`: the connection is closed. */
  connectionOf(info: ConnectionInfo): object | undefined {
    return this.open.get(keyOf(info));
  }

  /** Accepts no more connections, and resolves when all are closed. Connections that have received nothing are closed now. */
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
    // Its reader may not be attached yet, or not any more.
    socket.on('error', () => socket.destroy());
    injector.injectConnection(socket);
  }
}

const keyOf = ({ remoteAddress, remotePort, localAddress }: ConnectionInfo): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
