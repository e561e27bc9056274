/**
 * A bare grpc-js server for benchmarks, in a process of its own: answers every GetRecommendations with the next of the messages that it was given,
 * as lines of base64 on stdin. Says its port on stdout.
 */
import { createInterface } from 'node:readline';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { byteServiceDefinition } from '../../connectors/grpc/server/service-definition.js';
import { RecommendationService } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';

const answers: Buffer[] = [];
for await (const line of createInterface({ input: process.stdin })) answers.push(Buffer.from(line, 'base64'));

const { getRecommendations } = byteServiceDefinition(RecommendationService);
const server = new Server();
let next = 0;
server.addService(
  { getRecommendations },
  {
    getRecommendations: (_call: unknown, reply: (error: null, answer: Buffer) => void) => {
      reply(null, answers[next++ % answers.length]!);
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${port}\n`);
});
