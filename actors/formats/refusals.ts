/** Collects the inputs that a stage refuses, as rows of the dead-letter frame. */
import { deadLetters, type Frame, FrameBuilder, type RawMessage } from '../../runtime/contract/stage.js';
import type { Fault } from './fault.js';

/** A part of a message: its bytes [start, end), and its position as shown to people. */
export interface Position {
  readonly start: number;
  readonly end: number;
  /** 1-based line of the file, for pieces of files. */
  readonly line?: number | undefined;
  /** Index within an array, a batch or the lines of a message, from 0. */
  readonly index?: number;
}

export class Refusals {
  private builder: FrameBuilder<typeof deadLetters.columns> | undefined;

  constructor(private readonly stage: string) {}

  get rows(): number {
    return this.builder?.rows ?? 0;
  }

  /** Stores the original bytes unchanged, whether or not they are text. */
  add(message: RawMessage, fault: Fault, { start, end, line, index }: Position): void {
    const builder = (this.builder ??= new FrameBuilder(deadLetters, 16));
    const { columns, rows } = builder;
    builder.add({
      subject: message.subject,
      sequence: message.sequence,
      file: message.chunk?.file,
      line,
      index: index ?? 0,
      stage: this.stage,
      rule: fault.rule,
      field: fault.field,
      reason: fault.reason,
      storedAt: message.storedAtMs,
    });
    columns.original.codes[rows] = columns.original.dictionary.add(message.data, start, end);
  }

  /** `undefined` when nothing was refused. */
  finish(): Frame<typeof deadLetters.columns> | undefined {
    return this.builder?.finish();
  }
}
