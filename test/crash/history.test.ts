/**
 * The history of a node that is killed with -9 again and again: every accepted event once, each repetition marked, with all fields; what leaves it
 * as a file is the same in each format, and another deployment that is filled from it has the same events.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { outputOf, runCli } from '../cli/run-cli.js';
import { liveBed } from '../support/live-bed.js';
import type { TestNats } from '../support/nats.js';
import { until } from '../support/nats-cluster.js';

const bed = liveBed(['--set', 'partitions=2', '--snapshot-every-seconds', '0.5']);

interface Exported {
  readonly event_id: string;
  readonly duplicate: boolean;
  readonly [field: string]: unknown;
}

const rivulet = (...args: readonly string[]): Promise<string> => outputOf(bed.cwd, args);

const linesOf = (text: string): Exported[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Exported);

/** As events of the past, some in each message, of all users on one subject. */
async function publishPast({ url }: TestNats, events: readonly object[]): Promise<void> {
  const log = await openNatsLog(await connectNats({ url }, 'test'));
  const options = { headers: { 'Content-Type': 'application/x-ndjson' } };
  for (let i = 0; i < events.length; i += 25) {
    const lines = events.slice(i, i + 25).map((event) => JSON.stringify(event));
    await log.publish('rivulet.events.past.a', utf8(lines.join('\n')), options);
  }
  await log.close();
}

const eventsIn = async (url: string): Promise<number> => {
  const { events } = JSON.parse(await rivulet('history', 'ls', '--json', '--nats-url', url)) as { events: number };
  return events;
};

const START_MS = Date.now() - 60_000;
const eventOf = (id: string, n: number): Record<string, unknown> => ({
  ...{ event_id: id, event_type: 'view', event_time: new Date(START_MS + n * 10).toISOString() },
  ...{ user_id: `u${n % 7}`, item_id: `i${n % 11}`, page_url: `https://shop/"${n}",\n`, session_id: `s${n % 3}` },
});

describe('the history', () => {
  it('has each event once, however often the node is killed, and comes out again', async () => {
    const server = await bed.server();
    const node = await bed.node('node', server);
    await node.start();
    const ids: string[] = [];
    const rounds = 4;
    for (let round = 0; round < rounds; round++) {
      const events = Array.from({ length: 400 }, (_, i) => eventOf(`e${round}-${i}`, ids.length + i));
      ids.push(...events.map(({ event_id: id }) => id as string));
      const file = join(bed.place, `events-${round}.jsonl`);
      // Each tenth is sent a second time, with another price.
      const all = events.flatMap((event, i) => (i % 10 === 0 ? [event, { ...event, price: 2 }] : [event]));
      writeFileSync(file, all.map((event) => JSON.stringify(event)).join('\n'));
      if (round % 2 === 0) await rivulet('publish', '--file', file, '--nats-url', server.url);
      else await publishPast(server, all);
      await node.kill();
      await node.start();
    }
    const repeated = ids.length / 10;
    await until('all events in the history', async () =>
      (await eventsIn(server.url)) === ids.length + repeated ? true : undefined,
    );

    const exported = linesOf(await rivulet('history', 'export', '--format', 'jsonl', '--nats-url', server.url));
    const first = exported.filter(({ duplicate }) => !duplicate);
    expect(first.map(({ event_id: id }) => id).sort()).toEqual([...ids].sort());
    expect(exported.filter(({ duplicate }) => duplicate).map(({ price }) => price)).toEqual(Array(repeated).fill(2));
    const one = first.find(({ event_id: id }) => id === ids[17]);
    expect(one).toMatchObject({ ...eventOf(ids[17]!, 17), duplicate: false, past: false });
    expect(first.filter(({ past }) => past)).toHaveLength(ids.length / 2);

    const [csv, parquet] = ['events.csv', 'events.parquet'].map((name) => join(bed.place, name));
    await rivulet('history', 'export', '--out', csv!, '--nats-url', server.url);
    await rivulet('history', 'export', '--out', parquet!, '--nats-url', server.url);
    expect(readFileSync(csv!, 'utf8')).toContain(`"https://shop/""17"",\n"`);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(parquet!) });
    const plain = rows.map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([, value]) => value !== null)
          .map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : (value as unknown)]),
      ),
    );
    expect(JSON.parse(JSON.stringify(plain))).toEqual(exported);

    const half = START_MS + (ids.length / 2) * 10;
    const range = ['--from', new Date(half).toISOString(), '--nats-url', server.url];
    const fresh = await bed.server();
    const other = await bed.node('other', fresh, ['--set', 'pipeline.schema=rees46']);
    await other.start();
    await rivulet('history', 'replay', ...range, '--into', fresh.url);
    await until('the events in the other deployment', async () =>
      (await eventsIn(fresh.url)) === ids.length / 2 ? true : undefined,
    );
    const again = linesOf(await rivulet('history', 'export', '--nats-url', fresh.url, '--format', 'jsonl'));
    const withoutPosition = ({ sequence: _, index: __, received_at: ___, ...event }: Exported): object => event;
    expect(again.map(withoutPosition)).toEqual(
      first.filter(({ event_time: time }) => Date.parse(time as string) >= half).map(withoutPosition),
    );
  });

  it('says why there is none, and refuses to replay into where it comes from', async () => {
    const server = await bed.server();
    const without = await bed.node('without', server, ['--set', 'history.megabytes=0']);
    await without.start();
    const none = await runCli(bed.cwd, ['history', 'ls', '--nats-url', server.url]);
    expect([none.code, none.stderr]).toEqual([
      3,
      expect.stringMatching(/no history \[HISTORY_NONE\]\nhint: .*history\.megabytes/),
    ]);

    const kept = await bed.server();
    const node = await bed.node('with', kept);
    await node.start();
    const same = await runCli(bed.cwd, ['history', 'replay', '--into', kept.url, '--nats-url', kept.url]);
    expect([same.code, same.stderr]).toEqual([2, expect.stringContaining('they come from')]);
    const { stdout } = await runCli(bed.cwd, ['history', 'ls', '--nats-url', kept.url]);
    expect(stdout).toMatch(/^No events/);
    const csv = await rivulet('history', 'export', '--format', 'csv', '--nats-url', kept.url);
    expect(csv).toMatch(/^event_id,event_type,[\w,]+,past\n$/);
  });
});
