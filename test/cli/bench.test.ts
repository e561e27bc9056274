/** The benches of the live path run, and print what they measure. No thresholds: figures are in test/bench/README.md. */
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ROOT } from '../guards/source-files.js';
import { startProgram, workingDirectory } from './run-cli.js';

const MAIN = join(ROOT, 'dist', 'test', 'bench', 'main.js');
const COST = ['eventsPerSecond', 'nodeMicros', 'serverMicros', 'loadMicros', 'messagesPerEvent', 'rowsPerEvent'];

const { cwd, remove } = workingDirectory();
afterAll(remove);

async function linesOf(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>[]> {
  const ended = await startProgram(cwd, process.execPath, [MAIN, ...args, '--json']).ended;
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  const lines = ended.stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

/** CPU is known where there is /proc. */
const isFigure = (value: unknown): boolean =>
  process.platform === 'linux' ? typeof value === 'number' && value >= 0 : value === null || typeof value === 'number';

it('bench live measures what an event costs, and how long it takes', async () => {
  const args = ['--rate', '200', '--partitions', '1', '--chaining', 'off,on', '--warm-up', '1', '--seconds', '3'];
  const lines = await linesOf('live', ...args);
  expect(lines).toMatchObject([
    { bench: 'live', rate: 200, partitions: 1, chaining: false },
    { bench: 'live', rate: 200, partitions: 1, chaining: true },
  ]);
  for (const line of lines) {
    for (const name of COST) expect(line[name], name).toSatisfy(isFigure);
    expect(Object.values(line['latencyMs'] as object)).toEqual(Array(4).fill(expect.any(Number)));
    expect(line['probes']).toBeGreaterThan(0);
  }
});

it('bench ingest measures new users, then the same ones again', async () => {
  const lines = await linesOf('ingest', '--users', '2000', '--partitions', '1', '--chaining', 'off');
  expect(lines).toMatchObject([
    { bench: 'ingest', users: 'new', events: 2_000 },
    { bench: 'ingest', users: 'returning', events: 2_000 },
  ]);
  for (const line of lines) for (const name of COST) expect(line[name], name).toSatisfy(isFigure);
});

it('a figure that is no number, and a chaining that there is not, are refused', async () => {
  for (const [args, refusal] of [
    [['--rate', 'fast'], '--rate takes numbers above 0, not fast'],
    [['--chaining', 'maybe'], '--chaining takes off and on, not maybe'],
  ] as const) {
    const ended = await startProgram(cwd, process.execPath, [MAIN, 'live', ...args]).ended;
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toContain(refusal);
  }
});
