/** The log on JetStream: the contract, and what only a real server can do (NATS-LOG-1–NATS-LOG-3). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, it, vi } from 'vitest';
import { connectNats } from '../../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../../connectors/nats/log/log.js';
import { EnvelopeSchema } from '../../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { systemClock } from '../../../../runtime/contract/clock.js';
import { frameOf, frameType, partitionBy, rowsOf } from '../../../../runtime/frames/frame.js';
import { OutputLane, Outbox } from '../../../../runtime/actor/outbox.js';
import type { Log, LogMessage } from '../../../../runtime/contract/ports.js';
import type { OutputPosition } from '../../../../runtime/actor/output-position.js';
import { type LogBed, logContract, takeAll } from '../../../contracts/log-contract.js';
import { transformContract } from '../../../contracts/transform-contract.js';
import { frozen } from '../../../support/blows.js';
import { eventually } from '../../../support/eventually.js';
import { startTestNats, type TestNats } from '../../../support/nats.js';

const open = async (server: TestNats, name = 'test'): Promise<Log> =>
  openNatsLog(await connectNats({ url: server.url }, name));

const makeBed = async (): Promise<LogBed> => {
  const server = await startTestNats();
  const [log, other] = [await open(server), await open(server, 'test-other')];
  const connection = await connectNats({ url: server.url }, 'test-manager');
  const manager = await jetstreamManager(connection);
  return {
    ...{ log, other },
    deleteStream: async (name) => {
      await manager.streams.delete(name);
    },
    stop: async () => {
      await connection.close();
      await log.close();
      await other.close();
      await server.stop();
    },
  };
};

logContract('JetStream', makeBed);
transformContract('JetStream', makeBed);

const STREAM = { name: 'S', subjects: ['s.>'], bytesMax: 64 * 1024 * 1024, dropsOldest: false, replicas: 1 };

interface OneStream {
  readonly server: TestNats;
  readonly log: Log;
}

/** A server of its own with one stream; these tests wait for timeouts, so they wait side by side. */
const onServer = (work: (one: OneStream) => Promise<void>) => async (): Promise<void> => {
  const server = await startTestNats();
  const log = await open(server);
  await log.ensureStream(STREAM);
  try {
    await work({ server, log });
  } finally {
    await log.close();
    await server.stop();
  }
};

