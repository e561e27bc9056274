/** `rivulet demo --movielens`: a set of ratings becomes a film service: imported, judged, trained from and served by one command. */
import { relative } from 'node:path';
import { systemClock } from '../../contract/clock.js';
import { hasCode } from '../../contract/errors.js';
import { type RunningNode, startNode } from '../../node/node.js';
import { trainCommand } from '../evaluate/train.js';
import { importMovieLens } from '../import/movielens.js';
import { runNode } from '../node/live-run.js';
import { addressOf, httpAddressOf } from '../node-link.js';
import { nodeOptions } from '../node/node-options.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped, table } from '../terminal.js';

const HISTORY_MS = 1_000;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function movieLensDemo(source: string, given: SettingOptions, program: string): Promise<number> {
  const { config: first, origins } = settingsOf(given);
  const isDefault = origins.get('dataDir')?.kind === 'default';
  const settings = isDefault ? { ...given, dataDir: `${first.dataDir}-movielens` } : given;
  const { config } = settingsOf(settings);
  const { nats: _, ...node } = nodeOptions(config);
  return runNode(
    () => startNode({ ...node, subject: 'films', onProgress: say }),
    async (running, signal) => {
      const own = { dataDir: config.dataDir, logLevel: config.logLevel };
      const folder = await importMovieLens(source, own);
      if (signal.aborted) return;
      await train(own, signal);
      say(`\n${scores(running)}\n`);
      const on = ` --data-dir ${config.dataDir}`;
      const at = addressOf({ ...config, grpcPort: running.grpcPort });
      const to = at === '127.0.0.1:50051' ? '' : ` --address ${at}`;
      say(
        [
          `The page is at ${httpAddressOf(config, running.httpPort)}. Try, in another terminal:`,
          `  ${program} newcomer${to}`,
          `  ${program} get 1 --exclude-seen --explain${to}`,
          `  ${program} evaluate --input ${relative(process.cwd(), folder)} --format movielens --split prequential`,
          `  ${program} train --rank 64${on}`,
        ].join('\n'),
      );
    },
    () => say('Stopping, with a snapshot…'),
  );
}

/** The last events reach the history some seconds after they were imported. */
async function train(settings: SettingOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await trainCommand(settings);
      return;
    } catch (error) {
      if (!hasCode(error, 'HISTORY_EMPTY') || signal.aborted) throw error;
      await systemClock.sleep(HISTORY_MS, signal);
    }
  }
}

/** The best first. */
function scores({ ranking }: RunningNode): string {
  const { judged, hitRates } = ranking.report();
  const rows = [...hitRates]
    .sort((a, b) => b.hitRate - a.hitRate)
    .map(({ model, hitRate }) => [model, `${(hitRate * 100).toFixed(2)} %`]);
  return `${grouped(judged)} of the ratings were looked for in the lists of just before:\n\n${table(['SOURCE', 'IN THE FIRST TEN'], rows, new Set([1]))}`;
}
