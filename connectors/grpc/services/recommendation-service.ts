/**
 * GetRecommendations, BatchGetRecommendations and SimilarItems: bytes in, bytes out.
 *
 * A result that is available at once is sent in the same turn of the event loop: no promise, no listener, no count. One that takes time counts
 * against its client until it settles, even if the call has ended before, so that cancelled calls cannot pile up work.
 */
import { create, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import {
  BatchGetRecommendationsRequestSchema,
  GetRecommendationsRequestSchema,
  SimilarItemsRequestSchema,
  SimilarItemsResponseSchema,
} from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { asError } from '../../../runtime/contract/errors.js';
import { answerBytes, batchBytes } from '../codec/answer-bytes.js';
import { interceptedOf, spanOf } from '../server/intercepted-call.js';
import { asBuffer } from '../server/service-definition.js';
import type {
  Answer,
  RecommendationAnswers,
  RecommendationQuery,
  SimilarEntry,
  SimilarItems,
} from '../../facade/ports.js';
import { type BatchQuery, batchQueryOf, queryOf, similarQueryOf } from './request-fields.js';
import { readRequest } from './request-reading.js';
import { faultOf, type FieldViolation, itemUnknown } from '../../facade/errors/fault.js';
import { refusal } from '../server/status-details.js';

type Call = ServerUnaryCall<Buffer, Buffer>;
type Reply = sendUnaryData<Buffer>;
type Handler = (call: Call, reply: Reply) => void;

/** The work of a method for a request. */
interface Work<D extends DescMessage, Q extends object, A extends object> {
  readonly schema: D;
  readonly check: (request: MessageShape<D>) => Q | readonly FieldViolation[];
  readonly answer: (query: Q) => A | Promise<A>;
  readonly bytes: (query: Q, answer: A) => Buffer;
  readonly lists: (answer: A) => readonly Answer[];
}

export function recommendationHandlers(
  answers: RecommendationAnswers,
  similar: SimilarItems | undefined,
): Readonly<Record<string, Handler>> {
  return {
    ...(similar && { similarItems: similarItems(similar) }),
    getRecommendations: handler({
      schema: GetRecommendationsRequestSchema,
      check: queryOf,
      answer: (query: RecommendationQuery) => answers.get(query),
      bytes: ({ userId, limit }, answer: Answer) => answerBytes(userId, answer, limit),
      lists: (answer: Answer) => [answer],
    }),
    batchGetRecommendations: handler({
      schema: BatchGetRecommendationsRequestSchema,
      check: batchQueryOf,
      answer: ({ queries }: BatchQuery) => allOf(queries.map((query) => answerOrError(answers, query))),
      bytes: ({ userIds, limit }, all: readonly Answer[]) => batchBytes(userIds, all, limit),
      lists: (all: readonly Answer[]) => all,
    }),
  };
}

const similarItems =
  (similar: SimilarItems): Handler =>
  (call, reply) => {
    const read = readRequest(SimilarItemsRequestSchema, call.request, similarQueryOf);
    if ('fault' in read) {
      reply(refusal(read.fault));
      return;
    }
    const { itemId } = read.query;
    const items = similar.get(read.query);
    if (items === undefined) {
      reply(refusal(itemUnknown(itemId)));
      return;
    }
    const message = create(SimilarItemsResponseSchema, { itemId, items: items.map(asMessage) });
    reply(null, asBuffer(toBinary(SimilarItemsResponseSchema, message)));
  };

const asMessage = ({ itemId, rank, score, category, title, brand, price }: SimilarEntry) => ({
  ...{ itemId, rank, score },
  ...(category === undefined ? {} : { category }),
  ...(title === undefined ? {} : { title }),
  ...(brand === undefined ? {} : { brand }),
  ...(price === undefined ? {} : { price }),
});

/** An exception becomes a rejection: the other answers may be under way. */
function answerOrError(answers: RecommendationAnswers, query: RecommendationQuery): Answer | Promise<Answer> {
  try {
    return answers.get(query);
  } catch (error) {
    return Promise.reject(asError(error));
  }
}

/** Returns a promise only if one of the answers is a promise. */
function allOf(answers: readonly (Answer | Promise<Answer>)[]): readonly Answer[] | Promise<readonly Answer[]> {
  const isThere = (answer: Answer | Promise<Answer>): answer is Answer => !('then' in answer);
  return answers.every(isThere) ? answers : Promise.all(answers.map((answer) => Promise.resolve(answer)));
}

function handler<D extends DescMessage, Q extends object, A extends object>(work: Work<D, Q, A>): Handler {
  const send = (call: Call, reply: Reply, query: Q, answer: A): void => {
    let bytes: Buffer;
    try {
      bytes = work.bytes(query, answer);
    } catch (error) {
      reply(refusal(faultOf(error)));
      return;
    }
    for (const { trace } of work.lists(answer)) spanOf(call)?.tookIn(trace);
    reply(null, bytes);
  };

  const sendLater = (call: Call, reply: Reply, query: Q, later: Promise<A>): void => {
    const leave = interceptedOf(call)!.enterCalls();
    later.then(
      (answer) => {
        leave();
        send(call, reply, query, answer);
      },
      (error: unknown) => {
        leave();
        reply(refusal(faultOf(error)));
      },
    );
  };

  return (call, reply) => {
    const read = readRequest(work.schema, call.request, work.check);
    if ('fault' in read) {
      reply(refusal(read.fault));
      return;
    }
    const answer = work.answer(read.query);
    if (answer instanceof Promise) sendLater(call, reply, read.query, answer);
    else send(call, reply, read.query, answer);
  };
}
