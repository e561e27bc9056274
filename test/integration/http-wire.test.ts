/** What comes over a socket that is no proper request, or is one in an unusual way: each gets an answer that says what is wrong. */
import { describe, expect, it } from 'vitest';
import { deferred } from '../connectors/grpc/facade.js';
import { connected, httpFacade, type HttpFacade, problemOf, RECOMMENDED } from '../connectors/http/http-facade.js';
import { rawAnswers } from '../connectors/http/raw-answers.js';
import { hearer } from '../connectors/grpc/issuer.js';

const CLOSE = 'connection: close\r\n\r\n';
const JSON_TYPE = 'content-type: application/json\r\n';
const HEAD = 'host: localhost\r\n';

/** The requests that were told as begun have all been told as ended. */
async function balanced({ began, requests }: HttpFacade): Promise<void> {
  await expect.poll(() => began.length - requests.length).toBe(0);
  expect(requests.map(({ route }) => route).sort()).toEqual([...began].sort());
}

describe('what is no request that can be read', () => {
  it.each([
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, /no HTTP request/],
    ['an unknown method', `FETCH / HTTP/1.1\r\n${HEAD}${CLOSE}`, 400, /no HTTP request/],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, /no HTTP request/],
    ['a header with no name', `GET / HTTP/1.1\r\n${HEAD}: x\r\n${CLOSE}`, 400, /no HTTP request/],
    [
      'two lengths',
      `POST /events HTTP/1.1\r\n${HEAD}content-length: 1\r\ncontent-length: 2\r\n${CLOSE}`,
      400,
      /no HTTP/,
    ],
    [
      'a chunk of no length',
      `POST /events HTTP/1.1\r\n${HEAD}${JSON_TYPE}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      400,
      /no HTTP/,
    ],
    ['long headers', `GET / HTTP/1.1\r\n${HEAD}x: ${'y'.repeat(20_000)}\r\n${CLOSE}`, 431, /headers are too long/],
    ['no path', `GET * HTTP/1.1\r\n${HEAD}${CLOSE}`, 400, /no path/],
    ['two hosts', `GET / HTTP/1.1\r\n${HEAD}Host: evil.example\r\n${CLOSE}`, 400, /host is given twice/],
    ['no host', `GET / HTTP/1.1\r\n${CLOSE}`, 400, /header host is missing/],
    ['a tunnel', `CONNECT example.com:443 HTTP/1.1\r\n${HEAD}\r\n`, 405, /no proxy/],
  ])('%s is told so', async (_, bytes, status, detail) => {
    const facade = await httpFacade();
    const [answer, ...others] = rawAnswers(await facade.sendRaw(bytes));
    expect(others).toEqual([]);
    expect(problemOf(answer!, status).detail).toMatch(detail);
    expect(answer!.headers['connection']).toBe('close');
    await balanced(facade);
    expect((await facade.ask('/health')).status).toBe(200);
  });

  it('HTTP/1.0 needs no host, also after who has named one', async () => {
    const facade = await httpFacade();
    expect((await facade.ask('/reco/512')).status).toBe(200);
    const [answer] = rawAnswers(await facade.sendRaw('GET /reco/512 HTTP/1.0\r\n\r\n'));
    expect(answer!.status).toBe(200);
  });

  it('after a request that is being answered waits for that answer, or ends it: it never takes its place', async () => {
    const slow = deferred<typeof RECOMMENDED>();
    const facade = await httpFacade({ answers: { get: () => slow.promise } });
    const text = facade.sendRaw(`GET /reco/512 HTTP/1.1\r\n${HEAD}\r\n\x00\x01\r\n\r\n`);
    await expect.poll(() => facade.began).toHaveLength(1);
    slow.resolve(RECOMMENDED);
    const answers = rawAnswers(await text);
    expect(answers.map(({ status }) => status)).toEqual([200, 400]);
    await balanced(facade);
  });

  it('in the body of a request behind one that is being answered is told in its turn', async () => {
    const slow = deferred<typeof RECOMMENDED>();
    const facade = await httpFacade({ answers: { get: () => slow.promise } });
    const broken = `POST /events HTTP/1.1\r\n${HEAD}${JSON_TYPE}x-request-id: r2\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`;
    const text = facade.sendRaw(`GET /reco/512 HTTP/1.1\r\n${HEAD}\r\n`, broken);
    await expect.poll(() => facade.began).toHaveLength(2);
    slow.resolve(RECOMMENDED);
    const answers = rawAnswers(await text);
    expect(answers.map(({ status }) => status)).toEqual([200, 400]);
    expect(problemOf(answers[1]!, 400)).toMatchObject({ instance: '/events', request_id: 'r2' });
    await balanced(facade);
  });
});

describe('a request that is not complete in time', () => {
  it.each([
    ['its headers', `GET / HTTP/1.1\r\n${HEAD}`],
    ['its body', `POST /events HTTP/1.1\r\n${HEAD}content-type: application/json\r\ncontent-length: 10\r\n\r\n{`],
  ])('for %s gets 408', async (_, bytes) => {
    const facade = await httpFacade({ limits: { requestMsMax: 100 } });
    const [answer] = rawAnswers(await facade.sendRaw(bytes));
    expect(problemOf(answer!, 408)).toMatchObject({ reason: 'REQUEST_TOO_SLOW' });
    await balanced(facade);
  });
});

describe('a request in an unusual way', () => {
  it.each([
    ['by HTTP/1.0', 'GET /trending HTTP/1.0\r\n\r\n', 200],
    ['by the whole URL', `GET http://example.com/trending?n=1 HTTP/1.1\r\n${HEAD}${CLOSE}`, 200],
    ['by the whole URL, with a wrong method', `PUT http://example.com/trending HTTP/1.1\r\n${HEAD}${CLOSE}`, 405],
    ['with a slash at the end', `GET /reco/512/ HTTP/1.1\r\n${HEAD}${CLOSE}`, 200],
    ['with a body that GET has no use for', `GET /trending HTTP/1.1\r\n${HEAD}content-length: 3\r\n${CLOSE}abc`, 200],
    [
      'with a chunked body that GET has no use for',
      `GET /trending HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n${CLOSE}3\r\nabc\r\n0\r\n\r\n`,
      200,
    ],
    ['that would rather be a WebSocket', `GET /health HTTP/1.1\r\n${HEAD}upgrade: websocket\r\n${CLOSE}`, 200],
    ['for options of all', `OPTIONS * HTTP/1.1\r\n${HEAD}${CLOSE}`, 404],
    ['TRACE', `TRACE / HTTP/1.1\r\n${HEAD}${CLOSE}`, 405],
    [
      'that waits before it sends its body',
      `POST /events HTTP/1.1\r\n${HEAD}expect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 2\r\n${CLOSE}{}`,
      400,
    ],
  ])('%s is answered', async (_, bytes, status) => {
    const facade = await httpFacade();
    const answers = rawAnswers(await facade.sendRaw(bytes));
    expect(answers.map((answer) => answer.status)).toEqual([status]);
    expect(answers[0]!.headers['x-request-id']).toBeTruthy();
    if (status >= 400) problemOf(answers[0]!, status);
    await balanced(facade);
  });

  it('many at once on a connection are answered in their order', async () => {
    const facade = await httpFacade();
    const paths = ['/trending?n=1', '/nothing', '/reco/%zz', '/reco/512', '/reco/1?n=0', '/health'];
    const bytes = paths.map((path, i) => {
      const isLast = i === paths.length - 1;
      return `GET ${path} HTTP/1.1\r\n${HEAD}x-request-id: r${i}\r\n${isLast ? CLOSE : '\r\n'}`;
    });
    const answers = rawAnswers(await facade.sendRaw(bytes.join('')));
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 200, 400, 200]);
    expect(answers.map(({ headers }) => headers['x-request-id'])).toEqual(paths.map((_, i) => `r${i}`));
    await balanced(facade);
  });
});

