/** What the parser of Node cannot read, or would answer without a word: told as problem details too, written by hand, and the connection ends. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { type Fault } from '../../facade/errors/fault.js';
import { PROBLEM_TYPE, problemOf, Refused } from './problem.js';

const BROKEN: Fault = {
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

/** A client that is still sending would lose the answer if the connection were cut at once. */
const LINGER_MS = 500;

/** Those that were heard of; what still comes in on them is nothing new. */
const broken = new WeakSet<Socket>();

/** What Node has of a connection beside what it tells. */
interface BusySocket extends Socket {
  /** The answer that is being made. */
  readonly _httpMessage?: ServerResponse | null;
}

export function answerBroken(error: NodeJS.ErrnoException, socket: BusySocket): void {
  if (broken.has(socket)) return;
  broken.add(socket);
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refused = refusals[error.code ?? ''] ?? new Refused(BROKEN, 400);
  const underWay = socket._httpMessage ?? undefined;
  if (underWay === undefined || underWay.req.complete) writeInTurn(refused, socket);
  else if (!underWay.headersSent) {
    // It is in the body of this request: this is its answer, and there is no other.
    underWay.detachSocket(socket);
    write(refused, socket);
  } else if (underWay.writableEnded) underWay.once('close', () => socket.destroy());
  else socket.destroy();
}

/** After the answers to what came before it: it must not be taken for one of them. */
function writeInTurn(refused: Refused, socket: BusySocket): void {
  const underWay = socket._httpMessage ?? undefined;
  if (underWay === undefined) write(refused, socket);
  else underWay.once('close', () => writeInTurn(refused, socket));
}

/** What Node leaves to listeners, and does badly without: CONNECT, and what a client expects before it goes on. */
export function answerUnusual(server: Server): void {
  server.on('connect', (_: IncomingMessage, socket: Socket) => write(NO_TUNNELS, socket, ['allow: GET, HEAD, POST']));
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

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
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]), () => {
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
}
