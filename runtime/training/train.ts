/** Trains factors of items from the history as it is now, and hands them to the ranking of all nodes: they follow the same mailbox. */
import { availableParallelism } from 'node:os';
import { codeOfType, IMPRESSION } from '../../actors/model.js';
import { textAt } from '../frames/dictionary.js';
import { appendFrames, type WriterOptions } from '../jobs/source-writer.js';
import { type HistoryFrame, historyPieces } from './history.js';
import { type FactorOptions, framesOf, Interactions } from './item-factors.js';

export interface Trained {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  readonly rank: number;
  readonly seconds: number;
}

export interface TrainOptions extends WriterOptions {
  readonly factors: FactorOptions;
  /** Default: all cores. */
  readonly threads?: number | undefined;
  /** Only events of this time or later, epoch ms. */
  readonly from?: number | undefined;
  /** `share`: of the work, 0 to 1, of which reading is a half. */
  readonly onProgress?: (share: number, what: string) => void;
}

const TARGET = { to: 'ranking-learner', from: 'factors' };
const REMOVED = codeOfType('remove_from_cart');

/** Absent: the history has no interactions. Fatal HISTORY_NONE. */
export async function trainFactors(options: TrainOptions): Promise<Trained | undefined> {
  const { log, clock, signal, factors, from, onProgress = () => undefined } = options;
  const startedMs = clock.monotonicMs();
  const interactions = new Interactions();
  let read = 0;
  for await (const { events, share } of historyPieces(log, { from }, signal)) {
    addTo(interactions, events);
    onProgress(share / 2, `${(read += events.rows)} events`);
  }
  const trained = interactions.train(factors, options.threads ?? availableParallelism(), (done) => {
    onProgress(0.5 + done / factors.iterations / 2, `${done} of ${factors.iterations} iterations`);
  });
  if (trained === undefined) return undefined;
  await appendFrames(options, framesOf(trained, clock.nowMs()), TARGET);
  const { users, items, interactions: pairs } = trained;
  const seconds = (clock.monotonicMs() - startedMs) / 1000;
  return { users, items: items.length, interactions: pairs, rank: factors.rank, seconds };
}

function addTo(interactions: Interactions, { rows, columns }: HistoryFrame): void {
  const { user, item, type, duplicate } = columns;
  for (let row = 0; row < rows; row++) {
    if (duplicate[row] === 1 || type[row] === REMOVED || type[row] === IMPRESSION) continue;
    interactions.add(textAt(user.dictionary, user.codes[row]!)!, textAt(item.dictionary, item.codes[row]!)!);
  }
}
