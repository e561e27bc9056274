/**
 * Processes one mailbox: messages in stream order in, output batches out; stage, epochs and alignment buffer in between. Synchronous, no I/O: the
 * actor drives it from the log, the topology driver of the tests from memory.
 */
import { create } from '@bufbuild/protobuf';
import { type Envelope, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { Alignment, type AlignmentState, initialAlignment, writerKey } from './alignment.js';
import { partsIn } from '../frames/joined.js';
import { StageFailure } from '../plan/chain.js';
import { lossOf, type MailboxRecord, placeOf, type Quarantined, rowsIn } from './quarantine.js';
import { type StoredState, value } from '../state/kinds.js';
import { deadLetters } from '../dead-letters/frame.js';
import { asError, explain, fatal } from '../contract/errors.js';
import { type Frame, frameOf, gather, rowsOf } from '../frames/frame.js';
import { frameIn } from '../frames/codec.js';
import { type Destination, destinationsOf, fedAlone, type Topology, writerOf } from '../contract/graph.js';
import { BUFFERED, BUFFERED_BYTES, AlignmentBuffer } from './alignment-buffer.js';
import { NOTHING_STORED, StageInstance, type StateChange } from './instance.js';
import type { LogMessage } from '../contract/ports.js';
import { OutputBatch, type OutputHead } from './router.js';
import { type AnyStage, type Emission, RAW, type RawMessage } from '../contract/stage.js';
import { isPublishers } from '../contract/streams.js';
import { Traces } from './traces.js';

/** States that every instance has. */
export const ALIGNMENT = '$alignment';
export const QUARANTINED = '$quarantined';

/** States whose entries must be loaded before a processor is made. */
export const residentStates = (stage: AnyStage): string[] => [
  BUFFERED,
  ...Object.entries(stage.state)
    .filter(([, { resident }]) => resident)
    .map(([name]) => name),
];

/** Which input failed. Among buffered messages it is the one that failed, not the one that released them. */
export class StepError extends Error {
  /** Which stage of a chain. */
  readonly failedIn: string | undefined;

  constructor(
    readonly first: number,
    readonly sequence: number,
    cause: Error,
    /** How many rows its frame has; 0: it has none. */
    readonly rows = 0,
    /** The one that fails by itself, where that was tried. */
    readonly row?: number,
  ) {
    const [failed, own] = cause instanceof StageFailure ? [cause.stage, cause.cause] : [undefined, cause];
    super(`input ${sequence}: ${failed === undefined ? '' : `${failed}: `}${explain(own)}`, { cause: own });
    this.failedIn = failed;
  }
}

const NONE: ReadonlySet<number> = new Set();
const NO_ROWS: ReadonlyMap<number, ReadonlySet<number>> = new Map();
/** Bytes of a quarantined message in one dead letter. */
const PIECE_BYTES = 192 * 1024;

export class MailboxProcessor {
  readonly instance: StageInstance;
  readonly alignment: Alignment;
  readonly destinations: readonly Destination[];
  /** Where ends of epochs and ticks go: a browsable log is for people, readers of a topic have their own time, and a side input has none (ALIGNMENT-4). */
  private readonly marked: readonly Destination[];
  private readonly ticked: readonly Destination[];
  /** Those that this instance alone feeds: it passes ticks on to them (ALIGNMENT-4). */
  private readonly fed: readonly Destination[];
  readonly buffer = new AlignmentBuffer(writerOfSubject);
  readonly traces: Traces;
  /** Rows processed; a publisher's message counts as one. Telemetry only. */
  rowsIn = 0;
  private readonly alignmentState = value<AlignmentState>(initialAlignment).create();
  private readonly quarantinedState = value<Quarantined>(() => ({ messages: 0, rows: 0 })).create();
  private readonly inputs = new Map<string, string>();
  private readonly rawInput: string | undefined;

  constructor(
    private readonly topology: Topology,
    private readonly stage: AnyStage,
    private readonly partition: number,
    stored: (state: string) => StoredState = () => NOTHING_STORED,
    /** Inputs that the stage fails on: they go to the dead letters, but the progress that they report counts. */
    readonly quarantinedInputs = NONE,
    /** Rows of frames that the stage fails on, by the sequence of their message. */
    private readonly quarantinedRows = NO_ROWS,
    /** A message whose rows are tried one by one: its step fails in any case. */
    private readonly suspect?: number,
    /** Of a chain: which stage fails on a quarantined input or row. */
    private readonly failedIn: MailboxRecord['failedIn'] = {},
  ) {
    this.instance = new StageInstance(stage, partition, stored);
    this.alignmentState.restore(stored(ALIGNMENT));
    this.quarantinedState.restore(stored(QUARANTINED));
    this.buffer.restore(stored(BUFFERED), stored(BUFFERED_BYTES));
    this.alignment = new Alignment(topology, stage.id, partition, this.alignmentState.get());
    this.destinations = destinationsOf(topology, stage.id, partition);
    this.traces = new Traces(topology, stage, partition);
    const topics = new Map(topology.topics.map((topic) => [topic.id, topic]));
    this.marked = this.destinations.filter(({ to }) => topics.get(to)?.browsable !== true);
    const routes = topology.routes(stage.id);
    const isSide = (id: string): boolean =>
      routes.every(({ to, input }) => to !== id || topology.stage(id).inputs[input]?.side === true);
    this.ticked = this.destinations.filter(({ to }) => !topics.has(to) && !isSide(to));
    this.fed = fedAlone(topology, stage.id, this.destinations);
    for (const { id, output, input } of topology.upstreams(stage.id)) this.inputs.set(`${id}\0${output ?? ''}`, input);
    this.rawInput = Object.entries(stage.inputs).find(([, { type }]) => type === RAW)?.[0];
  }

  get asOfMs(): number | undefined {
    return this.alignment.state.asOfMs ?? undefined;
  }

  /** What all messages of an output batch say of the state behind it. */
  get head(): Pick<OutputHead, 'asOfMs' | 'holdsBack'> {
    return { asOfMs: this.asOfMs, holdsBack: this.instance.holdsBack() };
  }

  get quarantined(): Quarantined {
    return this.quarantinedState.get();
  }

  /** Is this a publisher's message, rather than one of a stage, a source or the clock? */
  isRaw({ subject }: LogMessage): boolean {
    return this.rawInput !== undefined && isPublishers(subject);
  }

  /** Publishers' messages, together one input. */
  takeRaw(messages: readonly LogMessage[]): OutputBatch {
    const answer = this.newOutput();
    this.rowsIn += messages.length;
    if (this.quarantinedInputs.has(messages[0]!.sequence))
      this.quarantine(messages[0]!, { records: 1, rows: 0 }, answer);
    else {
      this.traces.takeRaw(messages, (message) => this.takenAlone(message));
      answer.add(this.instance.take(this.rawInput!, { messages: messages.map(toRawMessage) }));
    }
    this.alignmentState.set(this.alignment.state);
    return answer;
  }

  /** A message of another stage, a source or the clock. Also returns when its oldest event was stored. A foreign message is ignored. */
  take(
    message: LogMessage,
    isForeign = false,
  ): { readonly answer: OutputBatch; readonly ingestedAtMs: number | undefined } {
    const answer = this.newOutput();
    const parts = isForeign ? [] : this.partsOf(message);
    if (parts.length === 0 || parts[0]!.claim) return { answer, ingestedAtMs: undefined };
    const writer = writerOfSubject(message.subject);
    const { aligned } = this.alignment;
    if (aligned) this.alignment.reopen(writer);
    if (aligned && this.alignment.knows(writer) && (this.buffer.has(writer) || this.alignment.mustBuffer(writer))) {
      this.buffer.push(message);
      this.alignmentState.set(this.alignment.state);
      return { answer, ingestedAtMs: undefined };
    }
    this.digest(message, parts, writer, answer);
    if (aligned) this.releaseBuffered(answer);
    this.alignmentState.set(this.alignment.state);
    return { answer, ingestedAtMs: parts[0]!.ingestedAtMs ?? message.storedAtMs };
  }

  /** The changes of the last cut are in the store. */
  written(): void {
    this.instance.written();
    this.buffer.written();
  }

  /** What changed since the last cut, as of this moment; encoded as it is taken, which may be later. */
  cut(): Iterable<StateChange> {
    const buffered = this.buffer.cut();
    const states = this.instance.cut([
      [ALIGNMENT, this.alignmentState.cut()],
      [QUARANTINED, this.quarantinedState.cut()],
    ]);
    return (function* () {
      yield* states;
      yield* buffered;
    })();
  }

  private newOutput(): OutputBatch {
    const { topology, stage, partition, alignment, traces } = this;
    traces.next();
    return new OutputBatch(topology.routes(stage.id), stage.id, partition, alignment.state.epoch, traces);
  }

  /** What the stage emits for one message with empty state: a batch is one input, and its rows do not show which message each comes from. */
  private takenAlone(message: LogMessage): readonly Emission[] {
    const instance = new StageInstance(this.stage, this.partition);
    const emissions = instance.take(this.rawInput!, { messages: [toRawMessage(message)] });
    instance.stop();
    return emissions;
  }

  /** An empty part for a quarantined message that cannot be decoded. */
  private partsOf({ sequence, data }: LogMessage): readonly Envelope[] {
    try {
      return partsIn(data);
    } catch (error) {
      if (!this.quarantinedInputs.has(sequence)) throw error;
      return [create(EnvelopeSchema)];
    }
  }

  private digest(message: LogMessage, parts: readonly Envelope[], writer: string, answer: OutputBatch): void {
    const { sequence } = message;
    const isQuarantined = this.quarantinedInputs.has(sequence);
    if (isQuarantined) this.quarantine(message, lossOf(parts), answer);
    try {
      let row = 0;
      for (const part of parts) {
        this.digestPart(message, part, { row, isQuarantined }, writer, answer);
        row += rowsIn(part);
      }
      if (sequence === this.suspect) throw new Error('no row of it fails by itself');
    } catch (error) {
      if (error instanceof StepError) throw error;
      throw new StepError(sequence, sequence, asError(error), lossOf(parts).rows);
    }
  }

  /** `row`: of the message, at which the part starts. */
  private digestPart(
    message: LogMessage,
    envelope: Envelope,
    { row, isQuarantined }: { readonly row: number; readonly isQuarantined: boolean },
    writer: string,
    answer: OutputBatch,
  ): void {
    const { alignment, instance } = this;
    const { tickMs: tickedMs } = alignment;
    alignment.observe(writer, envelope);
    if (!isQuarantined) {
      if (alignment.aligned) answer.asOfMs = envelope.asOfMs;
      this.takeBody(message, envelope, row, answer);
    }
    if (envelope.tickMs !== undefined) {
      // The log's time, which is the same for all sources: the clock of the node that writes the ticks may be wrong by hours.
      const tickMs = this.rawInput === undefined ? envelope.tickMs : message.storedAtMs;
      if (!isQuarantined) answer.add(instance.tick(tickMs));
      // Parse only translates: it passes a tick on after the events that came before it.
      if (this.rawInput !== undefined) answer.mark(this.ticked, { tickMs });
    }
    if (alignment.aligned) {
      if (alignment.epochIsOver()) {
        const end = alignment.endEpoch();
        answer.asOfMs = this.asOfMs;
        answer.add(instance.endEpoch(end));
        this.passTick(tickedMs, answer);
        answer.mark(this.marked, { epochs: alignment.state.epoch - end.epoch });
        answer.epoch = alignment.state.epoch;
        answer.asOfMs = undefined;
      }
      if (alignment.inputIsOver()) {
        answer.add(instance.endInput());
        answer.mark(this.marked, { endsInput: true });
      }
    } else if (envelope.body.case !== undefined || envelope.watermarkMs !== undefined) {
      answer.add(instance.endEpoch(alignment.endEpoch()));
    }
    if (!alignment.aligned) this.passTick(tickedMs, answer);
  }

  /** After the output for everything that was stored before the tick. */
  private passTick(beforeMs: number, answer: OutputBatch): void {
    const { tickMs } = this.alignment;
    if (tickMs > beforeMs) answer.mark(this.fed, { tickMs });
  }

  private takeBody(message: LogMessage, { body, output, traces }: Envelope, row: number, answer: OutputBatch): void {
    const { sequence, subject, storedAtMs } = message;
    if (body.case === undefined) return;
    if (body.case === 'chunk') {
      const { format, file, line, header, data } = body.value;
      if (data.length === 0) return;
      const chunk = { format, file, line, header };
      answer.add(this.instance.take(this.rawInput!, { messages: [{ sequence, subject, storedAtMs, data, chunk }] }));
      return;
    }
    const from = writerOf(subject).id;
    const input = this.inputs.get(`${from}\0${output}`);
    const type = input === undefined ? undefined : this.stage.inputs[input]?.type;
    if (input === undefined || type === undefined || type === RAW) {
      throw fatal('UNKNOWN_UPSTREAM', `${subject}: no edge leads from ${from}.${output} to ${this.stage.id}`);
    }
    const frame = frameIn(body, type)!;
    this.rowsIn += frame.rows;
    this.traces.take(traces, message, input);
    if (sequence === this.suspect) {
      this.tryRows(sequence, input, frame, row);
      return;
    }
    const digestible = this.withoutQuarantined(message, frame, row, answer);
    if (digestible.rows > 0) answer.add(this.instance.take(input, digestible));
  }

  /** Each row alone, in order, until one fails. The state is unusable afterwards: the stage has not processed the frame as it is. */
  private tryRows(sequence: number, input: string, frame: Frame, from: number): void {
    const quarantined = this.quarantinedRows.get(sequence) ?? NONE;
    for (let row = 0; row < frame.rows; row++) {
      if (quarantined.has(from + row)) continue;
      try {
        this.instance.take(input, gather(frame, Uint32Array.of(row)));
      } catch (error) {
        throw new StepError(sequence, sequence, asError(error), frame.rows, from + row);
      }
    }
  }

  /** The rows of a frame that are not quarantined; the others go to the dead letters (QUARANTINE-5). Rows are counted over all parts of a message. */
  private withoutQuarantined(
    { subject, sequence, storedAtMs }: LogMessage,
    frame: Frame,
    from: number,
    answer: OutputBatch,
  ): Frame {
    const quarantined = this.quarantinedRows.get(sequence);
    if (quarantined === undefined) return frame;
    const all = Array.from({ length: frame.rows }, (_, row) => row);
    const isBad = (row: number): boolean => quarantined.has(from + row);
    const [good, bad] = [all.filter((row) => !isBad(row)), all.filter(isBad)];
    if (bad.length === 0) return frame;
    this.quarantinedState.set({ ...this.quarantined, rows: this.quarantined.rows + bad.length });
    const reason =
      'the stage failed on this row of the message; `original` is the row as JSON, in base64, `index` its place';
    const record = { subject, sequence, rule: 'poison', reason, storedAt: storedAtMs };
    const originals = rowsOf(gather(frame, Uint32Array.from(bad)));
    const records = originals.map((row, i) => {
      const index = from + bad[i]!;
      const stage = this.failedIn[placeOf(sequence, index)] ?? this.stage.id;
      return { ...record, stage, index, original: Buffer.from(JSON.stringify(row)).toString('base64') };
    });
    answer.addDeadLetter(frameOf(deadLetters, records));
    return gather(frame, Uint32Array.from(good));
  }

  /** A dead letter of the message as it is, in pieces that fit into messages; the stage never sees it. */
  private quarantine(
    { subject, sequence, data, storedAtMs }: LogMessage,
    { records, rows }: { readonly records: number; readonly rows: number },
    answer: OutputBatch,
  ): void {
    this.instance.count('events', records);
    this.instance.count('dead_letter', records);
    this.quarantinedState.set({ messages: this.quarantined.messages + 1, rows: this.quarantined.rows + rows });
    const reason = 'the stage failed on this message again and again; `original` is base64, in pieces by `index`';
    const stage = this.failedIn[placeOf(sequence)] ?? this.stage.id;
    const row = { subject, sequence, stage, rule: 'poison', reason, storedAt: storedAtMs };
    const pieces = Array.from({ length: Math.ceil(data.length / PIECE_BYTES) }, (_, index) => {
      const piece = data.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
      return { ...row, index, original: Buffer.from(piece).toString('base64') };
    });
    answer.addDeadLetter(frameOf(deadLetters, pieces.length === 0 ? [row] : pieces));
  }

  /** What waited goes on as far as it can, each writer's in order. */
  private releaseBuffered(answer: OutputBatch): void {
    for (let released = this.buffer.count > 0; released;) {
      released = false;
      const blocked = new Set<string>();
      for (
        let writer = this.buffer.firstWriter(blocked);
        writer !== undefined;
        writer = this.buffer.firstWriter(blocked)
      ) {
        if (this.alignment.mustBuffer(writer)) {
          blocked.add(writer);
          continue;
        }
        const message = this.buffer.release(writer);
        this.digest(message, partsIn(message.data), writer, answer);
        released = true;
      }
    }
  }
}

function toRawMessage({ sequence, subject, storedAtMs, data, headers }: LogMessage): RawMessage {
  const contentType = headers['content-type']?.toLowerCase();
  return { sequence, subject, storedAtMs, data, ...(contentType === undefined ? {} : { contentType }) };
}

function writerOfSubject(subject: string): string {
  const { id, partition } = writerOf(subject);
  return writerKey(id, partition);
}
