/** What the façade answers from the cells of the views (composition): the partition, then the maths of the answer. */
import { answer, type AnswerItem, MODEL, type Question, type RecommendationReader } from '../../actors/maths/answer.js';
import { type PackedList, unpackList } from '../../actors/maths/ranked-list.js';
import { type RecommendationCells, recommendationReader } from '../../actors/recommendations.js';
import { type ReadTrending, type TrendingListCells, trendingReader } from '../../actors/trending-lists.js';
import type {
  Answer,
  RecommendationChanges,
  RecommendationQuery,
  TrendingList,
  TrendingLists,
  TrendingRanking,
} from '../../connectors/facade/ports.js';
import type { RandomUsers } from '../../connectors/http/ports.js';
import { partitionOf } from '../law.js';
import type { Topology } from '../contract/graph.js';
import type { Host } from '../shards/host.js';
import { Catalogue, type Named } from './catalogue.js';
import { readersOf } from './view-readers.js';
import { CATALOGUE_STAGE, TRENDING_STAGE, VIEW_STAGE } from './shards.js';

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

/** How many users the next random one may be away from the last. */
const SKIPPED_MAX = 64;

/** A list as it is kept. Its items are made when somebody looks at them, and nobody does who knows the list already (`sameAs`). */
class KeptAnswer implements Answer {
  readonly model = MODEL;

  constructor(
    readonly sameAs: object,
    private readonly list: PackedList,
    private readonly catalogue: Catalogue,
    private readonly reader: RecommendationReader,
    private readonly question: Question,
    readonly asOfMs: number | undefined,
    readonly trace: Answer['trace'],
  ) {}

  get items(): readonly (AnswerItem & Named)[] {
    const { items } = answer({ ...this.reader, listOf: () => unpackList(this.list) }, this.question);
    return this.catalogue.named(items);
  }
}

export interface Views {
  readonly answers: RecommendationChanges & { get(query: RecommendationQuery): Answer };
  /** A user of whom something is known, for samples. */
  readonly randomUsers: RandomUsers;
  readonly trending: TrendingLists;
  readonly catalogue: Catalogue;
  /** A view has taken something in. */
  changed(stage: string): void;
}

export function viewsOf(host: () => Host, topology: Topology, rankings: readonly TrendingRanking[]): Views {
  const partitions = topology.count(VIEW_STAGE);
  const [ofUsers, ofTrending] = [new Listeners(), new Listeners()];
  const catalogue = new Catalogue(host, () => {
    ofUsers.tell();
    ofTrending.tell();
  });
  // The cells are those of the stages, by their own specs.
  const users = readersOf(host, VIEW_STAGE, ({ instance }) =>
    recommendationReader(instance.cellsOf() as unknown as RecommendationCells),
  );
  const trends = readersOf(host, TRENDING_STAGE, ({ instance }) =>
    trendingReader(instance.cellsOf() as unknown as TrendingListCells),
  );
  const ofUser = (userId: string) => users(partitionOf(userId, partitions));
  const shown = new WeakMap<object, { readonly list: TrendingList; readonly revision: number }>();
  return {
    answers: {
      get: ({ userId: user, limit, category, excludeSeen, explain }) => {
        const { fold, reader } = ofUser(user);
        const question = { user, limit, category, excludeSeen, explain };
        const [asOfMs, trace] = [fold.asOfMs, fold.traces.latest('lists', user)];
        const kept = category === undefined && !excludeSeen ? reader.kept(user) : undefined;
        if (kept !== undefined) {
          const same = catalogue.sameAs(kept)[explain ? 'explained' : 'plain'];
          return new KeptAnswer(same, kept, catalogue, reader, question, asOfMs, trace);
        }
        const { items, model } = answer(reader, question);
        return { items: catalogue.named(items), model, asOfMs, trace };
      },
      version: (user) => `${ofUser(user).reader.version(user)}/${catalogue.toldRevision}`,
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
        const { toldRevision: revision } = catalogue;
        const known = shown.get(read);
        const before = known?.revision === revision ? known.list : undefined;
        if (before !== undefined && before.asOfMs === fold.asOfMs) return before;
        const list = { ...(before ?? shownList(read, catalogue)), asOfMs: fold.asOfMs };
        shown.set(read, { list, revision });
        return list;
      },
      trace: () => trends(0).fold.traces.latest('tops'),
      onChange: ofTrending.onChange,
    },
    catalogue,
    changed: (stage) => {
      if (stage === VIEW_STAGE) ofUsers.tell();
      else if (stage === TRENDING_STAGE) ofTrending.tell();
      else if (stage === CATALOGUE_STAGE) catalogue.changed();
    },
  };
}

function shownList({ revision, window, list }: ReadTrending, catalogue: Catalogue): Omit<TrendingList, 'asOfMs'> {
  const items = list.map(({ item, value, views, clicks, category, velocity }) => ({
    ...{ itemId: item, score: value, views, clicks, category: category === '' ? undefined : category, velocity },
  }));
  return { revision, window, items: catalogue.named(items) };
}
