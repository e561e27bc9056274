/**
 * Drives a sink from topics, exactly once. The sink's durable position and the sequences that it covers are stored in one batch; after a crash the
 * sink is truncated to that position, and reading resumes after those sequences.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type Envelope, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { writerKey } from '../actor/alignment.js';
import { textOf, utf8 } from '../frames/bytes.js';
import { deadLetters } from '../dead-letters/frame.js';
import { asError, fatal } from '../contract/errors.js';
import { frameIn } from '../frames/codec.js';
import { streamOf, type Topology, writerOf } from '../contract/graph.js';
import { Predecessors } from '../log-integrity/predecessors.js';
import { FOREIGN } from '../log-integrity/last-message.js';
import { judgeStream, mustFit } from '../log-integrity/verdict.js';
import type { Clock, Log, Logger, LogMessage, Reader, Sink, Store } from '../contract/ports.js';
import { RAW, type InputType } from '../contract/stage.js';

export interface SinkRunnerOptions {
  readonly topology: Topology;
  readonly topics: readonly string[];
  readonly sink: Sink;
  readonly log: Log;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly syncEveryMs: number;
  /** The epoch with which an earlier job ended its input, which this one goes on with. */
  readonly endedBefore?: number | undefined;
}

interface Progress {
  /** Per topic: the last sequence in the sink, and its stream. */
  readonly sequences: Record<string, number>;
  readonly streams: Record<string, string>;
  /** By `<topic>/<writer>`: the epoch with which it has ended its input. */
  readonly ended: Readonly<Record<string, number>>;
  /** Per topic and subject: the last message in the sink. */
  readonly lastRead?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly position: string | undefined;
}

const KEY = 'sink/progress';
const TAKE_MESSAGES = 64;
const HINT = 'restore the NATS store, or start anew with --restart';

function progressIn(store: Store): Progress {
  const bytes = store.getSync(KEY);
  if (bytes === undefined) return { sequences: {}, streams: {}, ended: {}, position: undefined };
  return JSON.parse(textOf(bytes)) as Progress;
}

/** A topic that ends before the sink's position, or another stream, would give wrong rows silently. */
async function fittingIdentity(
  log: Log,
  topic: string,
  { sequences, streams }: Pick<Progress, 'sequences' | 'streams'>,
): Promise<string> {
  const info = await log.info(streamOf(topic));
  const { [topic]: stream } = streams;
  const read = stream === undefined ? undefined : { sequence: sequences[topic] ?? 0, stream };
  mustFit(judgeStream(`the sink of ${topic}`, streamOf(topic), read, info), HINT);
  return info.identity;
}

