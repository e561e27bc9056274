/**
 * The categories of items for a bounded job, from a catalogue file: CSV or JSONL, plain or gzipped, read as `rivulet publish --items` and a node read it.
 *
 * It is an operator's file, not a stream: its first error is fatal CATALOGUE_TABLE, with the line and how to correct it. Of several records of an item the last counts.
 */
import { isFault } from '../../../actors/formats/json-item.js';
import { catalogueItems } from '../../../actors/model.js';
import { formatOf } from '../../../connectors/csv/folder-source.js';
import { readRecords } from '../../../connectors/csv/read-records.js';
import { fatal } from '../../contract/errors.js';
import { FrameBuilder, type FrameOf } from '../../contract/stage.js';
import { itemOf, itemProblem } from '../publish/item-message.js';

/** Ids and categories have at most 256 bytes each: a frame fits into a message. */
const FRAME_ROWS_MAX = 1_024;

export async function* catalogueTable(path: string): AsyncGenerator<FrameOf<typeof catalogueItems>, void, undefined> {
  const format = formatOf(path);
  if (format === undefined)
    throw wrong(`cannot tell from its name what ${path} holds`, 'name it .csv or .jsonl, with .gz when it is gzipped');
  let rows = new FrameBuilder(catalogueItems);
  for await (const record of readRecords(path, format)) {
    const { item } = itemOf(record, format);
    const problem = record.problem ?? itemProblem(record) ?? (isFault(item) ? item.reason : undefined);
    if (problem !== undefined || isFault(item))
      throw wrong(`${path}, line ${record.line}: ${problem ?? ''}`, 'correct the record, or take it out of the file');
    // Only the view of a node needs the rest.
    rows.add({ item: item.item, category: item.category, deleted: item.deleted ? 1 : 0 });
    if (rows.rows < FRAME_ROWS_MAX) continue;
    yield rows.finish();
    rows = new FrameBuilder(catalogueItems);
  }
  if (rows.rows > 0) yield rows.finish();
}

const wrong = (message: string, hint: string): Error => fatal('CATALOGUE_TABLE', message, { hint });
