/**
 * Turns what a pipeline emitted for one input into the messages that are published for it.
 *
 * Invariants
 *   ROUTER-1  How an output batch is cut into parts depends on its rows alone, so that a replay cuts it the same way.
 *   ROUTER-2  Parts that a lane has published already are dropped; of an input that is covered entirely nothing is encoded.
 *   ROUTER-3  The marker of an epoch's end is on the last part that a destination gets for that epoch.
 *   ROUTER-4  Trace contexts go with parts that are as they would be without (TRACES-1 in traces.ts).
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type AnyColumn, type Frame, gather, partitionBy } from '../frames/frame.js';
import { bodyOf, encodeFrame } from '../frames/codec.js';
import { DEAD_LETTER, type Destination, type Route, subjectOf } from '../contract/graph.js';
import type { OutputLane } from './outbox.js';
import type { Emission, Progress } from '../contract/stage.js';
import { partsPublished, type OutputPosition } from './output-position.js';
import { NO_TRACES, type TraceFields, type Traces } from './traces.js';

/** Aim for parts of this size; well below the payload limit of a stock nats-server (1 MiB). */
const PART_BYTES = 512 * 1024;

interface Part {
  readonly epoch: number;
  readonly output: string;
  readonly frame: Frame | undefined;
  readonly compressed: boolean;
  readonly progress: Progress;
  /** `OutputBatch.asOfMs` when it was added. */
  asOfMs: number | undefined;
  /** How many epochs end behind it. */
  epochs: number;
  endsInput: boolean;
}

/** What all messages of one output batch have in common. */
export interface OutputHead {
  readonly first: number;
  readonly sequence: number;
  readonly inputsDigest: number;
  readonly asOfMs: number | undefined;
  readonly ingestedAtMs: number | undefined;
  readonly holdsBack: boolean;
}

export class OutputBatch {
  private readonly parts = new Map<string, Part[]>();
  private readonly encoded = new Map<Frame, Uint8Array>();
  /** Where, per destination, the running epoch's parts begin. */
  private readonly epochFrom = new Map<string, number>();
  /** The last watermark that the stage itself reported with it. Telemetry only. */
  reportedWatermarkMs: number | undefined;
  /** Aligned: the event time up to which the rows that are added next have been computed; `undefined`: not known before the epoch ends. */
  asOfMs: number | undefined;

  constructor(
    private readonly routes: readonly Route[],
    private readonly stageId: string,
    private readonly partition: number,
    /** The epoch of what is added next. */
    public epoch: number,
    private readonly traces: Pick<Traces, 'waitFor' | 'release' | 'end'>,
  ) {}

  add(emissions: readonly Emission[]): void {
    for (const emission of emissions) {
      this.reportedWatermarkMs = emission.progress?.watermarkMs ?? this.reportedWatermarkMs;
      for (const route of this.routes) if (route.output === emission.output) this.addRoute(route, emission);
    }
  }

  /** A row for the dead letters that the stage itself did not emit. */
  addDeadLetter(frame: Frame): void {
    this.push(DEAD_LETTER, this.partition, {
      epoch: this.epoch,
      output: '$poison',
      frame,
      compressed: false,
      progress: {},
      asOfMs: undefined,
      epochs: 0,
      endsInput: false,
    });
  }

  /** Marks for every destination that an epoch, or the input, has ended. */
  mark(
    destinations: readonly Destination[],
    mark: { readonly epochs?: number; readonly endsInput?: boolean; readonly tickMs?: number },
  ): void {
    for (const { to, q, subject } of destinations) {
      if (to === DEAD_LETTER && !this.routes.some((route) => route.to === DEAD_LETTER)) continue;
      const parts = this.parts.get(subject) ?? [];
      let last = parts.length > (this.epochFrom.get(subject) ?? 0) ? parts.at(-1) : undefined;
      if (last === undefined || mark.tickMs !== undefined) {
        const progress = mark.tickMs === undefined ? {} : { tickMs: mark.tickMs };
        const { epoch, asOfMs } = this;
        last = {
          epoch,
          output: '',
          frame: undefined,
          compressed: false,
          progress,
          asOfMs,
          epochs: 0,
          endsInput: false,
        };
        this.push(to, q, last);
      }
      if (mark.epochs !== undefined) last.asOfMs = this.asOfMs;
      last.epochs += mark.epochs ?? 0;
      last.endsInput ||= mark.endsInput === true;
      if (mark.epochs !== undefined) this.epochFrom.set(subject, this.parts.get(subject)!.length);
    }
  }

