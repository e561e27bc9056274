/**
 * Runs a whole topology in memory, synchronously, clock in hand: no broker, no disk, no waiting.
 *
 *   const driver = new TopologyDriver(mainTopology(options));
 *   driver.publish({ user: 'u1', data: '{"event_type":"view",…}' });
 *   driver.tick(60_000);
 *   expect(driver.rows('recommendations')).toEqual([…]);
 *
 * What is fed runs through at once. Messages wait in mailboxes as in their streams; `pick` chooses the mailbox that goes next, so that a
 * property test can try interleavings; without it the oldest message goes first. `snapshot` and `crash` do what they do to an actor.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ChunkSchema, type Envelope, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fnv1a, utf8 } from '../../runtime/frames/bytes.js';
import type { StoredState } from '../../runtime/state/kinds.js';
import { deadLetters } from '../../runtime/dead-letters/frame.js';
import { type Frame, partitionBy, rowsOf } from '../../runtime/frames/frame.js';
import { decodeFrame, encodeFrame } from '../../runtime/frames/codec.js';
import { MailboxProcessor } from '../../runtime/actor/processor.js';
import { isSource, subjectOf, type Topology, writerOf } from '../../runtime/contract/graph.js';
import { type Counters, NO_COUNTS } from '../../runtime/actor/instance.js';
import type { LogMessage } from '../../runtime/contract/ports.js';
import { RAW } from '../../runtime/contract/stage.js';
import { hasPublishers } from '../../runtime/contract/streams.js';
import { NO_OUTPUT, type OutputPosition } from '../../runtime/actor/output-position.js';

export interface PublishedEvent {
  readonly data: string | Uint8Array;
  /** By whose hash it finds its partition; without one it goes to partition 0. */
  readonly user?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DrivenChunk {
  readonly data: string;
  readonly format?: string;
  readonly file?: string;
  readonly line?: number;
  readonly header?: string;
  readonly endsEpoch?: boolean;
  readonly endsInput?: boolean;
}

export type PlainRow = Readonly<Record<string, string | number | undefined>>;

/** A message of a topic, read. */
export interface TopicMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly envelope: Envelope;
  readonly rows: readonly PlainRow[];
}

/** One message, or the messages of one raw batch. */
type Input = readonly LogMessage[];

interface Instance {
  readonly id: string;
  readonly partition: number;
  processor: MailboxProcessor;
  readonly waiting: Input[];
  /** Taken in since the last snapshot. */
  readonly since: Input[];
  readonly stored: Map<string, Uint8Array>;
  readonly lines: Map<string, DrivenLine>;
}

interface DrivenLine {
  published: OutputPosition;
  enqueue(position: OutputPosition, data: Uint8Array): void;
}

export class TopologyDriver {
  /** What the log's clock shows: `storedAtMs` of what comes next. */
  nowMs = 0;
  private readonly instances = new Map<string, Instance>();
  private readonly topics = new Map<string, LogMessage[]>();
  private readonly sequences = new Map<string, number>();
  /** Mailboxes of waiting inputs, oldest first. */
  private order: Instance[] = [];
  private deferred = false;
  private writes = 0;

  constructor(
    readonly topology: Topology,
    private readonly pick?: (mailboxes: number) => number,
    /** Cells by `<stage>/<partition>`, as `snapshot` of another driver gave them. */
    restored: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> = new Map(),
  ) {
    for (const { id } of topology.topics) this.topics.set(id, []);
    for (const { id } of topology.stages) {
      for (let partition = 0; partition < topology.count(id); partition++) {
        const stored = new Map(restored.get(`${id}/${partition}`));
        const processor = this.newProcessor(id, partition, stored);
        const lines = new Map(processor.destinations.map(({ subject }) => [subject, this.newLine(subject)]));
        this.instances.set(`${id}/${partition}`, { id, partition, processor, waiting: [], since: [], stored, lines });
      }
    }
  }

