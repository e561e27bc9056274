/**
 * Reads a browsable log (a topic for people, graph.ts) page by page, the newest rows first.
 *
 *   id, cursor   <stream sequence>-<row of the message>     valid as long as the stream exists
 *
 * Invariants
 *   BROWSABLE-LOG-1  Pages that follow each other's cursors return each row once, whatever is written meanwhile.
 *   BROWSABLE-LOG-2  A page costs a bounded amount, in messages and in bytes, however long the log is, however large its messages and however few of its rows
 *                    match: it then ends early, with a cursor to continue.
 *   BROWSABLE-LOG-3  Pages make progress: the cursor of the next page is always further back than this page's.
 */
import { poison, transient } from '../contract/errors.js';
import { streamOf } from '../contract/graph.js';
import type { Clock, Log, LogMessage, Reader } from '../contract/ports.js';

export interface BrowsableRow {
  readonly id: string;
  /** Approximate bytes in memory. */
  readonly bytes: number;
}

export interface BrowsablePage<R> {
  /** Newest first. */
  readonly rows: readonly R[];
  /** Where the next page begins; absent: this is the last. A page with fewer rows than the limit, even none, may have one. */
  readonly next: string | undefined;
}

export interface PageWish<R> {
  readonly limit: number;
  /** The `next` of the page before. */
  readonly before?: string | undefined;
  /** Called for every row that is read, so it must be cheap. */
  readonly isWanted?: (row: R) => boolean;
  /** Filters matching rows further, newest first, in the same order. */
  readonly choose?: (rows: readonly R[]) => Promise<readonly R[]>;
}

/** The rows after it were read: of message `sequence` those from `row` on. */
interface Position {
  readonly sequence: number;
  readonly row: number;
}

/** Rows in stream order, all that are wanted of a window, or only its end. */
interface Part<R> {
  readonly rows: readonly R[];
  readonly messages: number;
  /** Of these messages. */
  readonly bytesRead: number;
  /** Earlier rows of the window were dropped. */
  readonly isCut: boolean;
  /** There were too many messages in it. */
  readonly isTooWide: boolean;
}

/** The first one; the next are wider by what was found: a message may have megabytes. */
const WINDOW_MESSAGES = 8;
const WINDOW_READ_BYTES = 16 * 1024 * 1024;
/** No window has more messages than this; a wider one, over sequences where there are few, is tried again when it has. */
const WINDOW_MESSAGES_MAX = 256;
/** Per page. */
const MESSAGES_MAX = 2_000;
const READ_BYTES_MAX = 32 * 1024 * 1024;
const CHOSEN_AMONG_MAX = 2_000;
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;
const TAKE_MESSAGES = 64;
/** A server cuts a connection that does not take 64 MB in time. */
const FRAMES_AHEAD = 4;
/** A reader waits for messages as long as it takes; people do not. */
const READ_MS_MAX = 5_000;

/** Digits as many as a sequence that is a safe integer may have. */
const ID = /^(\d{1,15})-(\d{1,9})$/;

export class BrowsableLog<R extends BrowsableRow> {
  private readonly stream: string;
  /** Of instances: `rivulet.<topic>.<partition>.<stage>.<partition>`. What people add (marks) has another form. */
  private readonly subjects: string;

  /** `rowsIn`: the rows of a message, in order; it copies what it returns. */
  constructor(
    private readonly log: Log,
    topic: string,
    private readonly rowsIn: (message: LogMessage) => readonly R[],
    private readonly clock: Clock,
  ) {
    this.stream = streamOf(topic);
    this.subjects = `rivulet.${topic}.*.*.*`;
  }

  /** Poison BROWSABLE_LOG_CURSOR: `before` is no cursor. Transient BROWSABLE_LOG_READ, LOG_UNREACHABLE: not now. */
  async page({ limit, before, isWanted = () => true, choose }: PageWish<R>): Promise<BrowsablePage<R>> {
    const cursor = before === undefined ? undefined : mustBePosition(before);
    const newest = await this.log.last(this.stream, this.subjects);
    if (newest === undefined) return { rows: [], next: undefined };
    const { firstSequence } = await this.log.info(this.stream);
    const end = { sequence: newest.sequence + 1, row: 0 };
    let at = cursor === undefined || cursor.sequence > newest.sequence ? end : cursor;
    const found: R[] = [];
    const next = (): string => found.at(-1)!.id;
    let [bytes, examined, messagesLeft, bytesLeft, window] = [0, 0, MESSAGES_MAX, READ_BYTES_MAX, WINDOW_MESSAGES];
    while (lastBefore(at) >= firstSequence) {
      if (messagesLeft <= 0 || bytesLeft <= 0) return { rows: found, next: idOf(at) };
      const to = lastBefore(at);
      const from = Math.max(firstSequence, to - window + 1);
      const part = await this.read(from, to, at, isWanted);
      messagesLeft -= part.messages;
      bytesLeft -= part.bytesRead;
      if (part.isTooWide) {
        window = WINDOW_MESSAGES;
        continue;
      }
      const rows = part.rows.toReversed();
      for (let i = 0; i < rows.length;) {
        if (examined >= CHOSEN_AMONG_MAX) return { rows: found, next: rows[i - 1]?.id ?? idOf(at) };
        // One more than there is room for: then the page knows that it has a next one.
        const chunk = rows.slice(i, i + limit + 1 - found.length);
        i += chunk.length;
        if (choose !== undefined) examined += chunk.length;
        for (const row of choose === undefined ? chunk : await choose(chunk)) {
          bytes += row.bytes;
          if (found.length === limit || (found.length > 0 && bytes > PAGE_BYTES_MAX)) {
            return { rows: found, next: next() };
          }
          found.push(row);
        }
      }
      at = part.isCut ? mustBePosition(part.rows[0]!.id) : { sequence: from, row: 0 };
      const isSparse = part.messages * 4 < window;
      window = isSparse ? window * 2 : Math.min(window * 2, WINDOW_MESSAGES_MAX);
      const messageBytes = part.bytesRead / part.messages;
      // Not a number where there was no message.
      if (messageBytes * window > WINDOW_READ_BYTES) window = Math.max(1, Math.floor(WINDOW_READ_BYTES / messageBytes));
    }
    return { rows: found, next: undefined };
  }