describe.concurrent('on a server', () => {
  const letter = (sequence: number): readonly [OutputPosition, Uint8Array] => {
    const tag = { first: sequence, sequence, part: 0, lastPart: true, inputsDigest: 0 };
    return [tag, toBinary(EnvelopeSchema, create(EnvelopeSchema, tag))];
  };
  const sequences = (messages: readonly LogMessage[]): number[] =>
    messages.map(({ data }) => fromBinary(EnvelopeSchema, data).sequence);

  it(
    'rows find the same partition as publishers’ messages: the server’s partition(n) is partitionBy',
    onServer(async ({ log }) => {
      const users = Array.from({ length: 300 }, (_, i) =>
        i % 3 === 0 ? `${i}` : i % 3 === 1 ? `user-${i * 7919}` : `ü${i}☂`,
      );
      const type = frameType('users', { user: 'text' });
      for (const n of [2, 4, 7]) {
        const transform = { from: 'in.*.*', to: `s.{{partition(${n},2)}}.{{wildcard(1)}}.{{wildcard(2)}}` };
        await log.ensureStream({ ...STREAM, subjects: ['s.>', 'in.>'], transform });
        const from = (await log.info('S')).lastSequence + 1;
        await Promise.all(users.map((user) => log.publish(`in.view.${user}`, new Uint8Array(0))));
        const stored = await takeAll(await log.read('S', { filters: ['s.>'], from }), users.length);
        const byServer = Array.from({ length: n }, (_, p) =>
          stored
            .filter(({ subject }) => subject.startsWith(`s.${p}.`))
            .map(({ subject }) => subject.slice(`s.${p}.view.`.length))
            .sort(),
        );
        const byUs = partitionBy(
          frameOf(
            type,
            users.map((user) => ({ user })),
          ),
          'user',
          n,
        );
        expect(byUs.map((frame) => (frame === undefined ? [] : rowsOf(frame).map(({ user }) => user!)).sort())).toEqual(
          byServer,
        );
        expect(byServer.every((own) => own.length > 0)).toBe(true);
      }
    }),
  );

  it(
    'that is killed, a line says each letter once and a reader hears each once, in order',
    onServer(async ({ server, log }) => {
      const lines = new Map<string, OutputLane>();
      const outbox = new Outbox(lines);
      const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
      const line = await OutputLane.open({
        ...{ log, clock: systemClock, logger, stream: 'S', subject: 's.a', signal: new AbortController().signal },
        onAcked: () => {
          outbox.wake();
        },
        onFailed: (error) => {
          outbox.fail(error);
        },
      });
      lines.set('s.a', line);
      const reader = await log.read('S', { filters: ['s.>'], from: 1 });
      const heard = takeAll(reader, 400);
      for (let round = 0; round < 2; round++) {
        for (let i = 1; i <= 200; i++) line.enqueue(...letter(round * 200 + i));
        await outbox.room(100, Infinity);
        if (round === 0) process.kill(server.pid, 'SIGKILL');
      }
      await outbox.settled();
      expect(sequences(await heard)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
      expect((await log.info('S')).lastSequence).toBe(400);
      await reader.close();
    }),
  );

  it.each(['deleted', 'made anew'])('a reader of a stream that is %s ends, rather than go on in another one', (how) =>
    onServer(async ({ server, log }) => {
      const reader = await log.read('S', { filters: ['s.>'], from: 1 });
      for (let i = 0; i < 3; i++) await log.publish('s.a', Uint8Array.of(i));
      await takeAll(reader, 3);
      const connection = await connectNats({ url: server.url }, 'test-manager');
      await (await jetstreamManager(connection)).streams.delete('S');
      await connection.close();
      if (how === 'made anew') {
        await log.ensureStream(STREAM);
        for (let i = 0; i < 9; i++) await log.publish('s.a', Uint8Array.of(i));
      }
      const taking = async (): Promise<void> => {
        for (;;) await reader.take(1);
      };
      await expect(taking()).rejects.toMatchObject({ reaction: 'transient', code: 'LOG_READ' });
    })(),
  );

  it(
    'a slow reader holds a bounded part of a long stream',
    onServer(async ({ log }) => {
      const data = new Uint8Array(64 * 1024);
      for (let at = 0; at < 400; at += 50)
        await Promise.all(Array.from({ length: 50 }, () => log.publish('s.a', data)));
      const before = process.memoryUsage().arrayBuffers;
      const reader = await log.read('S', { filters: ['s.>'], from: 1 });
      const first = await reader.take(1);
      await eventually(async () => expect((await reader.take(1)).length).toBe(1));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
      expect(first).toHaveLength(1);
      expect(await takeAll(reader, 398, 7)).toHaveLength(398);
      await reader.close();
    }),
  );

  it(
    'an answer that does not come in time is LOG_UNKNOWN, not a guess (NATS-LOG-1)',
    onServer(async ({ server, log }) => {
      const { pid } = server;
      await frozen(pid);
      const publishing = log.publish('s.a', new Uint8Array(1), { expected: 0 }).catch((error: unknown) => error);
      expect(await publishing).toMatchObject({ reaction: 'transient', code: 'LOG_UNKNOWN' });
      process.kill(pid, 'SIGCONT');
      await eventually(async () => expect(await log.last('S', 's.a')).toMatchObject({ sequence: 1 }));
      // On a slow machine the client has given the silent server up, and is just connecting anew.
      const again = (): Promise<unknown> => log.publish('s.a', new Uint8Array(1), { expected: 0 });
      await eventually(() => expect(again()).rejects.toMatchObject({ code: 'FENCED' }));
    }),
  );

  it(
    'that dies, what the API was asked is LOG_UNREACHABLE at once, not after its timeout',
    onServer(async ({ server, log }) => {
      await frozen(server.pid);
      const asked = [
        () => log.info('S'),
        () => log.last('S', 's.a'),
        () => log.purge('S', 's.a', 1),
        () => log.read('S', { filters: ['s.>'], from: 1 }),
      ];
      const answers = asked.map((ask) => ask().catch((error: unknown) => error));
      process.kill(server.pid, 'SIGKILL');
      for (const answer of await Promise.all(answers)) {
        expect(answer).toMatchObject({
          code: 'LOG_UNREACHABLE',
          message: expect.stringContaining('the connection to NATS broke'),
        });
      }
      await eventually(async () => expect(await log.info('S')).toMatchObject({ lastSequence: 0 }));
    }),
  );
});
