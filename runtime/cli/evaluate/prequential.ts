/**
 * Prequential evaluation: event after event in order of time, a list is made first, then the event is learnt from; by the code that a node runs (actors/
 * ranking-learner). Judged are events of users who did something before, with another item than their newest, after the first fifth of all events.
 */
import { availableParallelism } from 'node:os';
import { from } from 'rxjs';
import { JUDGED_MODELS, ranksOf } from '../../../actors/ranking/running-scores.js';
import { type Estimate, estimateOf } from '../../../actors/maths/evaluation/metrics.js';
import { sampledEvents } from '../../../actors/model.js';
import { keepFactors } from '../../../actors/ranking/factor-table.js';
import { RankingLearner } from '../../../actors/ranking/learn.js';
import type { Choice } from '../../../actors/ranking/ranker.js';
import { rankingState } from '../../../actors/ranking-learner.js';
import { frameOf } from '../../contract/stage.js';
import { FACTOR_OPTIONS, framesOf, Interactions } from '../../training/item-factors.js';
import { table } from '../terminal.js';
import type { DatedEvent } from './interactions.js';
import type { OnProgress } from './progress.js';

export interface PrequentialScores {
  readonly model: string;
  readonly hitRate: Estimate;
  readonly mrr: Estimate;
}

export interface JudgedStream {
  readonly judged: number;
  /** Of the judged events: whose item is a candidate of any source. */
  readonly reached: number;
  /** Candidates per list, on average. */
  readonly candidates: number;
  readonly models: readonly PrequentialScores[];
}

const WARM_UP = 0.2;
const FRAME_ROWS = 1_000;
/** Factors are trained anew from all events so far each time that these have become a fifth more, as a node does every so many minutes. */
const GROWTH = 1.2;
const TRAINED_FROM = 2_000;

/** `events` in order of time. */
export function judgeStream(
  events: readonly DatedEvent[],
  k: number,
  onProgress: OnProgress,
  threads = availableParallelism(),
): JudgedStream {
  const specs = rankingState();
  const state = {
    items: specs.items.create(),
    names: specs.names.create(),
    neighbours: specs.neighbours.create(),
    users: specs.users.create(),
    weights: specs.weights.create(),
    scores: specs.scores.create(),
    factors: specs.factors.create(),
    newItems: specs.newItems.create(),
    shown: specs.shown.create(),
    sums: specs.sums.create(),
  };
  const warm = Math.floor(events.length * WARM_UP);
  const ranks = JUDGED_MODELS.map((): number[] => []);
  let [first, reached, candidates] = [0, 0, 0];
  const onChoice = (choice: Choice): void => {
    if (first + choice.row < warm) return;
    candidates += choice.items.length;
    const own = ranksOf(choice);
    if (own.some((rank) => rank < Infinity)) reached++;
    own.forEach((rank, model) => ranks[model]!.push(rank));
  };
  const learner = new RankingLearner(state, { learntEvery: () => 1, onChoice });
  const interactions = new Interactions();
  let trained = 0;
  for (; first < events.length; first += FRAME_ROWS) {
    onProgress(`${Math.floor((first / events.length) * 100)} % of the events`);
    if (first > Math.max(trained * GROWTH, TRAINED_FROM)) {
      // As time of training any will do.
      keepFactors(state.factors)(from(framesOf(interactions.train(FACTOR_OPTIONS, threads)!, first))).subscribe();
      trained = first;
    }
    const next = events.slice(first, first + FRAME_ROWS);
    learner.take(frameOf(sampledEvents, next));
    for (const { user, item } of next) interactions.add(user!, item!);
  }
  const judged = ranks[0]!.length;
  return {
    judged,
    reached: reached / judged,
    candidates: candidates / judged,
    models: JUDGED_MODELS.map((model, i) => ({
      model,
      hitRate: estimateOf(ranks[i]!.map((rank) => Number(rank <= k))),
      mrr: estimateOf(ranks[i]!.map((rank) => 1 / rank)),
    })),
  };
}

export function streamText({ judged, reached, candidates, models }: JudgedStream, k: number): string {
  const number = ({ mean, margin }: Estimate): string => `${mean.toFixed(4)} ±${margin.toFixed(4)}`;
  const rows = models.map(({ model, hitRate, mrr }) => [model, number(hitRate), number(mrr)]);
  return (
    `${judged} events predicted, each before it was learnt from; ${candidates.toFixed(0)} candidates each, with the right one in ${(reached * 100).toFixed(1)} %; ` +
    `± is half of the 95 % interval\n\n${table(['model', `hit rate@${k}`, 'MRR'], rows)}\n`
  );
}
