/** The hold of a backup, against the shared table's double and a clock in hand. */
import { beforeEach, expect, it } from 'vitest';
import { Hold } from '../../../runtime/cli/backup/hold.js';
import { bytesOf, HOLD_KEY, holdIn, type Membership } from '../../../runtime/cluster/entries.js';
import { transient } from '../../../runtime/contract/errors.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

const TTL_MS = 4_000;
const NEVER = new AbortController().signal;

let clock: VirtualClock;
let nodes: MemoryKeyValue;

beforeEach(() => {
  clock = new VirtualClock();
  nodes = new MemoryKeyValue({ nowMs: () => clock.nowMs(), ttlMs: TTL_MS });
});

const present = (node: string, hold?: string): Promise<number> => {
  const entry: Membership = {
    name: 'host',
    process: 'p',
    startedAtMs: 1,
    grpc: undefined,
    standbyOf: [],
    draining: false,
    hold,
  };
  return nodes.put(node, bytesOf(entry));
};
const token = async (): Promise<string | undefined> => holdIn(await nodes.entries());
const take = (name: string): Promise<Hold> => Hold.take({ nodes, ttlMs: TTL_MS }, clock, name);

it('is one at a time, stays while it is renewed, and is taken back', async () => {
  const hold = await take('a');
  await expect(take('b')).rejects.toMatchObject({ code: 'BACKUP_RUNS' });
  const startedMs = clock.nowMs();
  await until(clock, () => clock.nowMs() - startedMs > 5 * TTL_MS);
  expect(await token()).toBe('a');
  hold.mustHold();
  await hold.release();
  expect(await token()).toBeUndefined();
  await (await take('b')).release();
});

it('waits for every live node, and names the one that does not answer', async () => {
  await present('n1', 'a');
  await present('n2');
  const hold = await take('a');
  let done = false;
  const waiting = hold.acknowledged(3_000, NEVER).then(() => (done = true));
  await until(clock, () => clock.sleeping === 2);
  expect(done).toBe(false);
  await present('n2', 'a');
  await until(clock, () => done);
  await waiting;

  await present('n1', 'a');
  await present('n3', 'of another backup');
  let failure: unknown;
  void hold.acknowledged(3_000, NEVER).catch((error: unknown) => (failure = error));
  await until(clock, () => failure !== undefined);
  expect(failure).toMatchObject({
    code: 'BACKUP_NODE_SILENT',
    message: expect.stringMatching(/3 s from n3 \(host\)$/),
  });
  await hold.release();
});

it('says when it was lost: NATS unreachable for too long, or somebody took it', async () => {
  const away = await take('a');
  const { put } = nodes;
  nodes.put = () => Promise.reject(transient('LOG_UNREACHABLE', 'away'));
  const startedMs = clock.nowMs();
  await until(clock, () => clock.nowMs() - startedMs >= TTL_MS);
  expect(() => away.mustHold()).toThrow(expect.objectContaining({ code: 'BACKUP_HOLD_LOST' }));
  nodes.put = put;
  await away.release();

  const taken = await take('b');
  await nodes.put(HOLD_KEY, bytesOf({ token: 'c' }));
  await until(clock, () => clock.sleeping === 0);
  await settled();
  expect(() => taken.mustHold()).toThrow(expect.objectContaining({ code: 'BACKUP_HOLD_LOST' }));
  await taken.release();
  // It is somebody else's.
  expect(await token()).toBe('c');
});

it('goes on where the answer to a renewal was lost', async () => {
  const hold = await take('a');
  const { put } = nodes;
  let lost = 0;
  nodes.put = async (...args) => {
    await put.apply(nodes, args);
    lost++;
    throw transient('LOG_UNKNOWN', 'no answer');
  };
  await until(clock, () => lost === 1);
  nodes.put = put;
  const startedMs = clock.nowMs();
  await until(clock, () => clock.nowMs() - startedMs > 2 * TTL_MS);
  hold.mustHold();
  await hold.release();
  expect(await token()).toBeUndefined();
});
