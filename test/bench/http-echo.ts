/**
 * A bare Fastify server for benchmarks, in a process of its own: answers every GET /reco/{user} with the next of the bodies that it was given, as
 * lines of base64 on stdin. Says its port on stdout.
 */
import { createInterface } from 'node:readline';
import fastify from 'fastify';

const answers: Buffer[] = [];
for await (const line of createInterface({ input: process.stdin })) answers.push(Buffer.from(line, 'base64'));

const app = fastify();
let next = 0;
app.get('/reco/:user_id', (_, reply) => {
  void reply.type('application/json; charset=utf-8').send(answers[next++ % answers.length]);
});
await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${(app.server.address() as { readonly port: number }).port}\n`);
