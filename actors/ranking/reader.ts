/**
 * reader: the candidates for a question, ranked; and the items most similar to one. A pure function of what ranking-learner knows.
 *
 *   hybrid          by the learnt weights; score = softmax over all candidates: how likely each is the next
 *   co-visitation   by Σ over m < 3 of 0.7^m · together(j, x), then by what is popular; score = 21 / (21 + rank), as the feature
 *   als, als-trending    by-taste.ts
 *
 * A list for somebody of whom nothing is known is typed as what is popular or trending: nothing in it is the user's own.
 * Of lists by hybrid the last item of a share of them is a new one, chosen by user and hour: what nobody is shown, nobody can choose (explored).
 *   similar(i, x)   similar(i, x) / √((n(x) + 2) (n(i) + 2))
 */
import type { Value } from '../../runtime/contract/stage.js';
import { scored, weightsIn, type Weights } from '../maths/rank/listwise-logit.js';
import {
  STREAMING_ALS,
  STREAMING_ALS_TRENDING,
  STREAMING_CO_VISITATION,
  STREAMING_HYBRID,
  STREAMING_POPULAR_FALLBACK,
  STREAMING_TRENDING,
} from '../model.js';
import { varied } from '../maths/rank/varied.js';
import { tasted, type Trend } from './by-taste.js';
import { explored } from './explored.js';
import { explain, explainTaste } from './explain.js';
import { contextOf, FEATURES, Ranker } from './ranker.js';
import { JUDGED_MODELS, type RunningScores } from './running-scores.js';
import type { ShownSums } from './shown.js';
import { type Knowledge, SOURCE_NAMES } from './sources.js';
import type {
  Explanation,
  RankedCandidate,
  RankingQuestion,
  RankingReader,
  SimilarItem,
} from '../candidates/source.js';

const TOGETHER = SOURCE_NAMES.indexOf('co-visitation');
const POPULAR = SOURCE_NAMES.indexOf('popular');

export function rankingReaderOf(
  known: Knowledge,
  weights: Value<Weights>,
  scores: Value<RunningScores>,
  shown: Value<ShownSums>,
): RankingReader {
  const ranker = new Ranker(known);
  const { signals } = known;
  const candidate = (question: RankingQuestion, item: number, rank: number, score: number, kind: number) => ({
    // Without spreads, which would take longer than all else.
    item: signals.text(item),
    category: question.category ?? signals.categoryText(item),
    score,
    interest: NaN,
    interestRank: 0,
    rank,
    kind,
    facts: signals.factsOf(item),
    explanation: undefined as Explanation | undefined,
  });
  const bySources = (question: RankingQuestion, fits: (item: number) => boolean): readonly RankedCandidate[] => {
    const { latest, by, n, category } = question;
    const history = signals.known(latest.items);
    const atMs = Math.max(signals.latestMs, latest.times[0] ?? -Infinity);
    const others = category === undefined ? [] : signals.group(signals.categoryNumber(category));
    const candidates = ranker.candidates({ history, atMs }, others);
    const context = contextOf(history.length, atMs - (latest.times[0] ?? atMs));
    const ranks = by === 'hybrid' ? scored(weights.get(), candidates.rows, context) : listed(candidates.rows);
    const best = chosen(question, candidates.items, ranks, fits);
    const total = by === 'hybrid' ? ranks.reduce((sum, score) => sum + Math.exp(score - ranks[best[0]!]!), 0) : 0;
    const own = by === 'hybrid' ? STREAMING_HYBRID : STREAMING_CO_VISITATION;
    const kind = history.length === 0 ? STREAMING_POPULAR_FALLBACK : own;
    const model = by === 'hybrid' ? weightsIn(weights.get(), candidates.rows.features, context) : ONLY_TOGETHER;
    const list = best.map((place, i) => {
      const score = by === 'hybrid' ? Math.exp(ranks[place]! - ranks[best[0]!]!) / total : ranks[place]!;
      const one = candidate(question, candidates.items[place]!, i + 1, score, kind);
      if (question.explain) one.explanation = explain(candidates, place, model, known, history, question.titleOf);
      return one;
    });
    const isKnown = new Set([...history, ...best.map((place) => candidates.items[place]!)]);
    const novelty =
      by === 'hybrid' ? explored(signals, question, atMs, (item) => fits(item) && !isKnown.has(item)) : undefined;
    if (novelty === undefined) return list;
    const last = candidate(question, novelty, Math.min(n, list.length + 1), 0, kind);
    if (question.explain) last.explanation = NEW_HERE;
    return [...list.slice(0, n - 1), last];
  };
  /** The first n places, but for the most that a category may have. */
  const chosen = (
    { n, category, rules }: RankingQuestion,
    items: readonly number[],
    ranks: Float64Array,
    fits: (item: number) => boolean,
  ): readonly number[] => {
    const { categoryShareMax: share } = rules;
    if (share === 1 || category !== undefined) return firstOf(items, ranks, n, fits);
    const all = firstOf(items, ranks, items.length, fits);
    return varied(all, n, Math.ceil(share * n), (place) => signals.categoryText(items[place]!));
  };
  const ofTaste = (question: RankingQuestion, fits: (item: number) => boolean): readonly RankedCandidate[] => {
    const { by, n, explain: isExplained } = question;
    const history = signals.known([...question.seen().keys()]);
    const trend = by === 'als' ? undefined : trendOf(question);
    const own = by === 'als' ? STREAMING_ALS : STREAMING_ALS_TRENDING;
    const kind = history.length === 0 ? STREAMING_TRENDING : own;
    return tasted(known, history, n, fits, trend).map(({ item, score, ofTaste: share }, i) => {
      const one = candidate(question, item, i + 1, score, kind);
      if (isExplained) one.explanation = explainTaste(share);
      return one;
    });
  };
  const trendOf = ({ trending, rules }: RankingQuestion): Trend => ({
    values: new Map(
      trending().flatMap(({ item, score }) => {
        const number = signals.find(item);
        return number === undefined ? [] : [[number, score] as const];
      }),
    ),
    alpha: rules.alsWeight,
  });
  const ranked = (question: RankingQuestion): readonly RankedCandidate[] => {
    const { by, category, isExcluded } = question;
    const of = category === undefined ? undefined : signals.categoryNumber(category);
    const fits = (item: number): boolean => {
      if (of !== undefined && !signals.categoriesOf(item).includes(of)) return false;
      return !isExcluded(signals.text(item));
    };
    return by === 'als' || by === 'als-trending' ? ofTaste(question, fits) : bySources(question, fits);
  };
  return {
    ranked,
    similar: (item, n, category) => similarTo(known, item, n, category),
    revision: () => signals.counted + (known.factors.facts?.trainedMs ?? 0),
    report: () => {
      const { judged, rates } = scores.get();
      const { values } = weights.get();
      return {
        judged,
        hitRates: JUDGED_MODELS.map((model, i) => ({ model, hitRate: rates[i]! })),
        weights: FEATURES.map((feature, k) => ({ feature, weight: values[k]! })),
        factors: known.factors.facts,
        arms: shown.get().arms,
      };
    },
  };
}

