/**
 * GetRecommendations and BatchGetRecommendations: bytes in, bytes out.
 *
 * An answer that is there at once is sent in the same turn: no promise, no listener, no count. One that takes time is counted against its
 * client until it settles, even when the call has ended before, so that cancelled calls cannot pile up work.
 */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type sendUnaryData, type ServerUnaryCall, status } from '@grpc/grpc-js';
import {
  BatchGetRecommendationsRequestSchema,
  GetRecommendationsRequestSchema,
  RecommendationService,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { asError } from '../../runtime/errors.js';
import { answerBytes, batchBytes } from './answer-bytes.js';
import type { CallDesk } from './call-desk.js';
import type { Answer, RecommendationAnswers, RecommendationQuery } from './ports.js';
import { type BatchQuery, batchQueryOf, queryOf } from './request-fields.js';
import { readRequest } from './request-reading.js';
import { type Fault, type FieldViolation, refusal } from './status-details.js';

type Call = ServerUnaryCall<Buffer, Buffer>;
type Reply = sendUnaryData<Buffer>;
type Handler = (call: Call, reply: Reply) => void;

/** What a method does with a request. */
interface Work<D extends DescMessage, Q extends object, A extends object> {
  readonly name: string;
  readonly schema: D;
  readonly check: (request: MessageShape<D>) => Q | readonly FieldViolation[];
  readonly answer: (query: Q) => A | Promise<A>;
  readonly bytes: (query: Q, answer: A) => Buffer;
}

export function recommendationHandlers(
  answers: RecommendationAnswers,
  desk: CallDesk,
): { readonly getRecommendations: Handler; readonly batchGetRecommendations: Handler } {
  return {
    getRecommendations: handler(desk, {
      name: RecommendationService.method.getRecommendations.name,
      schema: GetRecommendationsRequestSchema,
      check: queryOf,
      answer: (query: RecommendationQuery) => answers.get(query),
      bytes: ({ userId, limit }, answer: Answer) => answerBytes(userId, answer, limit),
    }),
    batchGetRecommendations: handler(desk, {
      name: RecommendationService.method.batchGetRecommendations.name,
      schema: BatchGetRecommendationsRequestSchema,
      check: batchQueryOf,
      answer: ({ queries }: BatchQuery) => allOf(queries.map((query) => asked(answers, query))),
      bytes: ({ userIds, limit }, all: readonly Answer[]) => batchBytes(userIds, all, limit),
    }),
  };
}

/** What is thrown waits for the others, which may be under way. */
function asked(answers: RecommendationAnswers, query: RecommendationQuery): Answer | Promise<Answer> {
  try {
    return answers.get(query);
  } catch (error) {
    return Promise.reject(asError(error));
  }
}

/** Without a promise where none is needed. */
function allOf(answers: readonly (Answer | Promise<Answer>)[]): readonly Answer[] | Promise<readonly Answer[]> {
  const isThere = (answer: Answer | Promise<Answer>): answer is Answer => !('then' in answer);
  return answers.every(isThere) ? answers : Promise.all(answers.map((answer) => Promise.resolve(answer)));
}

function handler<D extends DescMessage, Q extends object, A extends object>(
  desk: CallDesk,
  work: Work<D, Q, A>,
): Handler {
  const method = `${RecommendationService.typeName}/${work.name}`;

  const refuse = (reply: Reply, fault: Fault, startedMs: number): void => {
    reply(refusal(fault));
    desk.ended(method, fault.code, startedMs);
  };

  const send = (reply: Reply, query: Q, answer: A, startedMs: number): void => {
    let bytes: Buffer;
    try {
      bytes = work.bytes(query, answer);
    } catch (error) {
      refuse(reply, desk.faultOf(method, error), startedMs);
      return;
    }
    reply(null, bytes);
    desk.ended(method, status.OK, startedMs);
  };

  const sendLater = (call: Call, reply: Reply, query: Q, later: Promise<A>, startedMs: number): void => {
    const leave = desk.clients.enter(call);
    let over = false;
    call.once('cancelled', () => {
      if (!over) desk.ended(method, desk.codeOfCancelled(call), startedMs);
      over = true;
    });
    const settle = (end: () => void): void => {
      leave();
      if (over) return;
      over = true;
      end();
    };
    later.then(
      (answer) => settle(() => send(reply, query, answer, startedMs)),
      (error: unknown) => settle(() => refuse(reply, desk.faultOf(method, error), startedMs)),
    );
  };

  return (call, reply) => {
    const startedMs = performance.now();
    const refused = desk.faultOfCaller(call);
    const read =
      refused === undefined
        ? readRequest(work.schema, call.request, desk.limits.requestBytesMax, work.check)
        : { fault: refused };
    if ('fault' in read) {
      refuse(reply, read.fault, startedMs);
      return;
    }
    let answer: A | Promise<A>;
    try {
      answer = work.answer(read.asked);
    } catch (error) {
      refuse(reply, desk.faultOf(method, error), startedMs);
      return;
    }
    if (answer instanceof Promise) sendLater(call, reply, read.asked, answer, startedMs);
    else send(reply, read.asked, answer, startedMs);
  };
}
