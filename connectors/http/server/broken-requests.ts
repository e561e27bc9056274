/** Requests that Node's parser rejects, or would answer without a body: answered with problem details too, and the connection is closed. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { type ApiError } from '../../facade/errors/fault.js';
import type { LateBodies } from './late-bodies.js';
import { PROBLEM_TYPE, problemOf, Refused } from './problem.js';

const BROKEN: ApiError = {
  code: 'INVALID_ARGUMENT',
  message: 'this is no HTTP request that can be read (is it TLS, to a port without it?)',
  reason: 'MALFORMED_REQUEST',
};

const refusals: Readonly<Record<string, Refused>> = {
  HPE_HEADER_OVERFLOW: new Refused(
    { ...BROKEN, message: 'the headers are too long', reason: 'HEADERS_TOO_LARGE' },
    431,
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new Refused(
    { code: 'DEADLINE_EXCEEDED', message: 'the request was not complete in time', reason: 'REQUEST_TOO_SLOW' },
    408,
  ),
};

const NO_TUNNELS = new Refused({ ...BROKEN, message: 'this is no proxy', reason: 'METHOD_NOT_ALLOWED' }, 405);

/** A client that is still sending would lose the response if the connection were cut at once. */
const LINGER_MS = 500;

/** The last request of a connection: only that one can be incomplete, and its response follows all others. */
interface LastRequest {
  readonly response: ServerResponse;
  /** Absent when it is sent: then the request can be freed, since connections may be idle for long. */
  reply?: FastifyReply | undefined;
  endsConnection: boolean;
}

export class BrokenRequests {
  private readonly last = new WeakMap<Socket, LastRequest>();
  /** Connections with a reported error; further errors on them are ignored. */
  private readonly broken = new WeakSet<Socket>();

  /** `refuse`: sends the refusal as for any other request. */
  constructor(
    private readonly refuse: (reply: FastifyReply, refused: Refused) => void,
    private readonly late: LateBodies,
  ) {}

  /** Call for each incoming request; false: the response before it closes the connection, so that this one gets none. */
  admits(reply: FastifyReply): boolean {
    const { socket } = reply.request.raw;
    if (this.last.get(socket)?.endsConnection === true) return false;
    this.last.set(socket, { response: reply.raw, reply, endsConnection: false });
    return true;
  }

  /** Call for each response, before it is sent. */
  answered(reply: FastifyReply): void {
    const last = this.last.get(reply.request.raw.socket);
    if (last?.reply !== reply) return;
    last.reply = undefined;
    last.endsConnection = reply.getHeader('connection') === 'close';
  }

  readonly onError = (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (this.broken.has(socket)) return;
    this.broken.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const refused = refusals[error.code ?? ''] ?? new Refused(BROKEN, 400);
    const { response, reply } = this.last.get(socket) ?? {};
    if (response === undefined || response.writableFinished) write(refused, socket);
    // After the responses to earlier requests: it must not be mistaken for one of them.
    else if (response.req.complete) response.once('close', () => write(refused, socket));
    else if (reply !== undefined && !reply.sent) {
      // The error is in the body of this request: this is its only response.
      this.refuse(reply.header('connection', 'close'), refused);
      reply.hijack();
      cutSoon(socket);
    } else if (response.writableEnded || this.late.end(response)) response.once('close', () => socket.destroy());
    else socket.destroy();
  };
}

/** Events that Node leaves to listeners and handles badly without: CONNECT, and unknown `expect` headers. */
export function answerUnusual(server: Server): void {
  server.on('connect', (_: IncomingMessage, socket: Socket) => write(NO_TUNNELS, socket, ['allow: GET, HEAD, POST']));
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

/** Written directly: a request that could not be parsed has no response object. */
function write(refused: Refused, socket: Socket, headers: readonly string[] = []): void {
  if (!socket.writable) return;
  const requestId = randomUUID();
  const problem = problemOf(refused, '', requestId);
  const body = Buffer.from(JSON.stringify(problem));
  const head = [
    `HTTP/1.1 ${refused.status} ${problem.title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${body.length}`,
    `x-request-id: ${requestId}`,
    ...headers,
    'connection: close',
  ];
  socket.on('error', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]), () => cutSoon(socket));
}

function cutSoon(socket: Socket): void {
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
