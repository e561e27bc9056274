/**
 * Connections that end with an answer while their client is still sending, as those of bodies that are too long. Were they cut with bytes unread,
 * the system would reset them, and who writes all before it reads would lose the answer. So our side is ended, and what comes is read and thrown
 * away, until the client ends too: up to so many bytes, for so long.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const BYTES_MAX = 64 * 2 ** 20;

export class LingeringConnections {
  private readonly open = new Set<Socket>();
  private isClosing = false;

  constructor(private readonly msMax: number) {}

  /** To be called before the answer is sent. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { socket, headers } = request;
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
    // Node listens too, and ends the connection between these two if this answer is the last on it.
    response.prependOnceListener('finish', () => {
      if (request.complete || this.isClosing || socket.destroyed) return;
      socket.destroySoon = () => this.linger(socket);
      response.once('finish', () => Reflect.deleteProperty(socket, 'destroySoon'));
    });
  }

  /** A stop waits for none of them. */
  close(): void {
    this.isClosing = true;
    for (const socket of this.open) socket.destroy();
  }

  private linger(socket: Socket): void {
    const end = (): void => void socket.destroy();
    const timer = setTimeout(end, this.msMax).unref();
    this.open.add(socket);
    socket.once('close', () => {
      clearTimeout(timer);
      this.open.delete(socket);
    });
    socket.once('end', end);
    socket.on('error', end);
    socket.end();
    // A body that nobody reads has it paused. Node has to start it again: with other listeners than its own, the handle would stay stopped.
    if (socket.isPaused()) socket.once('resume', () => throwAway(socket)).resume();
    else throwAway(socket);
  }
}

/** Nor is it read as a request any more: none would be answered. */
function throwAway(socket: Socket): void {
  let bytes = 0;
  socket.removeAllListeners('data').on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > BYTES_MAX) socket.destroy();
  });
}
