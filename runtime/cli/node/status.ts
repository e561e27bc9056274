/** `rivulet status`: the supervision tree of a running node. */
import type { StatusReport } from '../../../connectors/http/routes/status-report.js';
import type { JsonOptions } from '../settings.js';
import { duration, grouped, harmless, instant, shortened, table } from '../terminal.js';
import { nodeStatus } from './node-status.js';

const ERROR_CHARACTERS_MAX = 100;

type Report = Pick<StatusReport, 'node' | 'version' | 'now' | 'started_at' | 'serving' | 'reasons' | 'supervision'>;

export async function status(options: JsonOptions): Promise<void> {
  const report = await (await nodeStatus(options))();
  process.stdout.write(`${options.json === true ? JSON.stringify(report, undefined, 2) : statusText(report)}\n`);
}

interface Part {
  readonly name: string;
  readonly level: string;
  readonly state: string;
  readonly since?: string | undefined;
  readonly restarts: number;
  readonly last_error?: string | undefined;
  readonly parts: readonly Part[];
}

export function statusText(report: Report): string {
  const { version, node, now, started_at: startedAt, serving, reasons } = report;
  const state = serving ? 'serving' : `not serving: ${reasons.map(harmless).join('; ')}`;
  const rowOf = (part: Part, prefix: string): string[] => [
    `${prefix}${harmless(part.name)}`,
    part.level,
    part.state,
    duration(Math.max(0, Date.parse(now) - Date.parse(part.since ?? startedAt))),
    grouped(part.restarts),
    part.last_error === undefined ? '' : shortened(harmless(part.last_error.split('\n')[0]!), ERROR_CHARACTERS_MAX),
  ];
  const rowsOf = (parts: readonly Part[], indent: string): string[][] =>
    parts.flatMap((part, i) => {
      const isLast = i === parts.length - 1;
      const inner = rowsOf(part.parts, `${indent}${isLast ? '   ' : '│  '}`);
      return [rowOf(part, `${indent}${isLast ? '└─ ' : '├─ '}`), ...inner];
    });
  const root = { name: node, level: 'node', state: serving ? 'serving' : 'not serving', restarts: 0, parts: [] };
  const rows = [rowOf(root, ''), ...rowsOf(partsOf(report), '')];
  const header = ['NAME', 'LEVEL', 'STATE', 'FOR', 'RESTARTS', 'LAST ERROR'];
  return `Rivulet ${harmless(version)}   ${instant(Date.parse(now))}   ${state}\n\n${table(header, rows, new Set([3, 4]))}`;
}

const partsOf = ({ supervision }: Report): Part[] =>
  supervision.map(({ shards, ...child }) => ({
    ...child,
    parts: shards.map(({ instances, ...shard }) => ({
      ...{ ...shard, level: 'shard' },
      parts: instances.map((instance) => ({ ...instance, level: 'instance', parts: [] })),
    })),
  }));
