/**
 * A record of a catalogue file as the message that a publisher would send: JSON on rivulet.items.<item>.
 *
 * Records that a node would refuse go to rivulet.items.unknown, so that they reach the dead letters, where they can be fixed.
 */
import { ITEM_FIELDS, ITEM_NAMES } from '../../../actors/formats/item-fields.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { isFault, type PublishedItem, readJsonItem } from '../../../actors/formats/json-item.js';
import { decimalOf } from '../../../actors/maths/decimal.js';
import type { FileFormat } from '../../../connectors/csv/file-chunks.js';
import { type FileRecord, readRecords } from '../../../connectors/csv/read-records.js';
import { utf8 } from '../../frames/bytes.js';
import { itemSubject } from '../../node/publisher.js';
import { type FileEntry, JSON_LINES } from './event-message.js';

export const UNKNOWN_ITEM_SUBJECT = 'rivulet.items.unknown';

const NUMERIC = new Set<string>(ITEM_FIELDS.price);
const FLAGS = new Set<string>(ITEM_FIELDS.deleted);
const FLAG = /^(true|false)$/i;

type Fields = Readonly<Record<string, unknown>>;

export async function* itemEntries(file: string, format: FileFormat): AsyncGenerator<FileEntry, void, undefined> {
  for await (const record of readRecords(file, format)) {
    // Without its header a row has no meaning: as a dead letter it could not be fixed.
    const isUnsendable = format === 'csv' || ('isDamaged' in record && record.isDamaged);
    const problem = (isUnsendable ? record.problem : undefined) ?? itemProblem(record);
    const { line } = record;
    yield problem === undefined ? { line, ...itemMessage(record, format) } : { line, problem };
  }
}

/** As it is published, and as a node reads that. */
export function itemOf(
  file: FileRecord,
  format: FileFormat,
): { readonly data: Uint8Array; readonly item: PublishedItem | Fault } {
  const data = utf8(file.problem === undefined ? JSON.stringify(mended(file.record, format)) : file.text);
  return { data, item: readJsonItem(data, 0, data.length) };
}

export function itemMessage(file: FileRecord, format: FileFormat): FileEntry {
  const { data, item } = itemOf(file, format);
  if (isFault(item)) return { message: { subject: UNKNOWN_ITEM_SUBJECT, data, contentType: JSON_LINES }, fault: item };
  return { message: { subject: itemSubject(item.item), data } };
}

/** Why a record is certainly not an item: the wrong file would overwrite the catalogue's items with empty fields. */
export function itemProblem({ record }: FileRecord): string | undefined {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return undefined;
  if ('event_type' in record) return 'it is an event, not an item: publish events with --file';
  if (Object.keys(record).some((name) => (ITEM_NAMES.get(name)?.[0] ?? 'item_id') !== 'item_id')) return undefined;
  return 'it says nothing of an item: it has none of title, category, brand, price, tags (or a name that means one of them) and deleted';
}

function mended(record: unknown, format: FileFormat): unknown {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return record;
  return format === 'csv' ? fromCsv(record as Readonly<Record<string, string>>) : record;
}

/** Empty columns are absent. Text that is not the expected number or boolean stays text, and is refused with its name. */
function fromCsv(row: Readonly<Record<string, string>>): Fields {
  const fields: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(row)) {
    if (text === '') continue;
    if (NUMERIC.has(name)) {
      const bytes = utf8(text);
      const number = decimalOf(bytes, 0, bytes.length);
      fields[name] = Number.isNaN(number) ? text : number;
    } else fields[name] = FLAGS.has(name) && FLAG.test(text) ? text.toLowerCase() === 'true' : text;
  }
  return fields;
}
