/** The answer of GET /status: how the node and its stages are, for people who watch it. */
import { z } from 'zod';

const instant = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');
const count = z.number().int().min(0);
const seconds = z.number();

const state = z.enum(['restoring', 'running', 'backoff', 'stopped', 'failed']);

const child = z.object({
  name: z.string(),
  state,
  since: instant.optional().describe('Since when it is in this state; absent: since the node started'),
  restarts: count,
  last_error: z.string().optional(),
});

const partition = z.object({
  partition: count,
  state,
  messages_in: count.describe('Since the thread started, as are rows_out, busy_seconds, restarts and snapshots'),
  rows_out: count,
  busy_seconds: seconds,
  lag_messages: count.optional().describe('Messages stored in its mailbox and not yet processed; absent: unknown'),
  lag_seconds: seconds.optional().describe('Age of the oldest of these; absent: unknown'),
  watermark: instant.optional().describe('Event time'),
  restarts: count,
  last_error: z.string().optional(),
  state_keys: count,
  snapshots: count,
  snapshot_seconds: seconds.describe('Duration of the last one'),
  snapshot_bytes: count.describe('Size of the last one'),
});

export const statusReport = z
  .object({
    version: z.string(),
    subject: z.enum(['items', 'films']).describe('What the items are, for the words of the page'),
    node: z.string(),
    now: instant,
    started_at: instant,
    serving: z.boolean(),
    reasons: z.array(z.string()).describe('Why it does not serve or does not accept events; empty when it does both'),
    as_of: instant.optional().describe('The latest event time that was seen'),
    partitions: count.describe('By user'),
    edges: z
      .array(z.object({ from: z.string(), to: z.string(), label: z.string().optional() }))
      .describe('Of the topology, with `events`, where events come in, and the topics in which results are kept'),
    chains: z
      .array(z.array(z.string()))
      .describe(
        'Stages that run as one: with one mailbox, that of the first, and one snapshot; empty where all run apart',
      ),
    stages: z.array(z.object({ stage: z.string(), partitions: z.array(partition) })).describe('What this node runs'),
    supervision: z
      .array(
        child.extend({
          level: z.enum(['server', 'thread']),
          shards: z.array(
            child.extend({
              instances: z.array(child).describe('Named <stage>.<partition>, of stages that run as one by all of them'),
            }),
          ),
        }),
      )
      .describe(
        'What the node supervises: the embedded nats-server and its threads, with their shards and instances. A failing part is restarted alone; one that ' +
          'fails too often restarts the next larger part',
      ),
    counters: z
      .object({ events: count, on_time: count, late: count, dead_letter: count, duplicates: count })
      .describe('Of the partitions that this node runs; part of their state, so that they survive a restart'),
    latency: z
      .object({ p50_seconds: seconds.optional(), p99_seconds: seconds.optional(), count })
      .describe(
        'From an event stored to the changed list readable: percentiles over the newest, the count since the start',
      ),
    requests: z.object({ http_total: count, grpc_total: count }).describe('Since the start'),
    answers: z
      .object({
        count,
        fallback: count.describe('With popular items only'),
        empty: count.describe('Without items'),
      })
      .describe('Lists of recommendations that this node gave in the last five minutes; streamed ones are not counted'),
  })
  .meta({ id: 'Status' });

export type StatusReport = z.infer<typeof statusReport>;
export type SupervisionTree = StatusReport['supervision'];
export type PartitionStatus = StatusReport['stages'][number]['partitions'][number];
