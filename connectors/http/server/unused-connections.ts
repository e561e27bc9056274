/**
 * Connections that have received nothing yet: browsers open some in advance. Node treats them as requests under way, and a stop would wait for them
 * until its deadline.
 */
import type { Server, Socket } from 'node:net';

export class UnusedConnections {
  private readonly open = new Set<Socket>();
  private isClosing = false;

  constructor(server: Server, isSecure: boolean) {
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
      // Its handshake was under way when the stop began.
      if (this.isClosing) {
        socket.destroy();
        return;
      }
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
    });
  }

  close(): void {
    this.isClosing = true;
    for (const socket of this.open) if (socket.bytesRead === 0) socket.destroy();
  }
}
