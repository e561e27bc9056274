/**
 * Reads all messages of all streams while they are published, and finds what was published twice: on each subject the output positions of its
 * writer must rise, and each message must follow the one that its writer names as its predecessor.
 */
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import type { Envelope } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { PUBLISHERS, streamOf } from '../../runtime/contract/graph.js';
import type { Log, LogMessage, Reader } from '../../runtime/contract/ports.js';
import { partsIn } from '../../runtime/frames/joined.js';
import { pause } from './blows.js';
import { until } from './nats-cluster.js';

interface Said {
  readonly at: number;
  readonly sequence: number;
  readonly part: number;
  readonly lastPart: boolean;
}

const REOPEN_MS = 100;
const TAKEN_MAX = 500;

export class Witness {
  /** Answers of stages. */
  answers = 0;
  /** Trimmed before it was read here. */
  unseen = 0;
  /** What must not be. */
  readonly wrong: string[] = [];
  private readonly said = new Map<string, Said>();
  private readonly next = new Map<string, number>();
  private readonly readers = new Map<string, Reader>();
  private readonly reading: Promise<void>[] = [];
  private stopped = false;

  private constructor(private readonly log: Log) {}

  /** Start a node before, which makes the streams. */
  static async start(
    url: string,
    { partitions, chaining = 'off' }: { readonly partitions: number; readonly chaining?: string },
  ): Promise<Witness> {
    const witness = new Witness(await openNatsLog(await connectNats({ url }, 'witness')));
    const settings = Object.entries({ partitions: String(partitions), 'pipeline.chaining': chaining });
    const { config } = loadConfig({ flags: settings.map(([key, value]) => ({ key, value, bySet: true })), env: {} });
    const { stages, topics, upstreams } = mainTopology(pipelineOptions(config));
    // Where publishers are upstream, they say what they like.
    for (const { id } of [...stages, ...topics]) {
      if (upstreams(id).some((upstream) => PUBLISHERS.has(upstream.id))) continue;
      witness.next.set(streamOf(id), 1);
      witness.reading.push(witness.read(streamOf(id)));
    }
    return witness;
  }

  /** Resolves when it has read all that was stored up to now. */
  async seenAll(): Promise<void> {
    for (const [stream] of this.next) {
      const { lastSequence } = await until(`the end of ${stream}`, () => this.log.info(stream));
      await until(`the witness to read ${stream} to ${lastSequence}`, async () =>
        this.next.get(stream)! > lastSequence ? true : undefined,
      );
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.readers.values()].map((reader) => reader.close()));
    await Promise.all(this.reading);
    await this.log.close();
  }

  private async read(stream: string): Promise<void> {
    while (!this.stopped) {
      try {
        const reader = await this.log.read(stream, { filters: ['rivulet.>'], from: this.next.get(stream)! });
        this.readers.set(stream, reader);
        for (;;) {
          const messages = await reader.take(TAKEN_MAX);
          if (messages.length === 0) break;
          for (const message of messages) {
            this.hear(message);
            this.next.set(stream, message.sequence + 1);
          }
        }
      } catch {
        // A server that is away, or a leader to be: it goes on from where it was.
        await pause(REOPEN_MS);
      }
    }
  }

  private hear(message: LogMessage): void {
    partsIn(message.data).forEach((part, i) => this.hearPart(message, part, i === 0));
  }

  private hearPart({ sequence: at, subject, expected }: LogMessage, envelope: Envelope, isFirst: boolean): void {
    const { first, sequence, part, lastPart, claim } = envelope;
    const before = this.said.get(subject);
    this.said.set(subject, { at, sequence, part, lastPart });
    this.answers++;
    const where = `${subject} at ${at}: inputs ${first} to ${sequence}, part ${part}`;
    if (isFirst && expected !== undefined && expected !== (before?.at ?? 0)) {
      if (before !== undefined && expected < before.at)
        this.wrong.push(`${where}, follows ${expected}, not ${before.at}`);
      this.unseen++;
      return;
    }
    if (before === undefined) return;
    if (claim) {
      // An owner lets others know that it is there, under the tag of what was said last (OUTBOX-5).
      if (sequence !== before.sequence || part !== before.part) this.wrong.push(`${where}, claims what was not said`);
      return;
    }
    const goesOn = sequence === before.sequence && part === before.part + 1 && !before.lastPart;
    const isNew = first > before.sequence && part === 0 && before.lastPart;
    if (!goesOn && !isNew) this.wrong.push(`${where}, after input ${before.sequence}, part ${before.part}`);
  }
}
