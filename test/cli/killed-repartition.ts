/** A repartition in a process of its own, which kills itself at some point on the way. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { ROOT } from '../guards/source-files.js';

/** `settings`: of the configuration, with the number of partitions that is wanted. */
export async function killedAt(
  point: string,
  cwd: string,
  settings: { readonly dataDir: string; readonly partitions: number } & Readonly<Record<string, unknown>>,
): Promise<void> {
  const url = (path: string): string => JSON.stringify(pathToFileURL(join(ROOT, 'dist', 'runtime', 'cli', path)).href);
  const script = `
    import { repartitionDeployment } from ${url('repartition/repartition.js')};
    import { nodeOptions } from ${url('node/node-options.js')};
    import { settingsOf } from ${url('settings.js')};
    const { config } = settingsOf(${JSON.stringify(settings)}, { logLevel: 'warn' });
    await repartitionDeployment({
      options: nodeOptions(config), yes: true, onProgress: () => undefined,
      at: (point) => point === ${JSON.stringify(point)} && process.kill(process.pid, 'SIGKILL'),
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  expect([point, signal, said]).toEqual([point, 'SIGKILL', said]);
}
