/**
 * GetRecommendations: bytes in, bytes out.
 *
 * An answer that is there at once is sent in the same turn: no promise, no listener, no count. One that takes time is counted against its
 * client until it settles, even when the call has ended before, so that cancelled calls cannot pile up work.
 */
import { fromBinary } from '@bufbuild/protobuf';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import {
  type GetRecommendationsRequest,
  GetRecommendationsRequestSchema,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { answerBytes } from './answer-bytes.js';
import type { CallDesk } from './call-desk.js';
import type { Answer, RecommendationAnswers, RecommendationQuery } from './ports.js';
import { queryOf } from './request-fields.js';
import { type Fault, faultOf, invalidFields, malformed, refusal, tooLarge } from './status-details.js';

type Call = ServerUnaryCall<Buffer, Buffer>;
type Reply = sendUnaryData<Buffer>;

export function recommendationHandlers(
  answers: RecommendationAnswers,
  desk: CallDesk,
): { getRecommendations(call: Call, reply: Reply): void } {
  const send = (reply: Reply, query: RecommendationQuery, answer: Answer): void => {
    let bytes: Buffer;
    try {
      bytes = answerBytes(query.userId, answer, query.limit);
    } catch (error) {
      reply(refusal(faultOf(error)));
      return;
    }
    reply(null, bytes);
  };

  const sendLater = (call: Call, reply: Reply, query: RecommendationQuery, later: Promise<Answer>): void => {
    const leave = desk.clients.enter(call);
    later.then(
      (answer) => {
        leave();
        send(reply, query, answer);
      },
      (error: unknown) => {
        leave();
        reply(refusal(faultOf(error)));
      },
    );
  };

  return {
    getRecommendations(call, reply) {
      const asked = readQuery(call.request, desk.limits.requestBytesMax);
      if ('code' in asked) {
        reply(refusal(asked));
        return;
      }
      const answer = answers.get(asked);
      if ('then' in answer) sendLater(call, reply, asked, answer);
      else send(reply, asked, answer);
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
