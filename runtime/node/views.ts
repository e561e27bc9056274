/** Answers of the façade, computed from the state of the views (composition): find the partition, then compute the answer. */
import { answer, type AnswerItem, MODELS, type SharedLists } from '../../actors/candidates/answer.js';
import type { Question, RecommendationReader } from '../../actors/candidates/source.js';
import { alwaysValidP, armOf, type ArmSums, type Experiment, NO_SUMS } from '../../actors/maths/experiment.js';
import type { RankedList } from '../../actors/maths/made-list.js';
import type { PipelineOptions } from '../../actors/topology.js';
import {
  RECOMMENDATION_TYPES,
  type Strategy,
  STREAMING_POPULAR_FALLBACK,
  STREAMING_TRENDING,
} from '../../actors/model.js';
import { rankingReader } from '../../actors/ranking-learner.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { type ReadTrending, trendingReader } from '../../actors/trending-lists.js';
import type {
  Answer,
  ExperimentArm,
  Ranking,
  RecommendationAnswers,
  RecommendationChanges,
  RecommendationQuery,
  SimilarItems,
  TrendingList,
  TrendingLists,
  TrendingRanking,
} from '../../connectors/facade/ports.js';
import type { RandomUsers } from '../../connectors/http/ports.js';
import { partitionOf } from '../state/rescaling.js';
import type { AnswerKind } from '../telemetry/answer-metrics.js';
import type { Topology } from '../contract/graph.js';
import type { Host } from '../shards/host.js';
import { Catalogue, type Named } from './catalogue.js';
import { readersOf } from './view-readers.js';
import { CATALOGUE_STAGE, RANKING_STAGE, TRENDING_STAGE, VIEW_STAGE } from './shards.js';

/** Listeners to changes of a view. */
class Listeners {
  private readonly listeners = new Set<() => void>();

  readonly onChange = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/**
 * How long updates for a partition of users may have been missing: the time since the latest tick passed all of its stages. Measured with this node's
 * monotonic clock: other nodes' clocks, and clock changes, do not make a list stale.
 */
export class Freshness {
  private readonly latest: { tickMs: number; atMs: number }[] = [];
  private readonly begunMs: number;

  constructor(
    private readonly staleAfterMs: number,
    private readonly nowMs = (): number => performance.now(),
  ) {
    this.begunMs = nowMs();
  }

  note(partition: number, tickMs: number): void {
    if (tickMs > (this.latest[partition]?.tickMs ?? -Infinity)) this.latest[partition] = { tickMs, atMs: this.nowMs() };
  }

  /** Absent: not stale. */
  staleMs(partition: number): number | undefined {
    const ageMs = this.nowMs() - (this.latest[partition]?.atMs ?? this.begunMs);
    return ageMs > this.staleAfterMs ? ageMs : undefined;
  }
}

/** How far the next random user may be from the last. */
const SKIPPED_MAX = 64;

interface ViewAnswer extends Answer {
  readonly kind: AnswerKind;
}

interface ViewAnswers extends RecommendationChanges {
  get(query: RecommendationQuery): ViewAnswer;
}

/** An answer whose list may have been shown before. Its items are made on access; a caller that has the list already needs none (`sameAs`). */
class KnownAnswer implements ViewAnswer {
  readonly model = MODELS['category-popularity'];
  readonly strategy = 'category-popularity';

  constructor(
    readonly sameAs: object,
    private readonly list: RankedList,
    private readonly catalogue: Catalogue,
    private readonly reader: RecommendationReader,
    private readonly question: Question,
    readonly arm: string | undefined,
    readonly asOfMs: number | undefined,
    readonly staleMs: number | undefined,
    readonly trace: Answer['trace'],
  ) {}

  get items(): readonly (AnswerItem & Named)[] {
    const { items } = answer({ ...this.reader, ownList: () => this.list }, this.question);
    return this.catalogue.named(items);
  }

