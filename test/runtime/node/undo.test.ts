/** A start that fails: what it has begun is ended, and its own error is told, whatever else goes wrong. */
import type { Worker } from 'node:worker_threads';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { claimIdentity } from '../../../runtime/node/cluster.js';
import { startNode } from '../../../runtime/node/node.js';
import { Undo } from '../../../runtime/node/undo.js';

it('the last step is undone first, and one that fails is logged and keeps none from being undone', async () => {
  const done: string[] = [];
  const logged: string[] = [];
  const note = (_: object, message: string): void => void logged.push(message);
  const undo = new Undo();
  undo.add('the first', async () => done.push('first'));
  undo.add('the second', () => Promise.reject(new Error('stuck')));
  undo.add('the third', async () => done.push('third'));
  undo.add('the fourth', () => {
    throw new Error('stuck at once');
  });
  await undo.run({ debug: note, info: note, warn: note, error: note });
  expect(done).toEqual(['third', 'first']);
  expect(logged).toEqual([
    'the start has failed, and the fourth cannot be ended',
    'the start has failed, and the second cannot be ended',
  ]);
});

it('the error of a start is told, also when what it has begun cannot be ended; the data directory is free again', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'rivulet-undo-'));
  try {
    const { config } = loadConfig({ env: {}, flags: [{ key: 'dataDir', value: dataDir, bySet: false }] });
    const worker = {
      postMessage: () => {
        throw new Error('the thread takes no message');
      },
      terminate: () => Promise.reject(new Error('the thread cannot be ended')),
    } as unknown as Worker;
    const options = { ...nodeOptions(config), logLevel: 'silent', onProgress: () => undefined };
    await expect(startNode(options, [worker])).rejects.toThrow('the thread takes no message');
    await (await claimIdentity(dataDir)).release();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
