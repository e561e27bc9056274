/** What the façade answers from the cells of the views (composition): the partition, then the maths of the answer. */
import { answer, type AnswerItem, MODEL, type Question, type RecommendationReader } from '../actors/maths/answer.js';
import { type PackedList, unpackList } from '../actors/maths/ranked-list.js';
import { type RecommendationCells, recommendationReader } from '../actors/recommendations.js';
import { type ReadTrending, type TrendingListCells, trendingReader } from '../actors/trending-lists.js';
import type {
  Answer,
  RecommendationChanges,
  RecommendationQuery,
  TrendingList,
  TrendingLists,
  TrendingRanking,
} from '../connectors/facade/ports.js';
import type { RandomUsers } from '../connectors/http/ports.js';
import { partitionOf } from './law.js';
import { transient } from './errors.js';
import type { Topology } from './graph.js';
import type { Host } from './host.js';
import type { MailboxFold } from './fold.js';
import { TRENDING_STAGE, VIEW_STAGE } from './main-units.js';

/** Who wants to know when a view has taken something in. */
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
 * The folds of a view by partition, as they stand; while one restarts, as it last stood. Throws Transient VIEW_RESTORING before it has stood at all.
 */
function readersOf<R>(host: () => Host, stage: string, make: (fold: MailboxFold) => R) {
  const latest = new Map<number, MailboxFold>();
  const readers = new WeakMap<MailboxFold, R>();
  return (partition: number): { readonly fold: MailboxFold; readonly reader: R } => {
    const fold = host().actor(stage, partition)?.fold ?? latest.get(partition);
    if (fold === undefined) throw transient('VIEW_RESTORING', `partition ${partition} of ${stage} is restarting`);
    let reader = readers.get(fold);
    if (reader === undefined) {
      latest.set(partition, fold);
      readers.set(fold, (reader = make(fold)));
    }
    return { fold, reader };
  };
}

/** How many users the next random one may be away from the last. */
const SKIPPED_MAX = 64;

/** A list as it is kept. Its items are made when somebody looks at them, and nobody does who knows the list already (`sameAs`). */
class KeptAnswer implements Answer {
  readonly model = MODEL;

  constructor(
    private readonly list: PackedList,
    private readonly reader: RecommendationReader,
    private readonly question: Question,
    readonly asOfMs: number | undefined,
    readonly trace: Answer['trace'],
  ) {}

  get items(): readonly AnswerItem[] {
    return answer({ ...this.reader, listOf: () => unpackList(this.list) }, this.question).items;
  }

  get sameAs(): object {
    return this.question.explain ? explainedOf(this.list) : this.list;
  }
}

/** What stands for a list with its reasons: to those who know it without, it is another. */
const explained = new WeakMap<PackedList, object>();

function explainedOf(list: PackedList): object {
  let known = explained.get(list);
  if (known === undefined) explained.set(list, (known = {}));
  return known;
}

export interface Views {
  readonly answers: RecommendationChanges & { get(query: RecommendationQuery): Answer };
  /** A user of whom something is known, for samples. */
  readonly randomUsers: RandomUsers;
  readonly trending: TrendingLists;
  /** A view has taken something in. */
  changed(stage: string): void;
}

export function viewsOf(host: () => Host, topology: Topology, rankings: readonly TrendingRanking[]): Views {
  const partitions = topology.count(VIEW_STAGE);
  const [ofUsers, ofTrending] = [new Listeners(), new Listeners()];
  // The cells are those of the stages, by their own specs.
  const users = readersOf(host, VIEW_STAGE, ({ instance }) =>
    recommendationReader(instance.cellsOf() as unknown as RecommendationCells),
  );
  const trends = readersOf(host, TRENDING_STAGE, ({ instance }) =>
    trendingReader(instance.cellsOf() as unknown as TrendingListCells),
  );
  const ofUser = (userId: string) => users(partitionOf(userId, partitions));
  const shown = new WeakMap<object, TrendingList>();
  return {
    answers: {
      get: ({ userId: user, limit, category, excludeSeen, explain }) => {
        const { fold, reader } = ofUser(user);
        const question = { user, limit, category, excludeSeen, explain };
        const [asOfMs, trace] = [fold.asOfMs, fold.traces.latest('lists', user)];
        const kept = category === undefined && !excludeSeen ? reader.kept(user) : undefined;
        if (kept !== undefined) return new KeptAnswer(kept, reader, question, asOfMs, trace);
        return { ...answer(reader, question), asOfMs, trace };
      },
      version: (user) => ofUser(user).reader.version(user),
      onChange: ofUsers.onChange,
    },
    randomUsers: {
      next: async () => {
        const first = Math.floor(Math.random() * partitions);
        const inTurn = Array.from({ length: partitions }, (_, i) => (first + i) % partitions);
        for (const partition of inTurn) {
          const user = users(partition).reader.someUser(Math.floor(Math.random() * SKIPPED_MAX));
          if (user !== undefined) return user;
        }
        // After a restart users are loaded when somebody asks for them: nobody has.
        for (const partition of inTurn) {
          const stored = await host().storedKeys(VIEW_STAGE, partition, 'lists');
          if (stored.length > 0) return stored[Math.floor(Math.random() * stored.length)];
        }
        return undefined;
      },
    },
    trending: {
      rankings: new Set<TrendingRanking>(['score', ...rankings]),
      get: ({ window, ranking, category }) => {
        const { fold, reader } = trends(0);
        const read = reader(window, ranking, category);
        const before = shown.get(read);
        if (before !== undefined && before.asOfMs === fold.asOfMs) return before;
        const list = { ...(before ?? shownList(read)), asOfMs: fold.asOfMs };
        shown.set(read, list);
        return list;
      },
      trace: () => trends(0).fold.traces.latest('tops'),
      onChange: ofTrending.onChange,
    },
    changed: (stage) => {
      if (stage === VIEW_STAGE) ofUsers.tell();
      else if (stage === TRENDING_STAGE) ofTrending.tell();
    },
  };
}

function shownList({ revision, window, list }: ReadTrending): Omit<TrendingList, 'asOfMs'> {
  const items = list.map(({ item, value, views, clicks, category, velocity }) => ({
    ...{ itemId: item, score: value, views, clicks, category: category === '' ? undefined : category, velocity },
  }));
  return { revision, window, items };
}
