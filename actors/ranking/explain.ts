/**
 * explain: why a candidate has its place.
 *
 *   c(k) = w(k) · (f(k) − mean of f(k) over the candidates)        share(sign) = Σ c(k) of its features / Σ of the positive ones
 *
 * What all candidates have in common changes no order, so it explains nothing.
 */
import type { Explanation } from '../candidates/source.js';
import { LATEST_MAX } from '../maths/rank/latest-items.js';
import { type Candidates, SIGNS } from './ranker.js';
import { type Knowledge, SOURCE_NAMES, type SourceName } from './sources.js';

const CONTRIBUTIONS_MAX = 3;

/** `weights`: of the context. */
export function explain(
  { items, rows }: Candidates,
  place: number,
  weights: Float64Array,
  known: Knowledge,
  history: readonly number[],
  titleOf: (item: string) => string,
): Explanation {
  const { features, count, values } = rows;
  const leads = new Map<string, number>();
  for (let k = 0; k < features; k++) {
    let sum = 0;
    for (let x = 0; x < count; x++) sum += values[x * features + k]!;
    const lead = weights[k]! * (values[place * features + k]! - sum / count);
    leads.set(SIGNS[k]!, (leads.get(SIGNS[k]!) ?? 0) + lead);
  }
  const led = [...leads].filter(([, lead]) => lead > 0).sort((a, b) => b[1] - a[1]);
  const total = led.reduce((sum, [, lead]) => sum + lead, 0);
  const giving = SOURCE_NAMES.filter((_, k) => values[place * features + k]! > 0);
  const lead = (name: string): number => leads.get(name) ?? 0;
  const source = giving.reduce<SourceName | undefined>(
    (best, name) => (best === undefined || lead(name) > lead(best) ? name : best),
    undefined,
  );
  return {
    // Of none is an item that was only looked for in its category.
    reason: REASONS[source ?? 'category'](known, items[place]!, history, titleOf),
    contributions: led.slice(0, CONTRIBUTIONS_MAX).map(([sign, own]) => ({ source: sign, share: own / total })),
  };
}

/** `share`: how much of the score is of taste; the rest is of the trend. */
export function explainTaste(share: number): Explanation {
  const contributions = [
    { source: 'als', share },
    { source: 'trending', share: 1 - share },
  ];
  return {
    reason: share >= 0.5 ? LIKED : 'trending in the last hour',
    contributions: contributions.filter((one) => one.share > 0).sort((a, b) => b.share - a.share),
  };
}

const LIKED = 'liked by people with a taste like yours';

type Reason = (known: Knowledge, item: number, history: readonly number[], titleOf: (item: string) => string) => string;

const ofCategory =
  (words: string): Reason =>
  ({ signals }, item) =>
    `${words} ${signals.categoryText(item) ?? 'its category'}`;

/** Names the item of the history that it goes with most. */
const with_ =
  (list: 'together' | 'next' | 'similar', words: string): Reason =>
  ({ signals, neighboursOf }, item, history, titleOf) => {
    const weights = history.slice(0, LATEST_MAX).map((own) => neighboursOf(own)?.[list].weightOf(item) ?? 0);
    const strongest = weights.indexOf(Math.max(...weights));
    return strongest < 0 ? words : `${words} ${titleOf(signals.text(history[strongest]!))}`;
  };

const REASONS: Readonly<Record<SourceName, Reason>> = {
  'popular-10m': () => 'popular in these minutes',
  'last-hour': () => 'popular in this hour',
  popular: () => 'popular with everyone',
  category: ofCategory('popular in'),
  'next-category': ofCategory('people go on to'),
  brand: ofCategory('of a brand that you look at, in'),
  'co-visitation': with_('together', 'often seen together with'),
  transitions: with_('next', 'often seen next after'),
  'item-knn': with_('similar', 'seen by those who saw'),
  recent: () => 'you saw it before',
  als: () => LIKED,
};