const NEW_HERE: Explanation = { reason: 'new here', contributions: [{ source: 'exploration', share: 1 }] };

const ONLY_TOGETHER = Float64Array.from({ length: 64 }, (_, k) => Number(k === TOGETHER) + Number(k === POPULAR) / 64);

/** By what goes together, then by what is popular. */
function listed({ features, count, values }: { features: number; count: number; values: Float64Array }): Float64Array {
  return Float64Array.from({ length: count }, (_, x) => {
    const at = x * features;
    return values[at + TOGETHER]! + values[at + POPULAR]! / 64;
  });
}

/** The first n places, by score desc, then in their order. */
function firstOf(
  items: readonly number[],
  scores: Float64Array,
  n: number,
  fits: (item: number) => boolean,
): readonly number[] {
  const best: number[] = [];
  for (let place = 0; place < items.length; place++) {
    const last = best[n - 1];
    if (n === 0 || (last !== undefined && scores[place]! <= scores[last]!)) continue;
    if (!fits(items[place]!)) continue;
    let at = Math.min(best.length, n - 1);
    for (; at > 0 && scores[best[at - 1]!]! < scores[place]!; at--) best[at] = best[at - 1]!;
    best[at] = place;
  }
  return best;
}

function similarTo(
  { signals, neighboursOf }: Knowledge,
  item: string,
  n: number,
  category: string | undefined,
): readonly SimilarItem[] | undefined {
  const number = signals.find(item);
  if (number === undefined) return undefined;
  const found = neighboursOf(number)?.similar;
  if (found === undefined) return [];
  const { count } = signals.rows.values;
  const of = category === undefined ? undefined : signals.categoryNumber(category);
  const others = Array.from({ length: found.size }, (_, i) => found.others[i]!).filter(
    (other) => of === undefined || signals.categoriesOf(other).includes(of),
  );
  const score = (other: number): number =>
    found.weightOf(other) / Math.sqrt((count[other]! + 2) * (count[number]! + 2));
  return others
    .map((other) => ({ other, score: score(other) }))
    .sort((a, b) => b.score - a.score || a.other - b.other)
    .slice(0, n)
    .map(({ other, score: value }, i) => ({
      ...{ item: signals.text(other), rank: i + 1, score: value, category: signals.categoryText(other) },
      ...signals.factsOf(other),
    }));
}
