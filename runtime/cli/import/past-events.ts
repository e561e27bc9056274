/**
 * The events of a file as messages of the past: lines of JSON on a subject of each source partition, so that an event that was published live, too, is
 * found to be a duplicate by the same instance of parse.
 */
import { missingColumns } from '../../../actors/formats/csv-header.js';
import { readCsv } from '../../../actors/formats/csv.js';
import { type Fault, tooLarge } from '../../../actors/formats/fault.js';
import { readJsonEvent } from '../../../actors/formats/json-event.js';
import { readJsonLines } from '../../../actors/formats/json.js';
import { JsonRows, type WrittenEvent } from '../../../actors/formats/json-rows.js';
import type { EventRules } from '../../../actors/formats/limits.js';
import { Schema } from '../../../actors/formats/schema.js';
import type { FileChunk, FileFormat } from '../../../connectors/csv/file-chunks.js';
import { textOf } from '../../frames/bytes.js';
import { pastSubjects, sourcePartitionOf } from '../../node/publisher.js';
import { MessageBatch } from '../publish/message-batch.js';
import { CsvRows } from './csv-columns.js';
import type { CsvColumns } from './csv-options.js';

/** The ratings of a file, both ends included. */
export interface RatingScale {
  readonly from: number;
  readonly to: number;
}

export interface PastMessage {
  readonly partition: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

export interface PastEventsOptions {
  /** Of the deployment. */
  readonly rules: EventRules;
  readonly partitions: number;
  /** Above it the server refuses a message. */
  readonly messageBytesMax: number;
  readonly file: string;
  readonly format: FileFormat;
  /** Of a CSV file with names of its own; absent: it has those of the schema. */
  readonly columns?: CsvColumns | undefined;
  /** SHA-256 of the file, in hexadecimal: ids are made of it, so that they are the same whenever the file is read. */
  readonly digest: string;
  /** Mapped to the range of the deployment; absent: ratings are as they are. */
  readonly ratingScale: RatingScale | undefined;
  readonly onRefused: (line: number, fault: Fault) => void;
}

export class PastEvents {
  /** Read, and in messages or waiting for one to be full. */
  events = 0;
  refused = 0;
  private readonly rows: JsonRows;
  private readonly own: CsvRows | undefined;
  private readonly subjects: readonly string[];
  private readonly batches: readonly MessageBatch[];
  private messages: PastMessage[] = [];

  constructor(private readonly options: PastEventsOptions) {
    const { rules, partitions, digest, ratingScale, messageBytesMax, columns, file } = options;
    const schema = new Schema(rules.schema, { idsAreMade: true });
    const range = ratingScale === undefined ? rules : { ratingMin: ratingScale.from, ratingMax: ratingScale.to };
    this.rows = new JsonRows(schema, { ...rules, ...range }, (event) => this.add(event), {
      idPrefix: idPrefixOf(digest),
      ratingOf: ratingScale === undefined ? undefined : mapped(ratingScale, rules),
    });
    this.own = columns && new CsvRows(columns, file, this.rows);
    this.checkHeader = this.own?.checkHeader ?? missingColumns(schema);
    this.subjects = pastSubjects(partitions);
    this.batches = this.subjects.map(() => new MessageBatch(messageBytesMax));
  }

  readonly checkHeader: (header: Uint8Array) => string[];

  /** Reads a chunk; returns the messages that are full. */
  read(chunk: FileChunk, nowMs: number): PastMessage[] {
    const { rows, own } = this;
    const { data, header, line } = chunk;
    const { file, format } = this.options;
    const message = { sequence: 0, subject: '', storedAtMs: nowMs, data, chunk: { format, file, line, header } };
    rows.begin(message);
    const refusals = {
      add: (_: unknown, fault: Fault, { line: at = line }: { readonly line?: number | undefined }): void => {
        this.refuse(at, fault);
      },
    };
    if (own !== undefined) {
      own.read(chunk, (at, fault) => {
        this.refuse(at, fault);
      });
    } else if (format === 'csv') readCsv(message, rows, refusals);
    else {
      const readLine = (bytes: Uint8Array, start: number, end: number, at = line): Fault | undefined => {
        rows.line = at;
        return readJsonEvent(bytes, start, end, rows);
      };
      readJsonLines(message, readLine, refusals);
    }
    return this.taken();
  }

  /** The messages that are not full. */
  rest(): PastMessage[] {
    for (const [partition, batch] of this.batches.entries()) this.push(partition, batch.take());
    return this.taken();
  }

  private add({ json, end, bytes, userStart, userEnd }: WrittenEvent): void {
    const { partitions, messageBytesMax } = this.options;
    if (end + 1 > messageBytesMax) {
      this.refuse(this.rows.line, tooLarge(end, messageBytesMax));
      return;
    }
    const partition = partitions === 1 ? 0 : sourcePartitionOf(textOf(bytes, userStart, userEnd), partitions);
    this.push(partition, this.batches[partition]!.add(json, end + 1));
    this.events++;
  }

  private refuse(line: number, fault: Fault): void {
    this.refused++;
    this.options.onRefused(line, fault);
  }

  private push(partition: number, data: Uint8Array | undefined): void {
    if (data !== undefined) this.messages.push({ partition, subject: this.subjects[partition]!, data });
  }

  private taken(): PastMessage[] {
    const { messages } = this;
    this.messages = [];
    return messages;
  }
}

/** With the number of a line, as 12 digits, a UUID of version 8 (RFC 9562), which is for such uses. */
const idPrefixOf = (digest: string): string =>
  `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(12, 15)}-8${digest.slice(15, 18)}-`;

/** Linearly, both ends to both ends; rounded, since 0.1 + 0.2 is not 0.3. */
function mapped({ from, to }: RatingScale, { ratingMin, ratingMax }: EventRules): (rating: number) => number {
  const factor = (ratingMax - ratingMin) / (to - from);
  return (rating) => {
    const exact = ratingMin + (rating - from) * factor;
    return Math.min(ratingMax, Math.max(ratingMin, Math.round(exact * PRECISION) / PRECISION));
  };
}

const PRECISION = 1e6;
