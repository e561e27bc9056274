/** Bodies that are too long, from clients that write all of it before they read, over real sockets: the answer is not lost, and nothing stays. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connected, httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { rawAnswers } from '../connectors/http/raw-answers.js';
import { eventually } from '../support/eventually.js';

const HEAD = 'POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
const sized = (bytes: number): Buffer[] => [
  Buffer.from(`${HEAD}content-length: ${bytes}\r\n\r\n`),
  Buffer.alloc(bytes, 'x'),
];
const chunked = (bytes: number): Buffer[] => [
  Buffer.from(`${HEAD}transfer-encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n`),
  Buffer.alloc(bytes, 'x'),
  Buffer.from('\r\n0\r\n\r\n'),
];
const MIB = 2 ** 20;

/** All of it into the system's hands; rejects when the connection ends before that. */
const written = (socket: Socket, parts: readonly Uint8Array[]): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(Buffer.concat(parts), (error) => (error ? reject(error) : resolve()));
  });

async function readToEnd(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** A body that never ends. */
function pourInto(socket: Socket): void {
  const block = Buffer.alloc(MIB, 'x');
  const pour = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', pour);
  pour();
}

describe('a body that is too long', () => {
  it.each([
    ['by a byte', sized(4 * MIB + 1)],
    ['8 MB', sized(8_000_000)],
    ['30 MB', sized(30_000_000)],
    ['8 MB, of a length that was not said', chunked(8_000_000)],
    ['8 MB, with another request after it, which is nothing any more', [...sized(8_000_000), ...sized(2)]],
  ])('is refused to who writes all of it before it reads: %s', async (_, parts) => {
    const { port, began, requests } = await httpFacade();
    const socket = await connected(port);
    await written(socket, parts);
    const answers = rawAnswers(await readToEnd(socket));
    expect(answers).toHaveLength(1);
    expect(problemOf(answers[0]!, 413).reason).toBe('REQUEST_TOO_LARGE');
    expect(answers[0]!.headers['connection']).toBe('close');
    expect(began).toHaveLength(1);
    expect(requests).toMatchObject([{ status: 413 }]);
  });

  it('is not read for ever: so many bytes, and the connection is cut', async () => {
    const { port } = await httpFacade({ limits: { requestMsMax: 300_000 } });
    const socket = await connected(port);
    socket.on('error', () => undefined);
    socket.write(`${HEAD}content-length: ${2 ** 40}\r\n\r\n`);
    pourInto(socket);
    await eventually(() => expect(socket.destroyed).toBe(true));
    expect(socket.bytesWritten).toBeGreaterThan(32 * MIB);
  });

  it('nor for longer than a request may take', async () => {
    const { port } = await httpFacade({ limits: { requestMsMax: 300 } });
    const socket = await connected(port);
    socket.on('error', () => undefined);
    // It neither sends nor ends.
    socket.allowHalfOpen = true;
    socket.resume();
    socket.write(`${HEAD}content-length: ${8 * MIB}\r\n\r\n`);
    await eventually(() => {
      // Who writes to a connection that is cut hears of it.
      if (!socket.destroyed) socket.write('x');
      expect(socket.destroyed).toBe(true);
    });
  });

  it('holds up no stop', async () => {
    const { port, server } = await httpFacade({ limits: { requestMsMax: 300_000 } });
    const socket = await connected(port);
    socket.on('error', () => undefined);
    socket.allowHalfOpen = true;
    socket.write(`${HEAD}content-length: ${8 * MIB}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('HTTP/1.1 413 ');
    // A deadline that the test would not live to see.
    await server.stop(600_000);
  });
});
