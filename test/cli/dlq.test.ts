/** The dead-letter queue against a real nats-server: records as the runtime writes them, listed, shown, sent again. */
import { fromBinary } from '@bufbuild/protobuf';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { DeadLetterQueue } from '../../runtime/dead-letters/queue.js';
import { streamOf, type Topology } from '../../runtime/contract/graph.js';
import type { Log } from '../../runtime/contract/ports.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { messagesIn, type Refused, refuseEvents } from '../support/refused-events.js';
import { type Ended, runCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
let nats: TestNats;
let log: Log;
let topology: Topology;

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-dlq'));
  const { config } = loadConfig({ env: {}, cwd, flags: [{ key: 'sourcePartitions', value: '4', bySet: true }] });
  topology = mainTopology(pipelineOptions(config));
  await ensureStreams(log, topology, { bytesMax: 64 * 1024 * 1024, replicas: 1 });
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
  remove();
});

/** An empty queue: ids start anew behind what was there. */
beforeEach(async () => {
  for (const stream of ['dead-letter', 'parse']) {
    const { lastSequence } = await log.info(streamOf(stream));
    await log.purge(streamOf(stream), '>', lastSequence + 1);
  }
});

const refuse = (rows: readonly Refused[], output?: string): Promise<number> => refuseEvents(log, rows, output);

const dlq = (...args: string[]): Promise<Ended> => runCli(cwd, ['dlq', ...args, '--nats-url', nats.url]);

const GOOD = '{"event_type":"view","user_id":"u1","item_id":"i1","price":-1}';

describe('ls', () => {
  it('lists the newest first, and says when there is nothing', async () => {
    expect((await dlq('ls')).stdout).toBe('No dead letters.\n');
    const first = await refuse([{ original: GOOD }, { original: 'x', rule: 'json_invalid' }]);
    const second = await refuse([{ original: 'y', rule: 'json_invalid' }]);
    const ids = async (...args: string[]): Promise<string[]> =>
      (JSON.parse((await dlq('ls', '--json', ...args)).stdout) as { id: string }[]).map(({ id }) => id);
    expect(await ids()).toEqual([`${second}-0`, `${first}-1`, `${first}-0`]);
    expect(await ids('--limit', '1')).toEqual([`${second}-0`]);
    expect(await ids('--rule', 'price_negative')).toEqual([`${first}-0`]);
    const { stdout } = await dlq('ls');
    expect(stdout).toMatch(
      new RegExp(`^${first}-0 +2026-01-02 03:04:05 UTC +price_negative +price +no +price is -1`, 'm'),
    );
    expect(stdout).toContain(`rivulet dlq show ${second}-0`);
  });

  it('finds what stands far back', async () => {
    const wanted = await refuse([{ original: 'old', rule: 'rare' }]);
    for (let i = 0; i < 300; i++) await refuse([{ original: `${i}` }]);
    const found = await new DeadLetterQueue(log).newest(1, { rule: 'rare' });
    expect(found.map(({ id }) => id)).toEqual([`${wanted}-0`]);
  });
});

describe('show', () => {
  it('tells all, with the text that was sent', async () => {
    const sequence = await refuse([{ original: GOOD, index: 2 }]);
    const { stdout } = await dlq('show', `${sequence}-0`);
    expect(stdout).toBe(
      [
        `id       ${sequence}-0`,
        'stored   2026-01-02 03:04:05 UTC',
        'from     rivulet.parse.2.events.view.u1, message 77, event 3 of it',
        'stage    parse',
        'rule     price_negative',
        'field    price',
        'reason   price is -1: send 0 or more',
        'retried  no',
        '',
        `original, ${GOOD.length} bytes:`,
        GOOD,
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['bytes that are no text', Uint8Array.from([0xff, 0x00, 0x41])],
    ['text that would move the cursor', Buffer.from('\u001b[2JA')],
  ])('dumps %s', async (_, original) => {
    const sequence = await refuse([{ original }]);
    const { stdout } = await dlq('show', `${sequence}-0`);
    expect(stdout).toContain(`original, ${original.length} bytes, not text:\n00000000  `);
    expect(stdout).not.toContain('\u001b');
    const json = JSON.parse((await dlq('show', `${sequence}-0`, '--json')).stdout);
    expect(json).toMatchObject({ original_text: null, original_base64: Buffer.from(original).toString('base64') });
  });

  it('gives the bytes of a message that the runtime has quarantined', async () => {
    const original = Uint8Array.from([1, 2, 255]);
    const sequence = await refuse([{ original: Buffer.from(original).toString('base64'), rule: 'poison' }], '$poison');
    const record = await new DeadLetterQueue(log).find(`${sequence}-0`);
    expect([...record.original]).toEqual([...original]);
  });

  it.each(['999999-0', 'x', '1'])('says that there is no %s', async (id) => {
    await refuse([{ original: GOOD }]);
    const { code, stderr } = await dlq('show', id);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`error: there is no dead letter ${id} [DEAD_LETTER_UNKNOWN]\nhint: `),
    ]);
  });
});

