/** An older format is brought to the present one when a store is opened (STORE-FORMAT-1–STORE-FORMAT-3): the checked-in data directory of format 1 must load for ever. */
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answer } from '../../actors/candidates/answer.js';
import { recommendationReader } from '../../actors/recommendations.js';
import { mainTopology, type PipelineOptions } from '../../actors/topology.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { MailboxProcessor, residentStates } from '../../runtime/actor/processor.js';
import { storedStates, encodeHead, isHeadKey, readHead, SNAPSHOT_FORMAT } from '../../runtime/state/keyspace.js';
import { shardsOf } from '../../runtime/node/shards.js';
import { bringToFormat, FORMAT_KEY } from '../../state/format.js';
import { openDatabase, openLevelStore } from '../../state/level-store.js';
import { sealed } from '../../state/sealed.js';
import { WEIGHTED } from '../support/popularity-source.js';

const FIXTURE = join(import.meta.dirname, 'fixtures', 'format-1');
/** What the node of the fixture was configured with; see its README. */
const PIPELINE: PipelineOptions = {
  partitions: { source: 1, user: 1, item: 1 },
  parse: {},
  trigger: { kind: 'frame' },
  watermarkDelayMs: 600_000,
  idleAfterMs: 2_000,
  window: { kind: { kind: 'tumbling', sizeMs: 300_000 }, allowedLatenessMs: 0, output: 'update' },
  interest: { kind: 'decayed', halfLifeMs: 86_400_000 },
  popularity: WEIGHTED,
  listSize: 10,
  trending: {},
  mode: 'live',
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rivulet-format-'));
  await cp(FIXTURE, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const directory = (name: string): string => join(folder, 'state', name);

/** As they are, without the record of the format. */
async function rawEntries(name: string): Promise<Map<string, Uint8Array>> {
  const db = await openDatabase(directory(name));
  const entries = (await db.iterator().all()).map(([key, value]) => [key, Uint8Array.from(value)] as const);
  await db.close();
  return new Map(entries.filter(([key]) => key !== FORMAT_KEY));
}

async function entriesOf(name: string): Promise<Map<string, Uint8Array>> {
  const store = await openLevelStore(directory(name));
  const entries = (await store.entries('')).map(([key, value]) => [key, Uint8Array.from(value)] as const);
  await store.close();
  return new Map(entries);
}

/** Stages that came after the format: they have no state there, and begin with their mailboxes. */
const LATER = new Set(['trending', 'trending-lists', 'parse-items', 'catalogue', 'ranking-learner']);
const UNITS = ['item-0', 'source-0', 'user-0', 'view-0'];
const withoutHeads = (entries: ReadonlyMap<string, Uint8Array>) => [...entries].filter(([key]) => !isHeadKey(key));

describe('a data directory of format 1', () => {
  it('is the whole of it', async () => {
    expect((await readdir(join(folder, 'state'))).sort()).toEqual(UNITS);
  });

  it.each(UNITS)('%s: every entry is the same afterwards, and the heads are of the present format', async (name) => {
    const before = await rawEntries(name);
    expect(before.size).toBeGreaterThan(4);
    const after = await entriesOf(name);
    expect(new Map(withoutHeads(after))).toEqual(new Map(withoutHeads(before)));
    expect([...after.keys()].filter(isHeadKey)).toEqual([...before.keys()].filter(isHeadKey));
    // A second start has nothing to do.
    expect(await entriesOf(name)).toEqual(after);
  });

  it('gives every instance its state, and the answers that it gave', async () => {
    const topology = mainTopology(PIPELINE);
    const { pipeline, view } = shardsOf(topology);
    for (const { name, stages, partition } of [...pipeline, ...view]) {
      const store = await openLevelStore(directory(name));
      for (const id of stages) {
        const stage = topology.stage(id);
        const head = readHead(store, stage, partition, topology.count(id))!;
        if (LATER.has(id)) {
          expect(head).toBeUndefined();
          continue;
        }
        expect(head, id).toMatchObject({ format: SNAPSHOT_FORMAT, partitions: 1 });
        expect(head.sequence).toBeGreaterThan(0);
        const processor = new MailboxProcessor(
          topology,
          stage,
          partition,
          await storedStates(store, stage, partition, residentStates(stage)),
        );
        if (id === 'parse') expect(processor.instance.counts()).toMatchObject({ events: 600, dead_letter: 0 });
        if (id === 'recommendations') await mustAnswer(processor);
      }
      await store.close();
    }
  });

  async function mustAnswer(processor: MailboxProcessor): Promise<void> {
    const reader = recommendationReader(processor.instance.states());
    const expected = JSON.parse(await readFile(join(FIXTURE, 'answers.json'), 'utf8')) as Record<
      string,
      { as_of: string; items: unknown[] }
    >;
    expect(Object.keys(expected)).toHaveLength(5);
    for (const [user, { as_of: asOf, items }] of Object.entries(expected)) {
      const said = answer(reader, { user, limit: 10, category: undefined, excludeSeen: false, explain: false });
      expect(
        said.items.map(({ itemId, score, type }) => [itemId, score, type]),
        user,
      ).toEqual(items);
      expect(new Date(processor.asOfMs!).toISOString()).toBe(asOf);
    }
  }

  it('survives being cut off at each write: nothing is lost, nothing is converted twice (STORE-FORMAT-2)', async () => {
    const expected = await entriesOf('user-0');
    for (let cut = 1, ended = false; !ended; cut++) {
      await rm(directory('user-0'), { recursive: true });
      await cp(join(FIXTURE, 'state', 'user-0'), directory('user-0'), { recursive: true });
      let writes = 0;
      const db = await openDatabase(directory('user-0'));
      const onStep = (): void => {
        if (++writes === cut) throw new Error('cut');
      };
      ended = await bringToFormat(db, '', { entriesAtATime: 40, onStep }).then(
        () => true,
        () => false,
      );
      await db.close();
      if (ended) expect(cut).toBeGreaterThan(4);
      expect(await entriesOf('user-0'), `cut at write ${cut}`).toEqual(expected);
    }
  });
});

describe('a store', () => {
  it('says in one line that it was brought to a newer format', async () => {
    const said: [object, string][] = [];
    const store = await openLevelStore(directory('view-0'), {
      info: (fields, message) => said.push([fields, message]),
    });
    await store.close();
    expect(said).toEqual([
      [expect.objectContaining({ from: 1, to: SNAPSHOT_FORMAT, entries: 80 }), expect.stringContaining('format 1 to')],
    ]);
  });

  it('of a newer format is refused, and left as it is (STORE-FORMAT-3)', async () => {
    const db = await openDatabase(directory('new'));
    await db.put(FORMAT_KEY, sealed(FORMAT_KEY, utf8('{"format":99}')).slice());
    await db.close();
    const before = await rawEntries('new');
    await expect(openLevelStore(directory('new'))).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'SNAPSHOT_FORMAT', message: expect.stringContaining('has format 99') },
      hint: expect.stringContaining('run the version that wrote it'),
    });
    expect(await rawEntries('new')).toEqual(before);
  });

  it('whose record of the format is lost or damaged is not taken for one of format 1', async () => {
    for (const change of ['lost', 'damaged']) {
      const store = await openLevelStore(directory(change));
      await store.write([{ key: 'sum/0/$head', value: encodeHead({ ...HEAD }) }]);
      await store.close();
      const db = await openDatabase(directory(change));
      if (change === 'lost') await db.del(FORMAT_KEY);
      else await db.put(FORMAT_KEY, utf8('{"format":1}'));
      await db.close();
      await expect(openLevelStore(directory(change))).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
    }
  });
});

const HEAD = { format: 2, stage: 'sum', stageVersion: 1, partition: 0, partitions: 1, sequence: 5, stream: 'x' };
