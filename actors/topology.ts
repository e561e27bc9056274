/**
 * READ FIRST: the pipeline as data. Stages, how they are connected, and the key by which rows are partitioned.
 *
 * `rivulet topology` prints it; a test pins the output; the README shows it.
 */
import {
  defineTopology,
  edge,
  type Edge,
  type Retention,
  source,
  topic,
  type Topology,
} from '../runtime/contract/graph.js';
import { type AnyStage, deadLetters } from '../runtime/contract/stage.js';
import { chained } from '../runtime/plan/plan.js';
import type { RankingRules } from './candidates/source.js';
import { catalogue } from './catalogue.js';
import { fallback } from './fallback.js';
import { interestRanking } from './interest-ranking.js';
import type { Experiment } from './maths/experiment.js';
import type { InterestScope } from './maths/interest-scope.js';
import { events, historyRows, interactions, ranked, type Strategy, trendingDays, trendingHours } from './model.js';
import { parse, type ParseOptions } from './parse.js';
import { parseItems } from './parse-items.js';
import { type PopularitySource, weightsByCode } from './maths/engagement-weights.js';
import { popularity } from './popularity.js';
import { popularityJoin } from './popularity-join.js';
import { rankingLearner } from './ranking-learner.js';
import { recommendations } from './recommendations.js';
import { kindsOf, trending, type TrendingOptions } from './trending.js';
import { trendingLists } from './trending-lists.js';
import { type Trigger, watermark } from './watermark.js';
import type { WindowKind } from './maths/window.js';
import type { OutputMode } from './operators/close-windows.js';
import { window } from './window.js';

/** The options that determine the results. Fixed per deployment; plain data, so that every thread builds the same topology from it. */
export interface PipelineOptions {
  readonly partitions: { readonly source: number; readonly user: number; readonly item: number };
  readonly parse: ParseOptions;
  readonly trigger: Trigger;
  readonly watermarkDelayMs: number;
  /** How far the watermark follows event times past the log's clock, before the delay. Without effect on files, which have event time only. */
  readonly watermarkSkewMs?: number;
  readonly idleAfterMs: number;
  readonly window: { readonly kind: WindowKind; readonly allowedLatenessMs: number; readonly output: OutputMode };
  readonly interest: InterestScope;
  /** Counted from events, beside what a table says of the past; or loaded from a table before the first epoch. */
  readonly popularity: PopularitySource;
  /** Bounded: items per list, 1 to 100. */
  readonly listSize: number;
  /** Live: of answers whose question names none. */
  readonly strategy?: Strategy;
  /** Live: of answers whose question names no strategy, by user. */
  readonly experiment?: Experiment<Strategy>;
  /** Live: of ranked lists. */
  readonly ranking?: RankingRules;
  readonly trending: TrendingOptions;
  /** How much of the history of events is retained; absent: there is none. */
  readonly history?: Retention;
  /** Live: from publishers to a view that the façade reads. Bounded: from a folder to topics that a sink reads. */
  readonly mode: 'live' | 'bounded';
  /** Bounded: whether a table of items is loaded before the first epoch. Live, the catalogue is published. */
  readonly items?: boolean;
  /** Whether neighbours with the same partitions run as one (runtime/plan). Default: each stage has a mailbox of its own. */
  readonly chaining?: boolean;
}

/** As it runs. */
export function mainTopology(options: PipelineOptions): Topology {
  const topology = options.mode === 'live' ? liveTopology(options) : boundedTopology(options);
  return options.chaining === true ? chained(topology) : topology;
}

/** From publishers to a view, which makes lists when the façade asks. Each frame is an epoch of its own where it is read. */
function liveTopology(options: PipelineOptions): Topology {
  const { core, edges } = pipeline(options);
  const { popularity: tops, interestRanking: ranking, parse: entry, window: windows } = core;
  const view = recommendations();
  const [items, titles, lists, learner] = [parseItems(), catalogue(), trendingLists(), rankingLearner()];
  const late = topic('late', events, 'user', { browsable: true });
  const deadLetter = topic('dead-letter', deadLetters, 'source', { browsable: true });
  const { history: retention } = options;
  const history = topic('history', historyRows, 'source', {
    browsable: true,
    compressed: true,
    ...(retention && { retention }),
  });
  return defineTopology({
    partitions: options.partitions,
    stages: [items, titles, ...Object.values(core), lists, view, learner],
    topics: [late, deadLetter, ...(retention === undefined ? [] : [history])],
    views: new Set([view.id, lists.id, titles.id, learner.id]),
    edges: [
      edge(source('events'), entry.in.events, { by: 'source' }),
      // Of a watched folder, into partition 0: nobody waits for its end.
      edge(source('folder', { awaited: false }), entry.in.events, { by: 'source' }),
      // Loaded now or never: nobody waits for it.
      edge(source('popularity-table', { awaited: false }), tops.in.table, { by: 'item' }),
      ...edges,
      edge(core.trending.out.tops, lists.in.tops, { by: 'all' }),
      edge(core.watermark.out.sampled, learner.in.events, { by: 'all' }),
      // Each time they are trained, if ever: nobody waits for them.
      edge(source('factors', { awaited: false }), learner.in.factors, { by: 'all' }),
      edge(core.watermark.out.past, windows.in.past, { by: 'user' }),
      edge(windows.out.past, ranking.in.past, { by: 'user' }),
      edge(ranking.out.interests, view.in.interests, { by: 'user' }),
      edge(ranking.out.interactions, view.in.interactions, { by: 'user' }),
      edge(tops.out.lists, view.in.popular, { by: 'all' }),
      edge(windows.out.late, late.in.rows, { by: 'user' }),
      edge(entry.out.deadLetters, deadLetter.in.rows, { by: 'source' }),
      ...(retention === undefined ? [] : [edge(entry.out.history, history.in.rows, { by: 'source' })]),
      edge(source('items'), items.in.items, { by: 'source' }),
      edge(items.out.rows, core.watermark.in.items, { by: 'all' }),
      edge(items.out.rows, titles.in.items, { by: 'all' }),
      edge(core.watermark.out.unknown, titles.in.unknown, { by: 'all' }),
      edge(items.out.deadLetters, deadLetter.in.rows, { by: 'source' }),
    ],
    aligned: options.trigger.kind === 'interval' ? new Set(afterWatermark(core)) : new Set(),
  });
}