  /** Hands the parts that are not published yet to their lanes; returns how many rows these have. */
  enqueueTo(head: OutputHead, lanes: ReadonlyMap<string, Pick<OutputLane, 'published' | 'enqueue'>>): number {
    let rows = 0;
    for (const [subject, parts] of this.parts) {
      const lane = lanes.get(subject)!;
      const published = partsPublished(lane.published, head.sequence);
      const isTraced = this.traces.waitFor(subject);
      if (published === Infinity && !isTraced) continue;
      const pieces = parts.flatMap((part) => cutPart(part));
      // Also for parts that are published already: the traces went with them.
      const traces = isTraced ? this.traces.release(subject, pieces) : undefined;
      if (published === Infinity) continue;
      pieces.forEach((piece, part) => {
        rows += piece.frame?.rows ?? 0;
        if (part < published) return;
        const { first, sequence, inputsDigest } = head;
        const position = { first, sequence, part, lastPart: part === pieces.length - 1, inputsDigest };
        const data = this.encode(piece, head, position, traces?.get(part) ?? NO_TRACES);
        lane.enqueue(position, data, piece.epochs > 0 || piece.endsInput ? 'before' : 'both');
      });
    }
    this.traces.end();
    return rows;
  }

  private addRoute({ to, by, targets, compressed }: Route, { output, frame, progress = {} }: Emission): void {
    const everywhere = progress.everywhere === true;
    const epochs = progress.endsEpoch === true ? (progress.epochs ?? 1) : 0;
    const part = (rows: Frame | undefined): Part => ({
      epoch: this.epoch,
      output,
      frame: rows,
      compressed,
      progress,
      asOfMs: this.asOfMs,
      epochs,
      endsInput: false,
    });
    if (by === 'same') {
      if (frame.rows > 0 || everywhere) this.push(to, this.partition, part(frame));
      return;
    }
    const frames = by === 'all' ? new Array<Frame>(targets).fill(frame) : partitionBy(frame, by, targets);
    frames.forEach((rows, q) => {
      if ((rows?.rows ?? 0) > 0 || everywhere) this.push(to, q, part(rows));
    });
  }

  private push(to: string, q: number, part: Part): void {
    const subject = subjectOf(to, q, this.stageId, this.partition);
    const parts = this.parts.get(subject);
    if (parts === undefined) this.parts.set(subject, [part]);
    else parts.push(part);
  }

  /** A frame that goes to many partitions is encoded once. */
  private bytesOf(frame: Frame): Uint8Array {
    let bytes = this.encoded.get(frame);
    if (bytes === undefined) this.encoded.set(frame, (bytes = encodeFrame(frame)));
    return bytes;
  }

  private encode(piece: Part, head: OutputHead, position: OutputPosition, traces: readonly TraceFields[]): Uint8Array {
    const { progress, frame } = piece;
    const envelope = create(EnvelopeSchema, {
      ...position,
      epoch: piece.epoch,
      endsEpoch: piece.epochs > 0,
      epochs: piece.epochs > 1 ? piece.epochs : 0,
      endsInput: piece.endsInput,
      idle: progress.idle === true,
      holdsBack: head.holdsBack,
      output: piece.output,
      traces: [...traces],
    });
    // The receiver is up to date with the last part only; an aligned one takes it in at the end of the epoch.
    const asOfMs = progress.asOfMs ?? piece.asOfMs ?? (position.lastPart ? head.asOfMs : undefined);
    if (progress.watermarkMs !== undefined) envelope.watermarkMs = progress.watermarkMs;
    if (progress.tickMs !== undefined) envelope.tickMs = progress.tickMs;
    if (asOfMs !== undefined) envelope.asOfMs = asOfMs;
    if (head.ingestedAtMs !== undefined) envelope.ingestedAtMs = head.ingestedAtMs;
    if (frame !== undefined && frame.rows > 0) envelope.body = bodyOf(this.bytesOf(frame), piece.compressed);
    return toBinary(EnvelopeSchema, envelope);
  }
}

/** Upper bound of a frame's bytes on the wire. */
function bytesOf(frame: Frame): number {
  let bytes = 0;
  for (const column of Object.values(frame.columns as Record<string, AnyColumn>)) {
    if ('codes' in column)
      bytes += frame.rows * 4 + column.dictionary.size * 4 + column.dictionary.ends[column.dictionary.size - 1]!;
    else bytes += frame.rows * column.BYTES_PER_ELEMENT;
  }
  return bytes;
}

function cutPart(part: Part): Part[] {
  if (part.frame === undefined) return [part];
  const frames = cutFrame(part.frame);
  // Progress covers all rows: where each message is an epoch of its own, an earlier piece must not carry the watermark of a later one.
  return frames.map((frame, i) =>
    i === frames.length - 1 ? { ...part, frame } : { ...part, frame, progress: {}, epochs: 0, endsInput: false },
  );
}

function cutFrame(frame: Frame): Frame[] {
  const bytes = bytesOf(frame);
  if (bytes <= PART_BYTES || frame.rows <= 1) return [frame];
  const pieces = Math.min(frame.rows, Math.ceil(bytes / PART_BYTES));
  const rowsEach = Math.ceil(frame.rows / pieces);
  const frames: Frame[] = [];
  for (let start = 0; start < frame.rows; start += rowsEach) {
    const rows = new Uint32Array(Math.min(rowsEach, frame.rows - start));
    for (let i = 0; i < rows.length; i++) rows[i] = start + i;
    // A piece may still be too large when its texts are longer than the average.
    const piece = gather(frame, rows);
    if (rowsEach < frame.rows) frames.push(...cutFrame(piece));
    else frames.push(piece);
  }
  return frames;
}
