/** What a node that runs tells Prometheus: all that dashboard and alerts ask for, explained, and nothing of users or items. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { nodeOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import type { RunningNode, startNode } from '../../runtime/node/node.js';
import type { RecentAnswers } from '../../runtime/telemetry/answer-metrics.js';
import { ROOT } from '../guards/source-files.js';
import { eventually } from '../support/eventually.js';
import { metricsIn } from '../support/promql-names.js';
import { noPromtool, runPromtool } from '../support/promtool.js';
import { skipped } from '../support/requirements.js';

const USERS = 40;
const ITEMS = 7;
const FAMILY = /_(bucket|sum|count)$/;

let node: RunningNode;
let dataDir: string;
let text: string;
/** Lists given before those that the test counts. */
let given: RecentAnswers;

const sample = (name: string, labels = ''): number => {
  const line = text.split('\n').find((one) => one.startsWith(`${name}${labels === '' ? ' ' : `{${labels}`}`));
  return Number(line?.slice(line.lastIndexOf(' ') + 1));
};

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rivulet-metrics-'));
  // Its threads run what was built.
  const built = (await import(join(ROOT, 'dist', 'runtime', 'node', 'node.js'))) as { startNode: typeof startNode };
  const settings = {
    ...{
      RIVULET_DATA_DIR: dataDir,
      RIVULET_GRPC_PORT: '0',
      RIVULET_HTTP_PORT: '0',
      RIVULET_PARTITIONS: '2',
      RIVULET_THREADS: '1',
    },
    ...{ RIVULET_LOG_LEVEL: 'error', RIVULET_SNAPSHOT_EVERY_SECONDS: '0.5' },
  };
  const { config } = loadConfig({ env: settings, cwd: dataDir });
  node = await built.startNode({ ...nodeOptions(config), onProgress: () => undefined });
  const at = Date.now() - 60_000;
  for (let i = 0; i < 200; i++) {
    const event = {
      event_id: `event-${i}`,
      event_type: i % 5 === 0 ? 'purchase' : 'view',
      event_time: new Date(at + i).toISOString(),
      user_id: `person-${i % USERS}`,
      item_id: `article-${i % ITEMS}`,
      category_code: 'home.chair',
      price: 3,
    };
    await node.log.publish(`rivulet.events.${event.event_type}.${event.user_id}`, utf8(JSON.stringify(event)));
  }
  await node.log.publish('rivulet.events.view.person-1', utf8('nonsense of person-1'));
  const client = await connectRivulet(`127.0.0.1:${node.grpcPort}`);
  await client.getRecommendations({ userId: 'person-1', strategy: 'category-popularity' });
  // A user with events, one without.
  await eventually(async () => {
    const lists = await client.batchGetRecommendations({
      userIds: ['person-1', 'stranger'],
      strategy: 'category-popularity',
    });
    const kinds = ['streaming_category_popularity', 'streaming_popular_fallback'];
    expect(lists.map(({ items }) => items[0]?.type)).toEqual(kinds);
  });
  given = node.telemetry.answers.recent();
  await client.batchGetRecommendations({ userIds: ['person-1', 'stranger'] });
  await client.getRecommendations({ userId: 'person-1', category: 'nothing', strategy: 'category-popularity' });
  await fetch(`http://127.0.0.1:${node.httpPort}/reco/stranger`);
  for await (const _ of client.streamRecommendations({ userId: 'stranger' })) break;
  client.close();
  node.telemetry.requests.began('GET /reco/{user_id}');
  node.telemetry.requests.ended('GET /reco/{user_id}', 200, 3);
  const events = ['rivulet_events_total', 'stage="parse",partition="0"'] as const;
  await eventually(async () => {
    text = await node.telemetry.registry.metrics();
    expect(sample(...events)).toBe(201);
    expect(sample('rivulet_event_to_recommendation_seconds_count')).toBeGreaterThan(0);
    expect(sample('rivulet_snapshots_total', 'stage="interest-ranking",partition="1"')).toBeGreaterThan(0);
    // NATS is asked for it every few seconds.
    expect(sample('rivulet_stream_messages', 'stream="RIVULET_DEAD_LETTER"')).toBe(1);
    expect(text).toMatch(/nodejs_gc_duration_seconds_sum\{/);
  });
});