  get kind(): AnswerKind {
    return this.list[0]!.kind === STREAMING_POPULAR_FALLBACK ? 'fallback' : 'personal';
  }
}

/** Items of the user's own list come first, so the first item decides. */
function kindOf([first]: readonly AnswerItem[]): AnswerKind {
  if (first === undefined) return 'empty';
  return first.type === RECOMMENDATION_TYPES[STREAMING_POPULAR_FALLBACK] ? 'fallback' : 'personal';
}

export interface Views {
  readonly answers: ViewAnswers;
  readonly similar: SimilarItems;
  readonly ranking: Ranking;
  /** A known user, for samples. */
  readonly randomUsers: RandomUsers;
  readonly trending: TrendingLists;
  readonly catalogue: Catalogue;
  /** Called after a view has processed an input. */
  changed(stage: string, partition: number): void;
}

/** The same answers, each reported by its kind. */
export function countedAnswers(
  answers: ViewAnswers,
  count: (kind: AnswerKind, arm: string | undefined) => void,
): RecommendationAnswers {
  return {
    get: (query) => {
      const answer = answers.get(query);
      count(answer.kind, answer.arm);
      return answer;
    },
  };
}

export function viewsOf(
  host: () => Host,
  topology: Topology,
  {
    listSize,
    trending,
    strategy = 'hybrid',
    ranking: rules = { alsWeight: 0.7, exploration: 0, categoryShareMax: 1 },
    experiment,
  }: Pick<PipelineOptions, 'listSize' | 'trending' | 'strategy' | 'ranking' | 'experiment'>,
  staleAfterMs: number,
): Views {
  const [ofUsers, ofTrending] = [new Listeners(), new Listeners()];
  const catalogue = new Catalogue(host, () => {
    ofUsers.tell();
    ofTrending.tell();
  });
  const [freshness, trendingFreshness] = [new Freshness(staleAfterMs), new Freshness(staleAfterMs)];
  const ranking = readersOf(host, RANKING_STAGE, ({ instance }) => rankingReader(instance.states()));
  const trends = readersOf(host, TRENDING_STAGE, ({ instance }) => trendingReader(instance.states()));
  const shared = (): SharedLists => ({
    ranking: ranking(0).reader,
    trending: (category) => trendingRanks(trends(0).reader('last-hour', 'score', category)),
    rules,
    titleOf: (item) => catalogue.titleOf(item),
  });
  const userOptions = {
    catalogue,
    freshness,
    listSize,
    strategy,
    experiment,
    shared,
    revision: () => ranking(0).reader.revision(),
  };
  return {
    ...userViews(host, topology.count(VIEW_STAGE), userOptions, ofUsers),
    ranking: {
      report: () => {
        const { arms, ...report } = ranking(0).reader.report();
        return { ...report, experiment: experiment && { name: experiment.name, arms: comparedArms(experiment, arms) } };
      },
    },
    similar: {
      get: ({ itemId, limit, category }) => {
        const items = ranking(0).reader.similar(itemId, limit, category);
        return items && catalogue.named(items.map(({ item, ...entry }) => ({ itemId: item, ...entry })));
      },
    },
    trending: trendingView(host, trending.rankings ?? [], catalogue, trendingFreshness, ofTrending),
    catalogue,
    changed: (stage, partition) => {
      const tickMs = (): number => host().actor(stage, partition)?.processor.alignment.tickMs ?? -Infinity;
      if (stage === VIEW_STAGE) {
        freshness.note(partition, tickMs());
        ofUsers.tell();
      } else if (stage === TRENDING_STAGE) {
        trendingFreshness.note(partition, tickMs());
        ofTrending.tell();
      } else if (stage === CATALOGUE_STAGE) catalogue.changed();
    },
  };
}

/** Each arm beside the first one. */
function comparedArms({ name, arms }: Experiment<Strategy>, known: Readonly<Record<string, ArmSums>>): ExperimentArm[] {
  const sumsOf = (arm: string): ArmSums => known[`${name}/${arm}`] ?? NO_SUMS;
  const first = sumsOf(arms[0]!.name);
  return arms.map(({ name: arm, strategy, percent }, i) => {
    const sums = sumsOf(arm);
    const { users, shown, followed, judged, hits } = sums;
    const hitRate = judged === 0 ? undefined : hits / judged;
    const p = i === 0 ? undefined : alwaysValidP(sums, first);
    return { arm, strategy, percent, users, shown, followed, hitRate, p };
  });
}

type RankedAnswer = Pick<ViewAnswer, 'items' | 'model' | 'strategy' | 'kind'>;

/** What others do shows in a ranked list after so long at most; what its user does, at once. */
const RANKED_MS = 1_000;

/** Ranked lists are made anew when their user has done something; else, as what they are made of changes many times a second, after RANKED_MS. */
class RecentAnswers {
  private readonly known = new WeakMap<
    object,
    Map<string, { readonly answer: RankedAnswer; readonly atMs: number; readonly revision: string }>
  >();

  constructor(private readonly revision: () => string) {}

