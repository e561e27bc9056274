/** What the parser of Node cannot read: told as problem details too, written by hand, and the connection ends. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Fault } from '../facade/fault.js';
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

export function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refused = refusals[error.code ?? ''] ?? new Refused(BROKEN, 400);
  const requestId = randomUUID();
  const problem = problemOf(refused, '', requestId);
  const body = Buffer.from(JSON.stringify(problem));
  const head = [
    `HTTP/1.1 ${refused.status} ${problem.title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${body.length}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}