  /** `undefined` when there is no such row, or no more. */
  async find(id: string): Promise<R | undefined> {
    const [, sequence] = ID.exec(id) ?? [];
    if (sequence === undefined) return undefined;
    const at = Number(sequence);
    const newest = await this.log.last(this.stream, this.subjects);
    // Without a message there or behind it, a reader would wait for one.
    if (newest === undefined || newest.sequence < at) return undefined;
    const { rows } = await this.read(at, at, { sequence: at + 1, row: 0 }, (row) => row.id === id);
    return rows[0];
  }

  /** Wanted rows of messages [from, to] before a position. Some message at `to` or behind it must be there. */
  private async read(from: number, to: number, before: Position, isWanted: (row: R) => boolean): Promise<Part<R>> {
    const reader = await this.log.read(this.stream, { filters: [this.subjects], from, framesAhead: FRAMES_AHEAD });
    const over = new AbortController();
    void this.clock.sleep(READ_MS_MAX, over.signal).then(() => reader.close());
    try {
      return await this.window(reader, to, before, isWanted);
    } finally {
      over.abort();
      await reader.close();
    }
  }

  private async window(reader: Reader, to: number, before: Position, isWanted: (row: R) => boolean): Promise<Part<R>> {
    let rows: R[] = [];
    let [messages, bytes, bytesRead, isCut] = [0, 0, 0, false];
    for (;;) {
      const taken = await reader.take(TAKE_MESSAGES);
      if (taken.length === 0) {
        throw transient('BROWSABLE_LOG_READ', `${this.stream} could not be read within ${READ_MS_MAX / 1000} s`, {
          hint: 'NATS is busy or away: try again in a moment',
        });
      }
      for (const message of taken) {
        if (message.sequence > to) return { rows, messages, bytesRead, isCut, isTooWide: false };
        if (messages++ === WINDOW_MESSAGES_MAX) return { rows: [], messages, bytesRead, isCut, isTooWide: true };
        bytesRead += message.data.length;
        const all = unlessForeign(() => this.rowsIn(message));
        const last = message.sequence === before.sequence ? before.row : all.length;
        for (const row of all.slice(0, last)) {
          if (!isWanted(row)) continue;
          rows.push(row);
          bytes += row.bytes;
        }
        if (bytes > WINDOW_BYTES_MAX) {
          rows = newestOf(rows, WINDOW_BYTES_MAX / 2);
          bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
          isCut = true;
        }
        if (message.sequence === to) return { rows, messages, bytesRead, isCut, isTooWide: false };
      }
    }
  }
}

/** Foreign messages cannot be read as rows and are skipped. */
function unlessForeign<R>(rowsIn: () => readonly R[]): readonly R[] {
  try {
    return rowsIn();
  } catch {
    return [];
  }
}

/** The end of a list, up to so many bytes: at least the last item. */
function newestOf<R extends BrowsableRow>(rows: readonly R[], bytesMax: number): R[] {
  let [first, bytes] = [rows.length - 1, rows.at(-1)!.bytes];
  while (first > 0 && bytes + rows[first - 1]!.bytes <= bytesMax) bytes += rows[--first]!.bytes;
  return rows.slice(first);
}

const idOf = ({ sequence, row }: Position): string => `${sequence}-${row}`;

/** The last message that may have rows before a position. */
const lastBefore = ({ sequence, row }: Position): number => (row > 0 ? sequence : sequence - 1);

function mustBePosition(text: string): Position {
  const [, sequence, row] = ID.exec(text) ?? [];
  if (sequence !== undefined) return { sequence: Number(sequence), row: Number(row) };
  throw poison('BROWSABLE_LOG_CURSOR', `${JSON.stringify(text)} is no cursor: send the next_cursor of the page before`);
}
