/** Messages and pieces of files as parse receives them, and the dead letters it answers with. */
import {
  type deadLetters,
  entryStart,
  type Frame,
  type RawBatch,
  type RawMessage,
  utf8,
} from '../../runtime/contract/stage.js';
import { rowsOf } from '../../runtime/frames/frame.js';
import type { Said } from './stage-driver.js';

/** 2019-10-31: after the events that tests tell of. */
export const STORED_AT_MS = Date.UTC(2019, 9, 31);

const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? utf8(data) : data);

export const message = (data: string | Uint8Array, more: Partial<RawMessage> = {}): RawMessage => ({
  sequence: 7,
  subject: 'rivulet.events.web',
  storedAtMs: STORED_AT_MS,
  ...more,
  data: bytesOf(data),
});

export const json = (data: unknown, more: Partial<RawMessage> = {}): RawMessage => message(JSON.stringify(data), more);

/** A piece of a CSV file whose header is line 1. */
export const csv = (header: string, data: string | Uint8Array, line = 2): RawMessage =>
  message(data, { chunk: { format: 'csv', file: 'part-000.csv', line, header: utf8(header) } });

export const jsonLines = (data: string | Uint8Array, line = 1): RawMessage =>
  message(data, { chunk: { format: 'jsonl', file: 'events.jsonl', line, header: new Uint8Array(0) } });

export const batch = (...messages: RawMessage[]): RawBatch => ({ messages });

export interface DeadLetter {
  readonly rule: string | undefined;
  readonly field: string | undefined;
  readonly reason: string | undefined;
  readonly original: Uint8Array;
  readonly subject: string | undefined;
  readonly sequence: number | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly index: number | undefined;
  readonly stage: string | undefined;
  readonly storedAt: number | undefined;
}

/** The dead letters of what a stage said, with their exact bytes. */
export function deadLettersOf({ frames }: Said): DeadLetter[] {
  return frames
    .filter(({ output }) => output === 'deadLetters')
    .flatMap((said) => {
      const frame = said.frame as Frame<typeof deadLetters.columns>;
      const { codes, dictionary } = frame.columns.original;
      return rowsOf(frame).map((row, at) => ({
        ...row,
        original: dictionary.bytes.slice(entryStart(dictionary, codes[at]!), dictionary.ends[codes[at]!]),
      }));
    });
}
