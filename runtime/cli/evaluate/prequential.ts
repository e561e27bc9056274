/**
 * Prequential evaluation: event after event in order of time, a list is made first, then the event is learnt from; by the code that a node runs (actors/
 * ranking-learner). Judged are events of users who did something before, with another item than their newest, after the first fifth of all events.
 */
import { SOURCE_NAMES } from '../../../actors/ranking/sources.js';
import { type Estimate, estimateOf } from '../../../actors/maths/evaluation/metrics.js';
import { sampledEvents } from '../../../actors/model.js';
import { type Choice, RankingLearner } from '../../../actors/ranking/learn.js';
import { rankingState } from '../../../actors/ranking-learner.js';
import { frameOf } from '../../contract/stage.js';
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

export const HYBRID = 'hybrid';
export const STREAM_MODELS = [...SOURCE_NAMES, HYBRID] as const;

const WARM_UP = 0.2;
const FRAME_ROWS = 1_000;

/** `events` in order of time. */
export function judgeStream(events: readonly DatedEvent[], k: number, onProgress: OnProgress): JudgedStream {
  const specs = rankingState();
  const state = {
    items: specs.items.create(),
    names: specs.names.create(),
    neighbours: specs.neighbours.create(),
    users: specs.users.create(),
    weights: specs.weights.create(),
  };
  const from = Math.floor(events.length * WARM_UP);
  const ranks = STREAM_MODELS.map((): number[] => []);
  let [first, reached, candidates] = [0, 0, 0];
  const onChoice = (choice: Choice): void => {
    if (first + choice.row < from) return;
    candidates += choice.items.length;
    const place = choice.items.indexOf(choice.chosen);
    if (place >= 0) reached++;
    STREAM_MODELS.forEach((_, model) => ranks[model]!.push(rankOf(choice, place, model)));
  };
  const learner = new RankingLearner(state, { learntMax: Infinity, onChoice });
  for (; first < events.length; first += FRAME_ROWS) {
    onProgress(`${Math.floor((first / events.length) * 100)} % of the events`);
    learner.take(frameOf(sampledEvents, events.slice(first, first + FRAME_ROWS)));
  }
  const judged = ranks[0]!.length;
  return {
    judged,
    reached: reached / judged,
    candidates: candidates / judged,
    models: STREAM_MODELS.map((model, i) => ({
      model,
      hitRate: estimateOf(ranks[i]!.map((rank) => Number(rank <= k))),
      mrr: estimateOf(ranks[i]!.map((rank) => 1 / rank)),
    })),
  };
}

/** From 1; Infinity: not in the list. Of equal scores the one that came first is before. */
function rankOf({ items, rows, scores }: Choice, place: number, model: number): number {
  const { features, values } = rows;
  const score = (at: number): number => (model < SOURCE_NAMES.length ? values[at * features + model]! : scores[at]!);
  if (place < 0 || (model < SOURCE_NAMES.length && score(place) === 0)) return Infinity;
  let rank = 1;
  for (let at = 0; at < items.length; at++) {
    if (score(at) > score(place) || (score(at) === score(place) && at < place)) rank++;
  }
  return rank;
}

export function streamText({ judged, reached, candidates, models }: JudgedStream, k: number): string {
  const number = ({ mean, margin }: Estimate): string => `${mean.toFixed(4)} ±${margin.toFixed(4)}`;
  const rows = models.map(({ model, hitRate, mrr }) => [model, number(hitRate), number(mrr)]);
  return (
    `${judged} events predicted, each before it was learnt from; ${candidates.toFixed(0)} candidates each, with the right one in ${(reached * 100).toFixed(1)} %; ` +
    `± is half of the 95 % interval\n\n${table(['model', `hit rate@${k}`, 'MRR'], rows)}\n`
  );
}
