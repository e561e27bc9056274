/**
 * results-sink: the result rows of a bounded job as files in a folder.
 *
 *   ranked       → recommendations.csv     a user whose list is empty (a row without an item) has no row
 *   interaction  → user_interactions.csv
 *   trending-hour, trending-day → trending_1h.csv, trending_24h.csv
 *   event        → late.csv                of topic `late`; absent is empty
 *   dead-letter  → dead-letter.jsonl       one object per record; the original as text, or in base64 when it is not UTF-8
 *
 * With `timestamps` recommendations.csv and user_interactions.csv have a last column `as_of`. Rows are in the order in which they were written. A position is the length of each file; `open` truncates the files to it. Without a position these
 * files are emptied; other files in the folder are not touched.
 */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { trendingHours } from '../../actors/model.js';
import { fatal } from '../../runtime/contract/errors.js';
import type { Sink } from '../../runtime/contract/ports.js';
import type { Frame, FrameOf } from '../../runtime/contract/stage.js';
import { ResultFile } from './result-file.js';
import { putDeadLetters, putInteractions, putLate, putRecommendations, putTrending } from './result-rows.js';

interface Output {
  readonly file: string;
  readonly header: string;
  readonly put: (file: ResultFile, epoch: number, frame: Frame, asOfMs?: number) => void;
  /** Whether it has the column `as_of` when it is asked for; the others have times of their own. */
  readonly isTimed?: true;
  /** Whether it has rows of windows that are still open at the end of the input: those with its epoch. */
  readonly isOpen?: true;
}

const TRENDING_HEADER = 'window_start,window_end,item_id,views,clicks,trending_score,rank\n';

const HOUR_MS = 3_600_000;
const trending = (sizeMs: number, file: string): Output => ({
  ...{ file, header: TRENDING_HEADER, isOpen: true },
  put: (to, _epoch, frame) => {
    putTrending(to, sizeMs, frame as FrameOf<typeof trendingHours>);
  },
});

const OUTPUTS: Readonly<Record<string, Output>> = {
  ranked: {
    file: 'recommendations.csv',
    header: 'epoch,user_id,product_id,rec_score,main_category,rank,recommendation_type\n',
    put: putRecommendations as Output['put'],
    isTimed: true,
  },
  interaction: {
    file: 'user_interactions.csv',
    header: 'epoch,user_id,product_id,interaction_count,views,carts,purchases\n',
    put: putInteractions as Output['put'],
    isTimed: true,
  },
  event: {
    file: 'late.csv',
    header: 'epoch,event_time,event_type,product_id,category_code,brand,price,user_id\n',
    put: putLate as Output['put'],
  },
  'trending-hour': trending(HOUR_MS, 'trending_1h.csv'),
  'trending-day': trending(24 * HOUR_MS, 'trending_24h.csv'),
  'dead-letter': { file: 'dead-letter.jsonl', header: '', put: putDeadLetters as Output['put'] },
};

const LATE = 'late';
const AS_OF = 'as_of';

export interface ResultsSinkOptions {
  /** Created if it does not exist. */
  readonly directory: string;
  /** Whether rows without a time get one in a last column `as_of`: the latest event time of the epoch that they are the result of. */
  readonly timestamps?: boolean;
  /** The epoch with which an earlier job ended, which this one goes on with: the rows of windows that were open then are withdrawn. */
  readonly endedBefore?: number | undefined;
}

/** Where the rows of the newest epoch begin. */
interface EpochStart {
  readonly epoch: number;
  readonly length: number;
}

interface Position {
  readonly lengths: Readonly<Record<string, number>>;
  /** Of files with rows of windows. */
  readonly starts: Readonly<Record<string, EpochStart>>;
  /** `endedBefore` of the job that has written it; absent: none. */
  readonly endedBefore?: number | undefined;
}

/** Fatal SINK_FILE_SHORT, SINK_POSITION, SINK_DISK_FULL, SINK_UNWRITABLE, SINK_TIME, SINK_TOPIC. */
export function resultsSink({ directory, timestamps = false, endedBefore }: ResultsSinkOptions): Sink {
  const files = new Map<string, ResultFile>();
  let starts = new Map<string, EpochStart>();
  const close = async (): Promise<void> => {
    const closing = [...files.values()].map((file) => file.close());
    files.clear();
    await Promise.all(closing);
  };
  return {
    async open(position) {
      await makeDirectory(directory);
      const before = position === undefined ? { lengths: {}, starts: {} } : positionIn(position);
      const goesOn = endedBefore !== undefined && before.endedBefore !== endedBefore;
      starts = new Map(goesOn ? [] : Object.entries(before.starts));
      for (const [type, { file, header, isTimed }] of Object.entries(OUTPUTS)) {
        const start = goesOn ? before.starts[file] : undefined;
        const length = start !== undefined && start.epoch === endedBefore ? start.length : before.lengths[file];
        // If nothing comes after all, the rows stay.
        const opened = await ResultFile.open(join(directory, file), length, goesOn).catch(async (error: unknown) => {
          await close();
          throw error;
        });
        files.set(type, opened);
        if (length !== undefined) continue;
        opened.put(Buffer.from(timestamps && isTimed === true ? header.replace('\n', `,${AS_OF}\n`) : header));
      }
      await syncDirectory(directory);
    },

    write(topic, epoch, frame, asOfMs) {
      const type = frame.type.name;
      const file = files.get(type);
      if (file === undefined || (topic === LATE) !== (type === 'event')) {
        throw fatal('SINK_TOPIC', `frames of ${type} from topic ${topic} have no result file`);
      }
      const { put, isTimed, isOpen, file: name } = OUTPUTS[type]!;
      if (isOpen === true && epoch > (starts.get(name)?.epoch ?? -1)) starts.set(name, { epoch, length: file.length });
      if (timestamps && isTimed === true && asOfMs === undefined)
        throw fatal('SINK_TIME', `rows of ${type} of epoch ${epoch} have no time`, { hint: 'do the job anew' });
      put(file, epoch, frame, timestamps ? asOfMs : undefined);
      return file.flow();
    },

    async sync() {
      const lengths: Record<string, number> = {};
      for (const [type, file] of files) lengths[OUTPUTS[type]!.file] = await file.sync();
      return JSON.stringify({ lengths, starts: Object.fromEntries(starts), endedBefore } satisfies Position);
    },

    close,
  };
}

function positionIn(position: string): Position {
  let found: Partial<Position> | undefined;
  try {
    found = JSON.parse(position) as Partial<Position>;
  } catch {
    found = undefined;
  }
  const { lengths, starts } = typeof found === 'object' && found !== null ? found : {};
  const areLengths =
    typeof lengths === 'object' && lengths !== null && Object.values(lengths).every(Number.isSafeInteger);
  if (areLengths && typeof starts === 'object' && starts !== null) return found as Position;
  throw fatal('SINK_POSITION', `not a position of the results sink: ${position.slice(0, 200)}`, {
    hint: 'the data directory belongs to another sink or version',
  });
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw fatal('SINK_UNWRITABLE', `cannot make the folder ${directory}`, {
      cause,
      hint: 'check that this user may write there',
    });
  }
}

/** The name of a new file is durable only after a sync of its folder; where a folder cannot be opened (Windows), names are durable anyway. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
