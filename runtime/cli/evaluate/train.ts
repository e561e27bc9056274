/** `rivulet train`: factors of items from the history, for the lists of a deployment. */
import pino from 'pino';
import { systemClock } from '../../contract/clock.js';
import { fatal } from '../../contract/errors.js';
import { FACTOR_OPTIONS, type FactorOptions } from '../../training/item-factors.js';
import { trainFactors } from '../../training/train.js';
import { interruptible } from '../exit.js';
import { withLog } from '../nats-link.js';
import { progressBar } from '../progress.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';

export interface TrainCommandOptions extends SettingOptions, Partial<FactorOptions> {
  readonly threads?: number;
  /** Epoch ms. */
  readonly from?: number;
  readonly json?: true;
}

export async function trainCommand(options: TrainCommandOptions): Promise<void> {
  const { threads, from, json } = options;
  const { config } = settingsOf(options);
  const { rank, alpha, regularisation, iterations, seed } = { ...FACTOR_OPTIONS, ...options };
  const { signal, end } = interruptible();
  const bar = progressBar(100, '{bar} {percentage}%  {what}  {duration_formatted}', json === true);
  try {
    const trained = await withLog(config, 'training', (log) =>
      trainFactors({
        ...{ log, signal, clock: systemClock, logger: pino({ level: 'silent' }), threads, from },
        factors: { rank, alpha, regularisation, iterations, seed },
        onProgress: (share, what) => {
          bar.update(Math.floor(share * 100), what);
        },
      }),
    );
    bar.end();
    if (trained === undefined) {
      throw fatal('HISTORY_EMPTY', 'the history has no interactions to train from', {
        hint: 'publish or import events first; they reach the history some ten seconds after they were accepted',
      });
    }
    const { users, items, interactions, seconds } = trained;
    process.stdout.write(
      json === true
        ? `${JSON.stringify(trained, undefined, 2)}\n`
        : `${grouped(items)} items of rank ${rank} trained from ${grouped(interactions)} interactions of ${grouped(users)} users in ${seconds.toFixed(1)} s: nodes rank by them once they have read them\n`,
    );
  } finally {
    bar.end();
    end();
  }
}
