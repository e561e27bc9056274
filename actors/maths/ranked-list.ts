/**
 * ranked-list: a user's list as the view stores it, in some 18 bytes per item.
 *
 *   list  = version, row*           ranks are positions, from 1
 *   row   = group, item, score      group  the number of a group that an earlier row introduced, from 1
 *         | 0, category, interest, interestRank, kind, item, score                  or a new group: the common values of the rows of a category
 *
 * It is written from the columns of a frame without strings, and decoded on access. A list that came in two frames is the concatenation of their
 * rows.
 */
import { type Codec, entryStart, type FrameOf, type TextColumn } from '../../runtime/contract/stage.js';
import type { ranked } from '../model.js';
import { ByteReader, ByteWriter } from './packed-bytes.js';

type Ranked = FrameOf<typeof ranked>;

export interface RankedItem {
  readonly item: string;
  readonly category: string | undefined;
  readonly score: number;
  /** The user's interest in the category, and its rank among the user's interests; NaN and 0 when the item is listed only for its popularity. */
  readonly interest: number;
  readonly interestRank: number;
  /** From 1. */
  readonly rank: number;
  /** Code of a recommendation type. */
  readonly kind: number;
}

export interface RankedList {
  readonly items: readonly RankedItem[];
}

/** A packed list. Never modified in place. */
export type PackedList = Uint8Array;

const VERSION = 1;
const NEW_GROUP = 0;

/** The stored form equals the packed form; decoding copies, so that a larger buffer can be freed. */
export const packedList: Codec<PackedList> = { encode: (list) => list, decode: (bytes) => bytes.slice() };

const writer = new ByteWriter();

/** Rows [start, end) of a frame, all of one user, as a list. A row without an item is an empty list. */
export function packList(frame: Ranked, start: number, end: number): PackedList {
  writer.byte(VERSION);
  packRows(frame, start, end);
  return writer.take();
}

/** A list with rows [start, end) of a frame appended. */
export function appendToList(list: PackedList, frame: Ranked, start: number, end: number): PackedList {
  writer.raw(list);
  // Groups are numbered from the start of the list; the new rows introduce their own.
  packRows(frame, start, end, groupsOf(list));
  return writer.take();
}

function packRows(frame: Ranked, start: number, end: number, groupsBefore = 0): void {
  const { item, category, score, interest, interestRank, kind } = frame.columns;
  const firsts: number[] = [];
  for (let row = start; row < end; row++) {
    if (item.codes[row] === 0) continue;
    // A user has few categories: the search is short.
    const group = firsts.findIndex(
      (first) =>
        category.codes[first] === category.codes[row] &&
        Object.is(interest[first], interest[row]) &&
        kind[first] === kind[row],
    );
    if (group >= 0) writer.varint(groupsBefore + group + 1);
    else {
      firsts.push(row);
      writer.varint(NEW_GROUP);
      writeText(category, row);
      writer.f64(interest[row]!);
      writer.byte(interestRank[row]!);
      writer.byte(kind[row]!);
    }
    writeText(item, row);
    writer.f64(score[row]!);
  }
}

function writeText({ codes, dictionary }: TextColumn, row: number): void {
  const code = codes[row]!;
  writer.text(dictionary.bytes, entryStart(dictionary, code), dictionary.ends[code]!);
}

export const isEmptyList = (list: PackedList): boolean => list.length === 1;

/** The recommendation type of the first item of a list that is not empty; the other items are not read. */
export function firstKind(list: PackedList): number {
  const reader = new ByteReader(list);
  readVersion(reader);
  reader.varint();
  return readGroup(reader).kind;
}

type Group = Pick<RankedItem, 'category' | 'interest' | 'interestRank' | 'kind'>;

export function unpackList(list: PackedList): RankedList {
  return { items: unpack(list).items };
}

const groupsOf = (list: PackedList): number => unpack(list).groups.length;

function unpack(list: PackedList): { readonly items: RankedItem[]; readonly groups: Group[] } {
  const reader = new ByteReader(list);
  readVersion(reader);
  const groups: Group[] = [];
  const items: RankedItem[] = [];
  while (!reader.atEnd) {
    const number = reader.varint();
    if (number === NEW_GROUP) groups.push(readGroup(reader));
    const { category, interest, interestRank, kind } = groups[number === NEW_GROUP ? groups.length - 1 : number - 1]!;
    // Field by field: spreading the group would take as long as everything else.
    const [item, score] = [reader.text(), reader.f64()];
    items.push({ item, category, score, interest, interestRank, rank: items.length + 1, kind });
  }
  return { items, groups };
}

function readVersion(reader: ByteReader): void {
  const version = reader.byte();
  if (version !== VERSION) throw new RangeError(`a list of version ${version} where ${VERSION} is known`);
}

function readGroup(reader: ByteReader): Group {
  const category = reader.text();
  const [interest, interestRank, kind] = [reader.f64(), reader.byte(), reader.byte()];
  return { category: category === '' ? undefined : category, interest, interestRank, kind };
}
