/**
 * GetRecommendations: bytes in, bytes out.
 *
 * An answer that is there at once is sent in the same turn: no promise, no listener, no count. One that takes time is counted against its
 * client until it settles, even when the call has ended before, so that cancelled calls cannot pile up work.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type sendUnaryData, type ServerUnaryCall, status } from '@grpc/grpc-js';
import {
  type GetRecommendationsRequest,
  GetRecommendationsRequestSchema,
  RecommendationService,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { answerBytes } from './answer-bytes.js';
import type { CallDesk } from './call-desk.js';
import type { Answer, RecommendationAnswers, RecommendationQuery } from './ports.js';
import { queryOf } from './request-fields.js';
import { type Fault, invalidFields, malformed, refusal, tooLarge } from './status-details.js';

type Call = ServerUnaryCall<Buffer, Buffer>;
type Reply = sendUnaryData<Buffer>;

const METHOD = `${RecommendationService.typeName}/${RecommendationService.method.getRecommendations.name}`;

export function recommendationHandlers(
  answers: RecommendationAnswers,
  desk: CallDesk,
): { getRecommendations(call: Call, reply: Reply): void } {
  const refuse = (reply: Reply, fault: Fault, startedMs: number): void => {
    reply(refusal(fault));
    desk.ended(METHOD, fault.code, startedMs);
  };

  const send = (reply: Reply, query: RecommendationQuery, answer: Answer, startedMs: number): void => {
    let bytes: Buffer;
    try {
      bytes = answerBytes(query.userId, answer, query.limit);
    } catch (error) {
      refuse(reply, desk.faultOf(METHOD, error), startedMs);
      return;
    }
    reply(null, bytes);
    desk.ended(METHOD, status.OK, startedMs);
  };

  const sendLater = (
    call: Call,
    reply: Reply,
    query: RecommendationQuery,
    later: Promise<Answer>,
    startedMs: number,
  ): void => {
    const leave = desk.clients.enter(call);
    let over = false;
    call.once('cancelled', () => {
      if (!over) desk.ended(METHOD, desk.codeOfCancelled(call), startedMs);
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
      (error: unknown) => settle(() => refuse(reply, desk.faultOf(METHOD, error), startedMs)),
    );
  };

  return {
    getRecommendations(call, reply) {
      const startedMs = performance.now();
      const asked = desk.faultOfCaller(call) ?? readQuery(call.request, desk.limits.requestBytesMax);
      if ('code' in asked) {
        refuse(reply, asked, startedMs);
        return;
      }
      let answer: Answer | Promise<Answer>;
      try {
        answer = answers.get(asked);
      } catch (error) {
        refuse(reply, desk.faultOf(METHOD, error), startedMs);
        return;
      }
      if ('then' in answer) sendLater(call, reply, asked, answer, startedMs);
      else send(reply, asked, answer, startedMs);
    },
  };
}

function readQuery(bytes: Buffer, bytesMax: number): RecommendationQuery | Fault {
  if (bytes.length > bytesMax) return tooLarge(bytes.length, bytesMax);
  let request: GetRecommendationsRequest;
  try {
    request = fromBinary(GetRecommendationsRequestSchema, bytes);
  } catch {
    return malformed(GetRecommendationsRequestSchema.typeName);
  }
  const query = queryOf(request);
  return 'userId' in query ? query : invalidFields(query);
}
