/**
 * parse-items: from the bytes of publishers to items.
 *
 *   each item of a message is a row of `rows`, or a dead letter; in order of arrival
 *
 * The fields of an item, and their names, are in `formats/item-fields` and `formats/json-item`; a bad item does not affect the others of its message.
 *
 * State    none. Valid items are not events, and are not counted as such; a refused one is counted as a dead letter, so that it is visible.
 *          Ticks have no effect on it; but a stage without input writes no snapshot, and has no copy on other machines.
 * Restart  messages after the snapshot are replayed and give the same rows.
 */
import { from, map, mergeMap, tap } from 'rxjs';
import { readItems } from './formats/item-message.js';
import { Refusals } from './formats/refusals.js';
import { catalogueItems } from './model.js';
import {
  deadLetters,
  FrameBuilder,
  type FrameOf,
  input,
  RAW,
  type RawBatch,
  stage,
} from '../runtime/contract/stage.js';

export interface ParseItemsOptions {
  /** The size of one message. */
  readonly messageBytesMax?: number;
  readonly messageItemsMax?: number;
}

export const PARSE_ITEMS_DEFAULTS: Required<ParseItemsOptions> = {
  messageBytesMax: 256 * 1024,
  messageItemsMax: 10_000,
};

export const parseItems = (options: ParseItemsOptions = {}) => {
  const limits = { ...PARSE_ITEMS_DEFAULTS, ...options };
  return stage({
    id: 'parse-items',
    key: 'source',
    version: 1,
    inputs: { items: input(RAW) },
    outputs: { rows: catalogueItems, deadLetters },
    state: {},
    counts: ['events', 'dead_letter'],
    pipeline: ({ inputs, out, count }) =>
      inputs.items.pipe(
        map((batch) => read(batch, limits)),
        tap(({ refused }) => {
          count('events', refused?.rows ?? 0);
          count('dead_letter', refused?.rows ?? 0);
        }),
        mergeMap(({ rows, refused }) =>
          from([
            ...(rows.rows === 0 ? [] : [out.rows(rows)]),
            ...(refused === undefined ? [] : [out.deadLetters(refused)]),
          ]),
        ),
      ),
  });
};

interface Read {
  readonly rows: FrameOf<typeof catalogueItems>;
  readonly refused: FrameOf<typeof deadLetters> | undefined;
}

function read({ messages }: RawBatch, limits: Required<ParseItemsOptions>): Read {
  const refusals = new Refusals('parse-items');
  const builder = new FrameBuilder(catalogueItems);
  for (const message of messages) {
    const onItem: Parameters<typeof readItems>[1] = ({ deleted, ...item }) => {
      builder.add({ ...item, updatedAt: message.storedAtMs, deleted: deleted ? 1 : 0 });
    };
    readItems(message, onItem, refusals, limits);
  }
  return { rows: builder.finish(), refused: refusals.finish() };
}