export class SinkRunner {
  private readonly sequences: Record<string, number>;
  private readonly streams: Record<string, string>;
  private readonly ended: Map<string, number>;
  private readonly predecessors: Map<string, Predecessors>;
  private readonly seen = new Map<string, readonly [topic: string, sequence: number]>();
  private readonly readers: Reader[] = [];
  private dirty = false;
  private busy: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: SinkRunnerOptions,
    progress: Progress,
  ) {
    this.sequences = progress.sequences;
    this.streams = progress.streams;
    this.ended = new Map(Object.entries(progress.ended));
    this.predecessors = new Map(
      options.topics.map((topic) => [
        topic,
        new Predecessors(`the sink of ${topic}`, progress.sequences[topic] ?? 0, progress.lastRead?.[topic] ?? {}),
      ]),
    );
  }

  /** Checks that the log has all that the sink has, before new writes to the log: Fatal LOG_BEHIND. */
  static async check({ log, store, topics }: Pick<SinkRunnerOptions, 'log' | 'store' | 'topics'>): Promise<void> {
    const progress = progressIn(store);
    for (const topic of topics) await fittingIdentity(log, topic, progress);
  }

  static async open(options: SinkRunnerOptions): Promise<SinkRunner> {
    const progress = progressIn(options.store);
    await options.sink.open(progress.position);
    return new SinkRunner(options, progress);
  }

  /** Reads until every writer of every topic has ended its input; resolves when all rows are durable. */
  async run(signal: AbortSignal): Promise<void> {
    const { topics, clock, syncEveryMs } = this.options;
    const over = new AbortController();
    const stop = (): void => {
      over.abort();
      for (const reader of this.readers) void reader.close();
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const reading = topics.map((topic) => this.readTopic(topic, over.signal));
    const syncing = (async () => {
      while (!over.signal.aborted) {
        await clock.sleep(syncEveryMs, over.signal);
        await this.exclusively(() => this.sync());
      }
    })();
    try {
      await Promise.race([Promise.all(reading), syncing]);
      stop();
      await Promise.all(reading);
      await syncing;
      await this.exclusively(() => this.sync());
    } finally {
      stop();
      signal.removeEventListener('abort', stop);
      // This run must not write after another one has opened the sink at the stored position.
      await Promise.allSettled([...reading, syncing]);
      await this.busy;
      await this.options.sink.close();
    }
  }

  get finished(): boolean {
    return this.options.topics.every((topic) => this.isOver(topic));
  }

  private async readTopic(topic: string, over: AbortSignal): Promise<void> {
    const { log } = this.options;
    if (this.isOver(topic)) return;
    this.streams[topic] = await fittingIdentity(log, topic, { sequences: this.sequences, streams: this.streams });
    const from = (this.sequences[topic] ?? 0) + 1;
    const reader = await log.read(streamOf(topic), { filters: [`rivulet.${topic}.>`], from });
    this.readers.push(reader);
    // A stop closes the readers that are open by then.
    while (!this.isOver(topic) && !over.aborted) {
      const messages = await reader.take(TAKE_MESSAGES);
      if (messages.length === 0) break;
      await this.exclusively(async () => {
        for (const message of messages) await this.takeMessage(topic, message);
      });
    }
    await reader.close();
  }

  /** Writing and syncing are serialized, so that a position never lies between a message and its sequence. */
  private async exclusively(work: () => Promise<void>): Promise<void> {
    const turn = this.busy.then(work);
    // The caller of this work gets its error; the next one does not.
    this.busy = turn.catch(() => undefined);
    await turn;
  }

  private async takeMessage(topic: string, message: LogMessage): Promise<void> {
    mustFit(this.predecessors.get(topic)!.check(message), HINT);
    this.sequences[topic] = message.sequence;
    if (message.expected === undefined) {
      const { subject, sequence } = message;
      this.options.logger.warn({ stream: streamOf(topic), subject, sequence }, FOREIGN);
      return;
    }
    const envelope = fromBinary(EnvelopeSchema, message.data);
    const { id, partition } = writerOf(message.subject);
    if (envelope.body.case !== undefined) {
      const frame = frameIn(envelope.body, this.typeOf(topic, id, envelope));
      if (frame !== undefined) await this.options.sink.write(topic, envelope.epoch, frame, envelope.asOfMs);
    }
    if (envelope.endsInput) this.ended.set(`${topic}/${writerKey(id, partition)}`, envelope.epoch);
    this.seen.set(message.subject, [topic, message.sequence]);
    this.dirty = true;
  }

  private typeOf(topic: string, from: string, { output }: Envelope): Exclude<InputType, typeof RAW> {
    if (output === '$poison') return deadLetters;
    const upstream = this.options.topology
      .upstreams(topic)
      .find((candidate) => candidate.id === from && candidate.output === output);
    if (upstream === undefined || upstream.type === RAW) {
      throw fatal('UNKNOWN_UPSTREAM', `no edge leads from ${from}.${output} to ${topic}`);
    }
    return upstream.type;
  }

  private isOver(topic: string): boolean {
    const { topology, endedBefore = -1 } = this.options;
    return topology.upstreams(topic).every(({ id, instances }) => {
      const writers = topology.count(id);
      return Array.from({ length: writers }, (_, p) => p)
        .filter((p) => Array.from({ length: topology.count(topic) }, (_, q) => q).some((q) => instances(q).includes(p)))
        .every((p) => (this.ended.get(`${topic}/${writerKey(id, p)}`) ?? -1) > endedBefore);
    });
  }

  private async sync(): Promise<void> {
    if (!this.dirty) return;
    this.dirty = false;
    const seen = [...this.seen];
    const position = await this.options.sink.sync();
    const { sequences, streams } = this;
    const lastRead = Object.fromEntries([...this.predecessors].map(([topic, one]) => [topic, one.all]));
    const progress: Progress = { sequences, streams, ended: Object.fromEntries(this.ended), lastRead, position };
    await this.options.store.write([{ key: KEY, value: utf8(JSON.stringify(progress)) }]);
    for (const [subject, [topic, sequence]] of seen) {
      await this.options.log.purge(streamOf(topic), subject, sequence).catch((error: unknown) => {
        this.options.logger.warn({ err: asError(error), subject }, 'cannot trim the topic now');
      });
    }
  }
}
