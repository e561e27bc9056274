/**
 * The events of a file as the messages that a publisher would send: JSON on rivulet.events.<type>.<user>; a line of JSONL is unchanged.
 *
 * Rows and lines are read as `rivulet replay` and the parse stage read them. A line that a node would refuse goes to rivulet.events.unknown, so that it
 * reaches the dead letters, where it can be fixed. A row of CSV that is refused is not sent: without its header it has no meaning.
 */
import { missingColumns } from '../../../actors/formats/csv-header.js';
import { type EventReader, isFault, type SoundEvent } from '../../../actors/formats/event-reader.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { readJsonLines } from '../../../actors/formats/json.js';
import type { Refusals } from '../../../actors/formats/refusals.js';
import { type FileFormat, fileChunks } from '../../../connectors/csv/file-chunks.js';
import { CHUNK_BYTES } from '../../../connectors/csv/folder-source.js';
import type { Clock } from '../../contract/ports.js';
import { eventSubject } from '../../node/publisher.js';

export interface FileMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly contentType?: string;
  /** For pacing; `undefined` if unknown. */
  readonly timeMs?: number;
}

/** A record of a file: what is sent, if it is sent, and why a node refuses it. */
export interface FileEntry {
  /** 1-based number of its first line, of a record with a fault or a problem. */
  readonly line?: number | undefined;
  readonly message?: FileMessage;
  readonly fault?: Fault;
  /** Why it is not sent, if there is no fault. */
  readonly problem?: string;
}

export const UNKNOWN_SUBJECT = 'rivulet.events.unknown';
/** Set for refused records: otherwise an array on a line would be read as several events. */
export const JSON_LINES = 'application/x-ndjson';

export async function* eventEntries(
  file: string,
  format: FileFormat,
  reader: EventReader,
  clock: Pick<Clock, 'nowMs'>,
): AsyncGenerator<FileEntry, void, undefined> {
  const checkHeader = missingColumns(reader.schema);
  for await (const { data, header, line } of fileChunks(file, { format, chunkBytes: CHUNK_BYTES, checkHeader })) {
    const entries: FileEntry[] = [];
    const storedAtMs = clock.nowMs();
    const piece = { sequence: 0, subject: '', storedAtMs, data, chunk: { format, file, line, header } };
    const onEvent = ({ type, userId, bytes, timeMs }: SoundEvent): void =>
      void entries.push({ message: { subject: eventSubject(type, userId), data: bytes, timeMs } });
    const refusals: Pick<Refusals, 'add'> = {
      add: (_, fault, { start, end, line: at }) => {
        const original = { subject: UNKNOWN_SUBJECT, data: data.subarray(start, end), contentType: JSON_LINES };
        entries.push({ line: at, fault, ...(format === 'jsonl' && { message: original }) });
      },
    };
    const readLine = (bytes: Uint8Array, start: number, end: number): Fault | undefined => {
      const event = reader.json(bytes.subarray(start, end), storedAtMs);
      if (isFault(event)) return event;
      onEvent(event);
      return undefined;
    };
    if (format === 'csv') reader.csv(piece, onEvent, refusals);
    else readJsonLines(piece, readLine, refusals);
    yield* entries;
  }
}