describe('retry', () => {
  it('sends the original as a publisher would, once, and marks it', async () => {
    const id = `${await refuse([{ original: GOOD }])}-0`;
    expect((await dlq('retry', id)).stdout).toBe(`${id}  sent again on rivulet.events.view.u1\n`);
    const sent = await messagesIn(log, 'parse');
    expect(sent.map(({ data }) => Buffer.from(data).toString())).toEqual([GOOD]);
    // The server's transform has found its partition anew.
    expect(sent[0]!.subject).toMatch(/^rivulet\.parse\.\d\.events\.view\.u1$/);
    expect((await dlq('ls')).stdout).toMatch(new RegExp(`^${id} .* price +\\d{4}-`, 'm'));
    const again = await dlq('retry', id);
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringMatching(/was retried already.*\[DEAD_LETTER_RETRIED\]\nhint: .*--again/),
    ]);
    expect((await dlq('retry', id, '--again')).code).toBe(0);
    expect(await messagesIn(log, 'parse')).toHaveLength(2);
  });

  it('tells when it is refused again', async () => {
    const id = `${await refuse([{ original: GOOD }])}-0`;
    const { lastSequence } = await log.info(streamOf('parse'));
    const retrying = dlq('retry', id);
    await expect.poll(async () => (await log.info(streamOf('parse'))).lastSequence).toBe(lastSequence + 1);
    // As the node does that reads it: another one first, then this one.
    await refuse([{ original: 'other' }]);
    const again = await refuse([{ original: GOOD, sequence: lastSequence + 1 }]);
    const { code, stdout } = await retrying;
    expect([code, stdout]).toEqual([
      1,
      `${id}  sent again on rivulet.events.view.u1, and refused again as ${again}-0: price is -1: send 0 or more\n`,
    ]);
  });

  it('leaves readers of the topic undisturbed: a mark is an empty envelope', async () => {
    const queue = new DeadLetterQueue(log);
    const id = `${await refuse([{ original: GOOD }])}-0`;
    await queue.retry(await queue.find(id), { kind: 'none' }, { again: false });
    const [record, ...marks] = await messagesIn(log, 'dead-letter');
    expect(fromBinary(EnvelopeSchema, record!.data).body.case).toBe('frame');
    for (const { data } of marks) {
      expect(fromBinary(EnvelopeSchema, data)).toMatchObject({ body: { case: undefined }, endsInput: false });
    }
    const names = ['retrying', 'retried'].map((name) => `rivulet.dead-letter.${name}.${id}`);
    expect(marks.map(({ subject }) => subject)).toEqual(names);
  });

  it('sends it mended', async () => {
    const sequence = await refuse([{ original: GOOD }, { original: GOOD }, { original: GOOD }]);
    writeFileSync(join(cwd, 'mended.json'), '{"from":"file"}');
    await dlq('retry', `${sequence}-0`, '--set', 'price=12.5', '--set', 'brand=acme', '--set', 'item_id="7"');
    await dlq('retry', `${sequence}-1`, '--data', '{"mine":1}');
    await dlq('retry', `${sequence}-2`, '--data-file', 'mended.json');
    const sent = (await messagesIn(log, 'parse')).map(({ data }) => JSON.parse(Buffer.from(data).toString()));
    expect(sent).toEqual([
      { event_type: 'view', user_id: 'u1', item_id: '7', price: 12.5, brand: 'acme' },
      { mine: 1 },
      { from: 'file' },
    ]);
  });

  it('of a row of a file needs the event, or one that stands for itself', async () => {
    const place = { file: 'a.csv', line: 7, subject: 'rivulet.parse.0.folder.0' };
    const sequence = await refuse([
      { ...place, original: 'view,u1,i1' },
      { ...place, file: 'a.jsonl', original: GOOD },
    ]);
    const row = await dlq('retry', `${sequence}-0`);
    expect([row.code, row.stderr]).toEqual([2, expect.stringContaining('hint: give the corrected event with --data')]);
    expect((await dlq('retry', `${sequence}-1`)).stdout).toContain('sent again on rivulet.events.retry');
    expect((await messagesIn(log, 'parse')).map(({ subject }) => subject)).toEqual(['rivulet.events.retry']);
  });

  it('of all sends what was not sent yet, oldest first, and tells what it could not', async () => {
    const first = await refuse([{ original: '1' }, { original: '2', rule: 'other' }]);
    const second = await refuse([{ original: '3' }, { original: '4', subject: 'rivulet.window.0.watermark.0' }]);
    await dlq('retry', `${first}-0`);
    const { stdout, code } = await dlq('retry', '--all', '--rule', 'price_negative', '--json');
    expect(JSON.parse(stdout)).toEqual([
      { id: `${second}-0`, subject: 'rivulet.events.view.u1' },
      { id: `${second}-1`, error: expect.stringContaining('is a message between stages') },
    ]);
    expect(code).toBe(1);
    expect((await dlq('retry', '--all', '--rule', 'other')).code).toBe(0);
    expect((await messagesIn(log, 'parse')).map(({ data }) => Buffer.from(data).toString())).toEqual(['1', '3', '2']);
  });

  it.each([
    [['--all', '--data', '{}']],
    [['1-0', '--data', '{}', '--set', 'a=1']],
    [['1-0', '--rule', 'x']],
    [['1-0', '--set', 'price']],
    [['1-0', '--data-file', 'none.json']],
  ])('refuses %j', async (args) => {
    const { code, stderr } = await dlq('retry', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining('[USAGE]')]);
  });
});

it('says that no node has run on a NATS without the queue', async () => {
  const empty = await startTestNats();
  try {
    const { code, stderr } = await runCli(cwd, ['dlq', 'ls', '--nats-url', empty.url]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('error: this NATS has no dead-letter queue: no node has run on it'),
    ]);
  } finally {
    await empty.stop();
  }
});
