/** How a node that is told to stop, or fails, ends: what the exit code and the error say. */
import { expect, it, vi } from 'vitest';
import { EXIT } from '../../../runtime/cli/exit.js';
import { runNode } from '../../../runtime/cli/node/live-run.js';
import type { RunningNode } from '../../../runtime/node/node.js';

function nodeThat(stop: (fail: (error: Error) => void) => Promise<readonly string[]>) {
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (fail = resolve));
  const node = { failed, stop: () => stop(fail) } as unknown as RunningNode;
  return { node, fail };
}

const untilAborted = (_: RunningNode, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()));

const run = (node: RunningNode, live = untilAborted): Promise<number> =>
  runNode(
    () => Promise.resolve(node),
    live,
    () => undefined,
  );

const told = (): void => void setImmediate(() => process.emit('SIGTERM'));
const LATER = new Error('the store was closed');

it('a stop that is cut short says what is missing, not what fails for it', async () => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const { node } = nodeThat(async (fail) => {
    fail(LATER);
    return ['the last snapshot of view-1'];
  });
  told();
  expect(await run(node)).toBe(EXIT.unfinished);
  expect(written.mock.calls.join()).toContain('Not finished: the last snapshot of view-1');
});

it('what fails in a stop that finishes is told', async () => {
  const { node } = nodeThat(async (fail) => {
    fail(LATER);
    return [];
  });
  told();
  await expect(run(node)).rejects.toBe(LATER);
});

it('what ends a node is told, whatever its stop could not finish', async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const { node, fail } = nodeThat(async () => ['the lease of user-0']);
  const ending = run(node);
  fail(LATER);
  await expect(ending).rejects.toBe(LATER);
});