afterAll(async () => {
  await node.stop(10_000);
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

/** `ALERTS` and `up` are Prometheus' own. */
const OF_PROMETHEUS = new Set(['ALERTS', 'up']);

function expressions(): [where: string, expression: string][] {
  const deploy = join(ROOT, 'deploy');
  const found: [string, string][] = [];
  for (const file of ['alerts.yml', 'recording.yml']) {
    const { groups } = parse(readFileSync(join(deploy, 'prometheus', file), 'utf8')) as {
      groups: { rules: { alert?: string; record?: string; expr: string }[] }[];
    };
    for (const { alert, record, expr } of groups.flatMap(({ rules }) => rules)) found.push([(alert ?? record)!, expr]);
  }
  for (const file of readdirSync(join(deploy, 'grafana', 'dashboards'))) {
    const collect = (value: unknown, title: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const own = 'title' in value && typeof value.title === 'string' ? value.title : title;
      if ('expr' in value) found.push([own, String(value.expr)]);
      for (const one of Object.values(value)) collect(one, own);
    };
    collect(JSON.parse(readFileSync(join(deploy, 'grafana', 'dashboards', file), 'utf8')), file);
  }
  return found;
}

it('lists of both façades are counted by what they consist of; those of streams are not', () => {
  const now = node.telemetry.answers.recent();
  expect(now).toEqual({ count: given.count + 4, fallback: given.fallback + 2, empty: given.empty + 1 });
  const counts = ['personal', 'fallback', 'empty'].map((kind) => sample('rivulet_answers_total', `kind="${kind}"`));
  expect(counts).toEqual([now.count - now.fallback - now.empty, now.fallback, now.empty]);
});

describe('each metric', () => {
  it('that an alert, a recording or a panel names is there', () => {
    const recorded = new Set(expressions().map(([where]) => where));
    const told = new Set(text.split('\n').map((line) => /^[a-z_0-9]+/.exec(line)?.[0]));
    const missing = expressions().flatMap(([where, expression]) =>
      metricsIn(expression)
        .filter((name) => !told.has(name) && !recorded.has(name) && !OF_PROMETHEUS.has(name))
        .map((name) => `${where}: ${name}`),
    );
    expect(missing).toEqual([]);
    const named = new Set(expressions().flatMap(([, expression]) => metricsIn(expression)));
    expect(named.size).toBeGreaterThan(60);
    expect(named).toContain('rivulet_stage_step_seconds_bucket');
  });

  it('says in words what it is, and a counter is called one', () => {
    const families = new Map<string, { help?: string; type?: string }>();
    for (const [, kind, name, rest] of text.matchAll(/^# (HELP|TYPE) (\S+) (.*)$/gm)) {
      families.set(name!, { ...families.get(name!), [kind === 'HELP' ? 'help' : 'type']: rest });
    }
    for (const line of text.split('\n')) {
      const name = /^[a-z_0-9]+/.exec(line)?.[0];
      if (name === undefined) continue;
      const { help, type } = families.get(name) ?? families.get(name.replace(FAMILY, ''))!;
      expect([name, help]).toEqual([name, expect.stringMatching(/\w{3,}/)]);
      // Some of Node's own have names of their own.
      if (name.startsWith('nodejs_')) continue;
      expect([name, type === 'counter']).toEqual([name, name.endsWith('_total')]);
    }
  });

  it.skipIf(noPromtool)(`reads well to promtool${skipped(noPromtool)}`, async () => {
    const { output } = await runPromtool(ROOT, ['check', 'metrics'], text);
    expect(output.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_'))).toEqual([]);
  });

  it('has labels that no user, item or event adds to', () => {
    expect(text).not.toMatch(/person-|article|event-\d|chair/);
    const values = new Map<string, Set<string>>();
    for (const [, label, value] of text.matchAll(/(\w+)="([^"]*)"/g)) {
      values.set(label!, (values.get(label!) ?? new Set()).add(value!));
    }
    expect([...values.keys()].sort()).toEqual(
      [
        ...[
          'child',
          'grpc_code',
          'grpc_method',
          'grpc_service',
          'grpc_type',
          'kind',
          'le',
          'level',
          'major',
          'method',
          'minor',
          'model',
          'node',
        ],
        ...['partition', 'patch', 'route', 'space', 'stage', 'status', 'stream', 'thread', 'type', 'version'],
      ].sort(),
    );
    expect([...values.get('stage')!].sort()).toEqual(node.topology.stages.map(({ id }) => id).sort());
    expect([...values.get('partition')!].sort()).toEqual(['0', '1']);
    expect([...values.get('thread')!].sort()).toEqual(['facade', 'worker-0']);
    expect([...values.get('level')!].sort()).toEqual(['server', 'shard', 'thread']);
  });
});

it('what it counts is what came', () => {
  expect(sample('rivulet_events_dead_letter_total', 'stage="parse",partition="0"')).toBe(1);
  expect(sample('rivulet_events_on_time_total', 'stage="window",partition="1"')).toBeGreaterThan(0);
  // A stage that counts no events has no series of them.
  expect(text).not.toMatch(/^rivulet_events_\w*total\{stage="(?!parse"|parse-items"|watermark"|window")/m);
  // What makes the watermark shows the one that it has told.
  expect(sample('rivulet_watermark_timestamp_seconds', 'stage="watermark",partition="0"')).toBeGreaterThan(0);
  const [rows, count] = ['sum', 'count'].map((part) =>
    sample(`rivulet_stage_frame_rows_${part}`, 'stage="parse",partition="0"'),
  );
  expect(rows).toBe(201);
  expect(count).toBeLessThanOrEqual(201);
  expect(sample('rivulet_stage_up', 'stage="parse",partition="0"')).toBe(1);
  expect(sample('rivulet_stream_messages', 'stream="RIVULET_DEAD_LETTER"')).toBe(1);
  expect(sample('rivulet_stream_messages', 'stream="RIVULET_LATE"')).toBe(0);
  expect(sample('rivulet_cluster_shards_owned')).toBe(sample('rivulet_cluster_shards'));
  expect(sample('rivulet_nats_up')).toBe(1);
  expect(sample('rivulet_node_serving')).toBe(1);
});