  /** What publishers send; those of one partition are one frame's worth. */
  publish(...events: readonly PublishedEvent[]): void {
    const to = this.topology.edges.find(({ from, to: port }) => isSource(from) && port.type === RAW)!.to.stage;
    const partitions = this.topology.count(to);
    const batches = new Map<number, LogMessage[]>();
    for (const { data, user, type = 'view', headers } of events) {
      const spread = user !== undefined && partitions > 1;
      const partition = spread ? fnv1a(utf8(user)) % partitions : 0;
      const subject = spread
        ? `rivulet.${to}.${partition}.events.${type}.${user}`
        : `rivulet.events.${type}${user === undefined ? '' : `.${user}`}`;
      const bytes = typeof data === 'string' ? utf8(data) : data;
      batches.set(partition, [...(batches.get(partition) ?? []), this.stored(to, subject, bytes, headers)]);
    }
    for (const [partition, messages] of batches) this.wait(to, partition, messages);
    this.run();
  }

  /** What publishers of the catalogue send, as one frame's worth. */
  publishItems(...items: readonly object[]): void {
    const messages = items.map((item) => this.stored('parse-items', 'rivulet.items.item', utf8(JSON.stringify(item))));
    this.wait('parse-items', 0, messages);
    this.run();
  }

  /** A piece of a file, as a source writes it. */
  chunk(to: string, from: string, chunk: DrivenChunk, partition = 0): void {
    const { data, format = 'csv', file = 'file', line = 1, header = '', endsEpoch = false, endsInput = false } = chunk;
    const value = create(ChunkSchema, { format, file, line, header: utf8(header), data: utf8(data) });
    this.write(to, partition, from, { endsEpoch, endsInput, body: { case: 'chunk', value } });
  }

  /** Rows of a table, to all partitions of a stage by the hash of a column, and the end of the input. */
  table(to: string, from: string, by: string, frame: Frame): void {
    this.together(() => {
      partitionBy(frame, by, this.topology.count(to)).forEach((rows, partition) => {
        if (rows !== undefined) this.write(to, partition, from, { body: { case: 'frame', value: encodeFrame(rows) } });
        this.write(to, partition, from, { endsInput: true });
      });
    });
  }

  /** The clock writes into the mailboxes of stages that publishers write to. */
  tick(timeMs: number): void {
    this.nowMs = timeMs;
    this.together(() => {
      for (const { id } of this.topology.stages) {
        if (!hasPublishers(this.topology, id)) continue;
        for (let p = 0; p < this.topology.count(id); p++) this.write(id, p, 'clock', { tickMs: timeMs });
      }
    });
  }

  /** Feeds several things before any of them runs. */
  together(work: () => void): void {
    const outer = this.deferred;
    this.deferred = true;
    work();
    this.deferred = outer;
    this.run();
  }

  /** The rows of a topic, in the order in which they were said. */
  rows(topic: string): PlainRow[] {
    return this.messages(topic).flatMap(({ rows }) => rows);
  }

  messages(topic: string): TopicMessage[] {
    return this.topics.get(topic)!.map(({ subject, sequence, data }) => {
      const envelope = fromBinary(EnvelopeSchema, data);
      const { body, output } = envelope;
      if (body.case !== 'frame') return { subject, sequence, envelope, rows: [] };
      const from = writerOf(subject).id;
      const type = output === '$poison' ? deadLetters : this.topology.stage(from).outputs[output]!;
      return { subject, sequence, envelope, rows: rowsOf(decodeFrame(body.value, type)) };
    });
  }

  processor(id: string, partition = 0): MailboxProcessor {
    return this.instance(id, partition).processor;
  }

