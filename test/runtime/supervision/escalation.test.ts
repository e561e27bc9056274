/** Supervisors above one another: what fails for ever restarts the next larger thing, before the last one gives up. */
import { expect, it } from 'vitest';
import { fatal, transient } from '../../../runtime/contract/errors.js';
import type { Strategy } from '../../../runtime/supervision/strategy.js';
import { type ChildSpec, type Life, Supervisor } from '../../../runtime/supervision/supervisor.js';
import { SILENT } from '../tuning.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

const STRATEGY: Strategy = { restartsMax: 1, windowMs: 60_000, backoffFirstMs: 10, backoffMaxMs: 100 };

/** thread → shard → instance, each supervised by the one before; `work` is what the instance does. */
function tree(work: () => Promise<void>) {
  const clock = new VirtualClock();
  const started: string[] = [];
  const failures: Error[] = [];
  const supervisorOf = (onEscalated: (error: Error) => void) => new Supervisor({ clock, logger: SILENT, onEscalated });
  const spec = (level: ChildSpec['level'], start: () => Life): ChildSpec => ({
    ...{ level, name: level, strategy: STRATEGY },
    start: () => {
      started.push(level);
      return Promise.resolve(start());
    },
  });
  const above = (child: ChildSpec) => (): Life => {
    let fail: (error: Error) => void = () => undefined;
    const ended = new Promise<void>((_, reject) => (fail = reject));
    const below = supervisorOf((error) => fail(error)).start(child);
    below.ended.catch(() => undefined);
    return { ended, stop: () => below.stop() };
  };
  const instance = spec('instance', () => ({ ended: work(), stop: () => Promise.resolve() }));
  const shard = spec('shard', above(instance));
  const node = supervisorOf((error) => failures.push(error));
  const thread = node.start(spec('thread', above(shard)));
  thread.ended.catch(() => undefined);
  return { clock, started, failures, thread, node };
}

it('an instance that fails for ever restarts its shard, then its thread; then the node gives up with its error', async () => {
  const { clock, started, failures, node } = tree(() => Promise.reject(new Error('boom')));
  await until(clock, () => failures.length > 0);
  const shard = ['shard', 'instance', 'instance'];
  expect(started).toEqual([...['thread', ...shard, ...shard], ...['thread', ...shard, ...shard]]);
  expect(failures.map(({ message }) => message)).toEqual(['boom']);
  expect(node.statuses).toMatchObject([{ level: 'thread', state: 'failed', restarts: 1, lastError: 'Error: boom' }]);
});

it('a fatal error goes to the top at once: no restart mends it', async () => {
  const error = fatal('LOG_BEHIND', 'rolled back');
  const { started, failures } = tree(() => Promise.reject(error));
  await settled();
  expect([started, failures]).toEqual([['thread', 'shard', 'instance'], [error]]);
});

it('transient failures never escalate', async () => {
  const { clock, started, failures } = tree(() => Promise.reject(transient('LOG_UNREACHABLE', 'for a moment')));
  await until(clock, () => started.length > 50);
  expect(failures).toEqual([]);
  expect(started.filter((level) => level !== 'instance')).toEqual(['thread', 'shard']);
});

it('a stop ends a pause before a restart (SUPERVISOR-4)', async () => {
  const clock = new VirtualClock();
  const supervisor = new Supervisor({ clock, logger: SILENT, onEscalated: () => undefined });
  let starts = 0;
  const child = supervisor.start({
    ...{ level: 'thread', name: 'worker-0', strategy: STRATEGY },
    start: () => Promise.resolve({ ended: Promise.reject(new Error(`${++starts}`)), stop: () => Promise.resolve() }),
  });
  await settled();
  expect(child.status.state).toBe('backoff');
  await child.stop();
  await child.ended;
  expect([starts, clock.sleeping, child.status.state]).toEqual([1, 0, 'stopped']);
});

it('a life that opens while its child is being stopped is stopped as well (SUPERVISOR-4)', async () => {
  const clock = new VirtualClock();
  const supervisor = new Supervisor({ clock, logger: SILENT, onEscalated: () => undefined });
  let open: (life: Life) => void = () => undefined;
  const child = supervisor.start({
    ...{ level: 'shard', name: 'user-0', strategy: STRATEGY },
    start: () => new Promise<Life>((resolve) => (open = resolve)),
  });
  await child.stop();
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  open({ ended, stop: () => Promise.resolve(end()) });
  await child.ended;
  expect(supervisor.statuses).toEqual([]);
});
