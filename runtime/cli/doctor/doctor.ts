/** `rivulet doctor`: checks what a node needs, and the health of the running one. */
import type { LoadedConfig } from '../../config/config.js';
import { explain } from '../../contract/errors.js';
import { broken, type Check, type Finding, ok } from './finding.js';
import { grpcChecks } from './grpc.js';
import { httpChecks } from './http.js';
import { machineChecks } from './machine.js';
import { natsChecks } from './nats.js';
import { stateChecks } from './state.js';
import { EXIT } from '../exit.js';
import { type JsonOptions, settingsOf } from '../settings.js';

const MARKS = { ok: '✓', warning: '!', broken: '✗' } as const;

/** Returns the exit code. */
export async function doctor(options: JsonOptions): Promise<number> {
  const loaded = settingsOf(options);
  const results: { readonly check: string; readonly finding: Finding }[] = [];
  for (const check of checksFor(loaded)) {
    for (const finding of await findingsOf(check)) {
      results.push({ check: check.name, finding });
      if (options.json !== true) process.stdout.write(`${line(finding)}\n`);
    }
  }
  const isBroken = results.some(({ finding }) => finding.state === 'broken');
  if (options.json === true) {
    const checks = results.map(({ check, finding }) => ({ check, ...finding }));
    process.stdout.write(`${JSON.stringify({ ok: !isBroken, checks }, undefined, 2)}\n`);
  }
  return isBroken ? EXIT.failed : EXIT.ok;
}

function checksFor(loaded: LoadedConfig): Check[] {
  const { config, origins } = loaded;
  const file = [...origins.values()].find(({ kind }) => kind === 'file');
  const settings: Check = {
    name: 'configuration',
    run: async () =>
      ok(`configuration: ${file === undefined ? 'no file, ' : `${file.name}, `}data in ${config.dataDir}`),
  };
  return [
    ...[...machineChecks(config), settings, ...natsChecks(config), ...stateChecks(loaded)],
    ...[...grpcChecks(config), ...httpChecks(config)],
  ];
}

async function findingsOf(check: Check): Promise<readonly Finding[]> {
  try {
    const found = await check.run();
    return 'state' in found ? [found] : found;
  } catch (error) {
    return [broken(`${check.name}: ${explain(error)}`, 'see above')];
  }
}

function line({ state, message, fix }: Finding): string {
  return `${MARKS[state]} ${message}${fix === undefined ? '' : `\n    → ${fix}`}`;
}
