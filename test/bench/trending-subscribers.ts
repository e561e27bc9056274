/**
 * Subscribers for the benchmark of StreamTrending: `trending-subscribers.js <address> <subscribers> <connections> <every ms> <seconds>`.
 *
 * A message is read just so far that its revision and its time are known. How long a change took, for one subscriber, is the time from the
 * change to the first message that has it in it: also of changes that were coalesced into a later message.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import {
  StreamTrendingRequestSchema,
  StreamTrendingResponseSchema,
} from '../../proto/gen/rivulet/v1/trending_service_pb.js';
import { percentile } from './machine.js';

/** What it prints: one line of JSON when all have their first message, one at the end. */
export interface SubscribersReport {
  readonly ready: number;
  readonly messages: number;
  readonly changes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuSeconds: number;
}

const PATH = '/rivulet.v1.TrendingService/StreamTrending';
/** After the first changes. */
const WARM_UP_MS = 3_000;

const { revision, asOf } = StreamTrendingResponseSchema.field;

/** Revision and time, the first two fields. */
function headOf(message: Uint8Array): { readonly revision: number; readonly ms: number } {
  const reader = new BinaryReader(message);
  const found = { revision: 0, ms: 0 };
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === revision.number) found.revision = Number(reader.uint64());
    else if (field === asOf.number) {
      const inner = new BinaryReader(reader.bytes());
      while (inner.pos < inner.len) {
        const [part] = inner.tag();
        found.ms += part === 1 ? Number(inner.int64()) * 1000 : inner.int32() / 1e6;
      }
      return found;
    } else reader.skip(type, field);
  }
  return found;
}

async function main(): Promise<void> {
  const [address, ...numbers] = process.argv.slice(2);
  const [subscribers, connections, everyMs, seconds] = numbers.map(Number) as [number, number, number, number];
  const same = (bytes: Buffer): Buffer => bytes;
  const request = Buffer.from(toBinary(StreamTrendingRequestSchema, create(StreamTrendingRequestSchema)));
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_http_proxy': 0 };
  const clients = Array.from(
    { length: connections },
    () => new Client(address!, credentials.createInsecure(), options),
  );
  const latencies: number[] = [];
  let [ready, messages, measureFromMs] = [0, 0, Infinity];
  const report = (): void => {
    latencies.sort((a, b) => a - b);
    const { user, system } = process.cpuUsage();
    const line: SubscribersReport = {
      ...{ ready, messages, changes: latencies.length, cpuSeconds: (user + system) / 1e6 },
      ...{ p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), maxMs: latencies.at(-1) ?? NaN },
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const subscribe = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let has = 0;
      const call = clients[n % connections]!.makeServerStreamRequest(PATH, same, same, request, new Metadata());
      call.on('error', reject);
      call.on('data', (message: Buffer) => {
        const now = Date.now();
        const head = headOf(message);
        if (has === 0) resolve();
        else if (now >= measureFromMs) {
          messages++;
          for (let of = has + 1; of <= head.revision; of++)
            latencies.push(now - head.ms + (head.revision - of) * everyMs);
        }
        has = head.revision;
      });
    });
  // Some at a time: what is measured is the stream, not two thousand handshakes at once.
  for (let n = 0; n < subscribers; n += 50) {
    await Promise.all(Array.from({ length: Math.min(50, subscribers - n) }, (_, i) => subscribe(n + i)));
  }
  ready = subscribers;
  report();
  measureFromMs = Date.now() + WARM_UP_MS;
  setTimeout(
    () => {
      report();
      process.exit(0);
    },
    WARM_UP_MS + seconds * 1000,
  );
}

await main();