describe('a body that is too long', () => {
  const LONG = 2 ** 20;

  it.each(['content-length', 'chunks'])('is refused while it is still being sent, by its %s', async (by) => {
    const facade = await httpFacade({ limits: { bodyBytesMax: 1_000 } });
    const { port } = facade;
    const socket = await connected(port);
    const came: Buffer[] = [];
    socket.on('data', (part: Buffer) => came.push(part));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => socket.destroy());
    const length = by === 'chunks' ? 'transfer-encoding: chunked' : `content-length: ${LONG}`;
    socket.write(`POST /events HTTP/1.1\r\n${HEAD}content-type: application/json\r\n${length}\r\n\r\n`);
    const part = 'x'.repeat(LONG / 16);
    const sending = setInterval(() => {
      if (socket.writable) socket.write(by === 'chunks' ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
    }, 1);
    await expect.poll(() => Buffer.concat(came).toString()).toContain('\r\n\r\n{');
    clearInterval(sending);
    const [answer] = rawAnswers(Buffer.concat(came).toString());
    expect(problemOf(answer!, 413).reason).toBe('REQUEST_TOO_LARGE');
    await balanced(facade);
    socket.destroy();
    await ended;
  });
});

describe('a client that leaves', () => {
  it.each([
    [
      'before its body is whole',
      `POST /events HTTP/1.1\r\n${HEAD}content-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
    ],
    ['before its answer is made', `GET /reco/512 HTTP/1.1\r\n${HEAD}\r\n`],
    ['a stream', `GET /trending/stream HTTP/1.1\r\n${HEAD}\r\n`],
    ['several requests', `GET /reco/512 HTTP/1.1\r\n${HEAD}\r\n`.repeat(3)],
  ])('%s is counted as gone, and is no fault of ours', async (_, bytes) => {
    const { lines, logger } = hearer();
    const slow = deferred<typeof RECOMMENDED>();
    const facade = await httpFacade({ answers: { get: () => slow.promise }, logger });
    const socket = await connected(facade.port);
    socket.write(bytes);
    await expect.poll(() => facade.began.length).toBeGreaterThan(0);
    socket.destroy();
    await facade.ask('/health');
    slow.resolve(RECOMMENDED);
    await balanced(facade);
    expect(facade.requests.filter(({ status }) => status >= 500)).toEqual([]);
    expect(lines).toEqual([]);
  });
});
