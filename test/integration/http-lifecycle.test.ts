/** How the HTTP façade starts and stops. */
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ANSWER, deferred } from '../connectors/grpc/facade.js';
import { hearer } from '../connectors/grpc/issuer.js';
import { ask, asking, connected, httpFacade, RECOMMENDED } from '../connectors/http/http-facade.js';
import { StreamReader } from '../connectors/http/stream-reader.js';

describe('a start', () => {
  it('at a port that is taken says so, and what to change', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    await expect(httpFacade({ port })).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'HTTP_PORT_TAKEN', message: expect.stringContaining(`127.0.0.1:${port}`) },
      hint: expect.stringContaining('--http-port'),
    });
  });

  it('at an address that is not of this machine says so', async () => {
    await expect(httpFacade({ host: '192.0.2.1' })).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'HTTP_BIND_FAILED', hint: expect.stringContaining('httpHost') },
    });
    await expect(httpFacade({ host: 'no such host' })).rejects.toMatchObject({ code: 'HTTP_BIND_FAILED' });
  });

  it('for other machines that asks nobody who it is is told in the log', async () => {
    const { lines, logger } = hearer();
    await httpFacade({ host: '0.0.0.0', logger });
    expect(lines.join()).toMatch(/can read recommendations and send events/);
  });
});

describe('a stop', () => {
  it('ends streams, answers what is under way, takes nothing new, and is over then', async () => {
    const slow = deferred<typeof RECOMMENDED>();
    const { server, port, began, requests } = await httpFacade({ answers: { get: () => slow.promise } });
    const stream = await StreamReader.open(port);
    const idle = await connected(port);
    const gone = new Promise((resolve) => idle.once('close', resolve));
    const request = asking(port, '/reco/512');
    await expect.poll(() => began).toHaveLength(2);
    let isOver = false;
    // A deadline that the test would not live to see.
    const stopped = server.stop(600_000).then(() => (isOver = true));
    await stream.ended;
    await gone;
    await expect(ask(port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(isOver).toBe(false);
    slow.resolve({ ...RECOMMENDED, ...ANSWER });
    const answer = await request;
    expect(answer.statusCode).toBe(200);
    answer.resume();
    await stopped;
    expect(requests).toHaveLength(2);
  });

  it('cuts what does not end at its deadline', async () => {
    const never = deferred<typeof RECOMMENDED>();
    const { server, port, began, requests } = await httpFacade({ answers: { get: () => never.promise } });
    const request = asking(port, '/reco/512').catch((error: unknown) => error);
    const reader = await StreamReader.open(port);
    reader.message.pause();
    await expect.poll(() => began).toHaveLength(2);
    await server.stop(50);
    expect(await request).toMatchObject({ code: 'ECONNRESET' });
    never.resolve(RECOMMENDED);
    await expect.poll(() => requests).toHaveLength(2);
  });

  it('may be asked for twice, and before anybody came', async () => {
    const { server } = await httpFacade();
    await Promise.all([server.stop(1_000), server.stop(1_000)]);
    await server.stop(1_000);
  });
});

describe('a thousand clients that come and go', () => {
  it('leave nothing behind: no socket, no timer, no subscriber', async () => {
    const { port, server, began, requests } = await httpFacade();
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap' || one === 'Timeout').length;
    const round = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const some = Array.from({ length: 25 }, async (_, client) => {
          if (client % 5 === 0) (await StreamReader.open(port)).message.destroy();
          else if (client % 5 === 1) (await connected(port)).destroy();
          else await ask(port, client % 2 === 0 ? '/reco/512' : '/nothing');
        });
        await Promise.all(some);
      }
      await expect.poll(() => server.trendingCounts().subscribers).toBe(0);
      await expect.poll(() => began.length - requests.length).toBe(0);
    };
    await round();
    const before = handles();
    await round();
    await expect.poll(handles).toBeLessThanOrEqual(before + 2);
    expect(requests.filter(({ status }) => status >= 500)).toEqual([]);
  });
});
