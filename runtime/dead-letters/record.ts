/** One refused event, out of the frames of the topic. */
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { textOf } from '../frames/bytes.js';
import { deadLetters } from './frame.js';
import { entryStart } from '../frames/dictionary.js';
import { rowsOf } from '../frames/frame.js';
import { frameIn } from '../frames/codec.js';
import type { LogMessage } from '../contract/ports.js';

export interface DeadLetter {
  /** `<stream sequence>-<row>`: valid as long as the stream exists. */
  readonly id: string;
  /** Only the beginning when the request says so. */
  readonly original: Uint8Array;
  /** Bytes of the complete original. */
  readonly originalBytes: number;
  /** Its origin: subject (empty: none) and stream sequence, or file and line (from 1); and the index within its message. */
  readonly subject: string;
  readonly sequence: number;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly index: number;
  readonly stage: string;
  readonly rule: string;
  readonly field: string | undefined;
  readonly reason: string;
  /** Epoch ms. */
  readonly storedAtMs: number;
  readonly retriedAtMs: number | undefined;
}

/** As they stand in a message, of each original at most so many bytes; whether they were retried, it cannot say. */
export function recordsIn(message: LogMessage, bytesMax = Infinity): DeadLetter[] {
  const { body, output } = fromBinary(EnvelopeSchema, message.data);
  const frame = frameIn(body, deadLetters);
  if (frame === undefined) return [];
  const { codes, dictionary } = frame.columns.original;
  return rowsOf(frame).map((row, r) => {
    const code = codes[r]!;
    const stored = dictionary.bytes.subarray(entryStart(dictionary, code), dictionary.ends[code]);
    // The runtime quarantines complete messages, of any content, as base64.
    const original = output === '$poison' ? Buffer.from(textOf(stored), 'base64') : stored;
    return {
      id: `${message.sequence}-${r}`,
      original: beginning(original, bytesMax),
      originalBytes: original.length,
      subject: row.subject ?? '',
      sequence: row.sequence ?? 0,
      file: row.file,
      line: row.line,
      index: row.index ?? 0,
      stage: row.stage ?? '',
      rule: row.rule ?? '',
      field: row.field,
      reason: row.reason ?? '',
      storedAtMs: row.storedAt ?? message.storedAtMs,
      retriedAtMs: undefined,
    };
  });
}

/** A copy of the beginning; text is cut between characters. */
function beginning(bytes: Uint8Array, bytesMax: number): Uint8Array {
  if (bytes.length <= bytesMax) return bytes.slice();
  let end = bytesMax;
  while (end > bytesMax - 3 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.slice(0, end);
}

/** The original as text; `undefined` when it is not UTF-8. */
export function originalText({ original }: Pick<DeadLetter, 'original'>): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(original);
  } catch {
    return undefined;
  }
}