  /** Counters of all instances of a stage together. */
  counts(id: string): Counters {
    const sum: Record<string, number> = { ...NO_COUNTS };
    for (let p = 0; p < this.topology.count(id); p++) {
      const counts = this.processor(id, p).instance.counts();
      for (const [name, n] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + n;
    }
    return { ...NO_COUNTS, ...sum };
  }

  /** Gives all that is stored of the instance now. */
  snapshot(id: string, partition = 0): ReadonlyMap<string, Uint8Array> {
    const { processor, stored, since } = this.instance(id, partition);
    for (const { state, key, value } of processor.cut()) {
      if (value === undefined) stored.delete(`${state}/${key}`);
      else stored.set(`${state}/${key}`, value.slice());
    }
    processor.written();
    since.length = 0;
    return stored;
  }

  /** Loses everything since the last snapshot, restores that and replays. */
  crash(id: string, partition = 0): void {
    const instance = this.instance(id, partition);
    instance.processor.instance.stop();
    instance.processor = this.newProcessor(id, partition, instance.stored);
    for (const input of instance.since.splice(0)) this.step(instance, input);
    this.run();
  }

  private run(): void {
    if (this.deferred) return;
    this.deferred = true;
    while (this.order.length > 0) {
      const instance = this.pick === undefined ? this.order[0]! : this.picked(this.pick);
      this.order.splice(this.order.indexOf(instance), 1);
      this.step(instance, instance.waiting.shift()!);
    }
    this.deferred = false;
  }

  private picked(pick: (mailboxes: number) => number): Instance {
    const mailboxes = [...new Set(this.order)];
    return mailboxes[pick(mailboxes.length)]!;
  }

  private step(instance: Instance, input: Input): void {
    const { processor, lines, since } = instance;
    since.push(input);
    const [first, last] = [input[0]!, input.at(-1)!];
    const raw = processor.isRaw(first);
    const { answer, ingestedAtMs } = raw
      ? { answer: processor.takeRaw(input), ingestedAtMs: first.storedAtMs }
      : processor.take(last);
    const { sequence } = last;
    answer.enqueueTo({ first: first.sequence, sequence, inputsDigest: 0, ...processor.head, ingestedAtMs }, lines);
  }

  private write(
    to: string,
    partition: number,
    from: string,
    said: Parameters<typeof create<typeof EnvelopeSchema>>[1],
  ): void {
    const sequence = ++this.writes;
    const data = toBinary(
      EnvelopeSchema,
      create(EnvelopeSchema, { first: sequence, sequence, lastPart: true, ...said }),
    );
    this.wait(to, partition, [this.stored(to, subjectOf(to, partition, from, partition), data)]);
    this.run();
  }

  private newLine(subject: string): DrivenLine {
    const [, to = '', q = ''] = subject.split('.');
    const line: DrivenLine = {
      published: NO_OUTPUT,
      enqueue: (tag, data) => {
        line.published = tag;
        const message = this.stored(to, subject, data);
        const topic = this.topics.get(to);
        if (topic === undefined) this.wait(to, Number(q), [message]);
        else topic.push(message);
      },
    };
    return line;
  }

  private stored(
    to: string,
    subject: string,
    data: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): LogMessage {
    const sequence = (this.sequences.get(to) ?? 0) + 1;
    this.sequences.set(to, sequence);
    return { sequence, subject, storedAtMs: this.nowMs, data, headers };
  }

  private wait(to: string, partition: number, input: Input): void {
    const instance = this.instance(to, partition);
    instance.waiting.push(input);
    this.order.push(instance);
  }

  private instance(id: string, partition: number): Instance {
    const found = this.instances.get(`${id}/${partition}`);
    if (found === undefined) throw new RangeError(`the topology has no instance ${id}/${partition}`);
    return found;
  }

  private newProcessor(id: string, partition: number, stored: ReadonlyMap<string, Uint8Array>): MailboxProcessor {
    const cells = (cell: string): StoredState => ({
      get: (key) => stored.get(`${cell}/${key}`),
      entries: () =>
        [...stored]
          .filter(([key]) => key.startsWith(`${cell}/`))
          .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          .map(([key, value]) => [key.slice(cell.length + 1), value] as const),
    });
    return new MailboxProcessor(this.topology, this.topology.stage(id), partition, cells);
  }
}
