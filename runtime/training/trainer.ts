/** Entry of the process in which a node trains factors: training takes no time of its threads, and the priority of a process can be lowered. */
import pino from 'pino';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { systemClock } from '../contract/clock.js';
import { explain } from '../contract/errors.js';
import { FACTOR_OPTIONS } from './item-factors.js';
import { type Trained, trainFactors } from './train.js';

export interface TrainingJob {
  readonly nats: NatsOptions;
}

/** `trained` absent: there is nothing to train from yet. */
export type TrainingEnd = { readonly trained?: Trained | undefined } | { readonly failed: string };

async function train({ nats }: TrainingJob): Promise<TrainingEnd> {
  const log = await openNatsLog(await connectNats(nats, 'rivulet-training'));
  try {
    const signal = new AbortController().signal;
    const logger = pino({ level: 'silent' });
    const options = { log, logger, signal, clock: systemClock, factors: FACTOR_OPTIONS, threads: 1 };
    return { trained: await trainFactors(options) };
  } finally {
    await log.close();
  }
}

// The node has ended, or wants no training any more.
process.once('disconnect', () => process.exit(1));
process.once('message', (job: TrainingJob) => {
  void train(job)
    .catch((error: unknown): TrainingEnd => ({ failed: explain(error) }))
    .then((end) => process.send!(end, () => process.exit(0)));
});
