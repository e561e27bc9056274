/** `rivulet top`: the activity of a node's stages, from two samples of GET /status. */
import type { StatusReport } from '../../../connectors/http/routes/status-report.js';
import { hasScreen, Screen } from '../screen.js';
import type { JsonOptions } from '../settings.js';
import { duration, grouped, harmless, instant, table } from '../terminal.js';
import { nodeStatus } from './node-status.js';

const EVERY_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Sample = Pick<StatusReport, 'node' | 'version' | 'now' | 'serving' | 'reasons' | 'stages' | 'counters'>;

export async function top(options: JsonOptions): Promise<void> {
  const sample = await nodeStatus(options);
  let before = await sample();
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(before, undefined, 2)}\n`);
    return;
  }
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const screen = hasScreen(process.stdout) ? new Screen(process.stdout) : undefined;
  try {
    do {
      await paused(stop.signal);
      if (stop.signal.aborted) return;
      const now = await sample();
      const text = topText(before, now);
      if (screen === undefined) process.stdout.write(`${text}\n`);
      else screen.draw([...text.split('\n'), '', 'Ctrl-C ends it.'].map((line) => ({ text: line })));
      before = now;
    } while (screen !== undefined);
  } finally {
    screen?.leave();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

const paused = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, EVERY_MS);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Sums over the partitions of a stage; the largest lag and the lowest watermark. */
export function topText(before: Sample, now: Sample): string {
  const seconds = Math.max(1e-3, (Date.parse(now.now) - Date.parse(before.now)) / 1_000);
  const rows = now.stages.map(({ stage, partitions }) => {
    const earlier = before.stages.find((one) => one.stage === stage)?.partitions ?? [];
    type One = (typeof partitions)[number];
    const sum = (of: readonly One[], pick: (one: One) => number): number => of.reduce((all, one) => all + pick(one), 0);
    // A partition that is new or was restarted has no earlier value to compare with.
    const rate = (pick: (one: One) => number): number =>
      Math.max(0, sum(partitions, pick) - sum(earlier, pick)) / seconds;
    const known = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);
    const lags = known(partitions.map((one) => one.lag_messages));
    const waits = known(partitions.map((one) => one.lag_seconds));
    const watermarks = known(partitions.map(({ watermark }) => watermark)).map((text) => Date.parse(text));
    return [
      stage,
      `${partitions.filter(({ state }) => state === 'running').length}/${partitions.length}`,
      ...[rate((one) => one.messages_in), rate((one) => one.rows_out)].map(grouped),
      `${(rate((one) => one.busy_seconds) * 100).toFixed(0)} %`,
      lags.length === 0 ? '–' : grouped(sum(partitions, (one) => one.lag_messages ?? 0)),
      waits.length === 0 ? '–' : duration(Math.max(...waits) * 1_000),
      watermarks.length === 0 ? '–' : instant(Math.min(...watermarks)),
      grouped(sum(partitions, ({ restarts }) => restarts)),
    ];
  });
  const { counters } = now;
  const events = (counters.events - before.counters.events) / seconds;
  const state = now.serving ? 'serving' : `not serving: ${now.reasons.map(harmless).join('; ')}`;
  const totals = `events ${grouped(counters.events)} (${grouped(events)}/s)   late ${grouped(counters.late)}   dead letters ${grouped(counters.dead_letter)}   duplicates ${grouped(counters.duplicates)}`;
  const header = ['STAGE', 'RUN', 'IN/S', 'OUT/S', 'BUSY', 'LAG', 'WAITS', 'WATERMARK', 'RESTARTS'];
  return `Rivulet ${harmless(now.version)}, node ${harmless(now.node)}   ${instant(Date.parse(now.now))}   ${state}\n${totals}\n\n${table(header, rows, new Set([1, 2, 3, 4, 5, 6, 8]))}`;
}
