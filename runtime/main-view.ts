/** GetRecommendations from the view's cells (composition): the user's partition, then the answer's maths. */
import { answer } from '../actors/maths/answer.js';
import { type RecommendationCells, recommendationReader } from '../actors/recommendations.js';
import type { Answer, RecommendationQuery } from '../connectors/grpc/ports.js';
import { fnv1a, utf8 } from './bytes.js';
import { transient } from './errors.js';
import type { Topology } from './graph.js';
import type { Host } from './host.js';
import type { MailboxFold } from './fold.js';
import { VIEW_STAGE } from './main-units.js';

/** While a partition of the view restarts, it answers as it last stood. Throws Transient VIEW_RESTORING before it has stood at all. */
export function viewAnswers(host: Host, topology: Topology): (query: RecommendationQuery) => Answer {
  const partitions = topology.count(VIEW_STAGE);
  const latest = new Map<number, MailboxFold>();
  const readers = new WeakMap<MailboxFold, ReturnType<typeof recommendationReader>>();
  return (query) => {
    const partition = fnv1a(utf8(query.userId)) % partitions;
    const fold = host.actor(VIEW_STAGE, partition)?.fold ?? latest.get(partition);
    if (fold === undefined) throw transient('VIEW_RESTORING', `partition ${partition} of the view is restarting`);
    let reader = readers.get(fold);
    if (reader === undefined) {
      latest.set(partition, fold);
      // The cells are those of the recommendations stage, by its own spec.
      reader = recommendationReader(fold.instance.cellsOf() as unknown as RecommendationCells);
      readers.set(fold, reader);
    }
    const { userId: user, limit, category, excludeSeen, explain } = query;
    const { items, model } = answer(reader, { user, limit, category, excludeSeen, explain });
    return { items, model, asOfMs: fold.asOfMs };
  };
}