  /** `latest`: the same object until the user does something. */
  get(latest: object, question: string, make: () => RankedAnswer): RankedAnswer {
    const own = this.known.get(latest) ?? new Map<string, never>();
    const [before, revision, nowMs] = [own.get(question), this.revision(), performance.now()];
    if (before !== undefined && (before.revision === revision || nowMs - before.atMs < RANKED_MS)) return before.answer;
    const answer = make();
    this.known.set(latest, own.set(question, { answer, atMs: nowMs, revision }));
    return answer;
  }
}

interface UserOptions {
  readonly catalogue: Catalogue;
  readonly freshness: Freshness;
  readonly listSize: number;
  /** Of questions that name none. */
  readonly strategy: Strategy;
  /** Of those, too: each user has the strategy of an arm. */
  readonly experiment: Experiment<Strategy> | undefined;
  readonly shared: () => SharedLists;
  /** Of what all users share. */
  readonly revision: () => number;
}

function trendingRanks({ list }: ReadTrending): RankedList {
  return list.map(({ item, category, value: score }, i) => ({
    ...{ item, category: category === '' ? undefined : category, score },
    ...{ interest: NaN, interestRank: 0, rank: i + 1, kind: STREAMING_TRENDING },
  }));
}

function userViews(
  host: () => Host,
  partitions: number,
  options: UserOptions,
  { onChange }: Listeners,
): Pick<Views, 'answers' | 'randomUsers'> {
  const { catalogue, freshness, listSize, strategy: usual, experiment, shared, revision } = options;
  const users = readersOf(host, VIEW_STAGE, ({ instance }) => recommendationReader(instance.states()));
  const ofUser = (userId: string) => {
    const partition = partitionOf(userId, partitions);
    return { ...users(partition), staleMs: freshness.staleMs(partition) };
  };
  /** By which strategy a question is answered, and in which arm. */
  const chosen = (user: string, asked: Strategy | undefined) => {
    if (asked !== undefined || experiment === undefined) return { strategy: asked ?? usual, arm: undefined };
    const { name, strategy } = armOf(experiment, user);
    return { strategy, arm: `${experiment.name}/${name}` };
  };
  const recent = new RecentAnswers(() => `${revision()}/${catalogue.reportedRevision}`);
  const answers: ViewAnswers = {
    get: ({ userId: user, limit: most, category, excludeSeen, explain, strategy: asked }) => {
      const limit = Math.min(most, listSize);
      const { strategy, arm } = chosen(user, asked);
      const { processor, reader, staleMs } = ofUser(user);
      const question = { user, limit, category, excludeSeen, explain, strategy };
      // Of the messages of one event the last: its interests come before.
      const [asOfMs, trace] = [processor.asOfMs, processor.traces.latest('interactions', user)];
      const isPlain = category === undefined && !excludeSeen && strategy === 'category-popularity';
      const list = isPlain ? reader.made(user, limit) : undefined;
      if (list !== undefined) {
        const same = catalogue.sameAs(list)[explain ? 'explained' : 'plain'];
        return new KnownAnswer(same, list, catalogue, reader, question, arm, asOfMs, staleMs, trace);
      }
      const made = (): RankedAnswer => {
        const { items, model } = answer(reader, question, shared);
        return { items: catalogue.named(items), model, strategy, kind: kindOf(items) };
      };
      const isOwn = category !== undefined || excludeSeen || strategy === 'category-popularity';
      const ranked = isOwn ? made() : recent.get(reader.latest(user), `${strategy}/${limit}/${explain}`, made);
      return { ...ranked, ...(isOwn ? {} : { sameAs: ranked }), arm, asOfMs, staleMs, trace };
    },
    version: ({ userId: user, category, strategy: asked }) => {
      const { reader, staleMs } = ofUser(user);
      const { strategy } = chosen(user, asked);
      const learnt = strategy === 'category-popularity' ? '' : `/${revision()}`;
      return `${reader.version(user, category)}/${catalogue.reportedRevision}/${staleMs === undefined}${learnt}`;
    },
    onChange,
  };
  const randomUser = async (): Promise<string | undefined> => {
    const first = Math.floor(Math.random() * partitions);
    const inTurn = Array.from({ length: partitions }, (_, i) => (first + i) % partitions);
    for (const partition of inTurn) {
      const user = users(partition).reader.someUser(Math.floor(Math.random() * SKIPPED_MAX));
      if (user !== undefined) return user;
    }
    // After a restart users are loaded on demand, and no request has come yet.
    for (const partition of inTurn) {
      const stored = await host().storedKeys(VIEW_STAGE, partition, 'lists');
      if (stored.length > 0) return stored[Math.floor(Math.random() * stored.length)];
    }
    return undefined;
  };
  return { answers, randomUsers: { next: randomUser } };
}

function trendingView(
  host: () => Host,
  rankings: readonly TrendingRanking[],
  catalogue: Catalogue,
  freshness: Freshness,
  { onChange }: Listeners,
): TrendingLists {
  const trends = readersOf(host, TRENDING_STAGE, ({ instance }) => trendingReader(instance.states()));
  const shown = new WeakMap<object, { readonly list: TrendingList; readonly revision: number }>();
  return {
    rankings: new Set<TrendingRanking>(['score', ...rankings]),
    get: ({ window, ranking, category }) => {
      const { processor, reader } = trends(0);
      const read = reader(window, ranking, category);
      const { reportedRevision: revision } = catalogue;
      const known = shown.get(read);
      const before = known?.revision === revision ? known.list : undefined;
      if (before !== undefined && before.asOfMs === processor.asOfMs) return before;
      const list = { ...(before ?? shownList(read, catalogue)), asOfMs: processor.asOfMs };
      shown.set(read, { list, revision });
      return list;
    },
    staleMs: () => freshness.staleMs(0),
    trace: () => trends(0).processor.traces.latest('tops'),
    onChange,
  };
}

function shownList({ revision, window, list }: ReadTrending, catalogue: Catalogue): Omit<TrendingList, 'asOfMs'> {
  const items = list.map(({ item, value, views, clicks, category, velocity }) => ({
    ...{ itemId: item, score: value, views, clicks, category: category === '' ? undefined : category, velocity },
  }));
  return { revision, window, items: catalogue.named(items) };
}