/** From a folder to topics, which a sink reads: the list of each user of an epoch. Every stage aligns on the end of each file. */
function boundedTopology(options: PipelineOptions): Topology {
  const { core, edges } = pipeline(options);
  const { interestRanking: ranking, popularity: tops, parse: entry, window: windows } = core;
  const [join, lists] = [popularityJoin({ listSize: options.listSize }), fallback({})];
  const stages = [...Object.values(core), join, lists];
  const results = topic('recommendations', ranked, 'user', { browsable: false });
  const interactionRows = topic('interactions', interactions, 'user', { browsable: false });
  const late = topic('late', events, 'user', { browsable: false });
  const deadLetter = topic('dead-letter', deadLetters, 'source', { browsable: false });
  const hours = topic('trending-hours', trendingHours, 'whole', { browsable: false });
  const days = topic('trending-days', trendingDays, 'whole', { browsable: false });
  return defineTopology({
    partitions: options.partitions,
    stages,
    topics: [results, interactionRows, hours, days, late, deadLetter],
    edges: [
      edge(source('folder'), entry.in.events, { by: 'source' }),
      edge(source('popularity-table'), tops.in.table, { by: 'item' }),
      ...(options.items === true ? [edge(source('catalogue-table'), core.watermark.in.items, { by: 'all' })] : []),
      ...edges,
      edge(ranking.out.interests, join.in.interests, { by: 'user' }),
      edge(tops.out.lists, join.in.lists, { by: 'all' }),
      edge(join.out.rows, lists.in.ranked, { by: 'user' }),
      edge(tops.out.lists, lists.in.lists, { by: 'all' }),
      edge(lists.out.rows, results.in.rows, { by: 'user' }),
      edge(ranking.out.interactions, interactionRows.in.rows, { by: 'user' }),
      edge(core.trending.out.hours, hours.in.rows, { by: 'same' }),
      edge(core.trending.out.days, days.in.rows, { by: 'same' }),
      edge(windows.out.late, late.in.rows, { by: 'user' }),
      edge(entry.out.deadLetters, deadLetter.in.rows, { by: 'source' }),
    ],
    aligned: new Set(stages.map(({ id }) => id)),
  });
}

/** From events to every user's interests, and to what is popular and trending: the part common to both. */
function pipeline({ trigger, mode, watermarkDelayMs: delayMs, ...options }: PipelineOptions) {
  const published = mode === 'live' ? 'live' : 'closed';
  const core = {
    parse: parse({
      ...options.parse,
      filesAreLive: mode === 'live',
      history: mode === 'live' && options.history !== undefined,
    }),
    watermark: watermark({
      delayMs,
      ...(options.watermarkSkewMs === undefined ? {} : { skewMs: options.watermarkSkewMs }),
      idleAfterMs: options.idleAfterMs,
      trigger,
      popularity: options.popularity.from === 'events',
      samples: mode === 'live',
      engagements: countedTypes(options),
    }),
    window: window(options.window),
    // Live, the view reads which items and when, not how often.
    interestRanking: interestRanking({
      scope: options.interest,
      totals: mode === 'bounded' && options.interest.kind === 'decayed',
    }),
    popularity: popularity({ source: options.popularity, aligned: mode === 'bounded' }),
    trending: trending({ ...options.trending, published, delayMs }),
  };
  const edges: Edge[] = [
    edge(core.parse.out.rows, core.watermark.in.events, { by: 'source' }),
    edge(core.watermark.out.rows, core.window.in.events, { by: 'user' }),
    edge(core.watermark.out.popularity, core.popularity.in.events, { by: 'item' }),
    edge(core.window.out.rows, core.interestRanking.in.rows, { by: 'user' }),
    edge(core.watermark.out.engagements, core.trending.in.events, { by: mode === 'live' ? 'item' : 'all' }),
  ];
  return { core, edges };
}

/** By code of the event type: whether popularity or trending counts it. */
function countedTypes({ popularity: source, trending: options }: Pick<PipelineOptions, 'popularity' | 'trending'>) {
  const weights = source.from === 'events' ? weightsByCode(source.weights) : undefined;
  return kindsOf(options).map((kind, type) => (kind !== 0 || (weights?.[type] ?? 0) > 0 ? 1 : 0));
}

const afterWatermark = (core: Readonly<Record<string, AnyStage>>): string[] =>
  Object.values(core)
    .map(({ id }) => id)
    .filter((id) => id !== 'parse' && id !== 'watermark');
