/** A repartition in a process of its own, which kills itself at some point on the way. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { ROOT } from '../guards/source-files.js';

interface Wanted {
  readonly partitions?: number;
  readonly chaining?: 'on' | 'off';
}

/** What is wanted, and settings of the configuration. */
export async function killedAt(
  point: string,
  cwd: string,
  { partitions, chaining, ...settings }: Wanted & { readonly dataDir: string } & Readonly<Record<string, unknown>>,
): Promise<void> {
  const url = (path: string): string => JSON.stringify(pathToFileURL(join(ROOT, 'dist', 'runtime', 'cli', path)).href);
  const script = `
    import { repartitionDeployment } from ${url('repartition/repartition.js')};
    import { deployedConfig } from ${url('state/deployed-config.js')};
    import { settingsOf } from ${url('settings.js')};
    const loaded = settingsOf(${JSON.stringify(settings)}, { logLevel: 'warn' });
    await repartitionDeployment({
      config: deployedConfig(loaded), wanted: ${JSON.stringify({ partitions, chaining })}, yes: true, onProgress: () => undefined,
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
