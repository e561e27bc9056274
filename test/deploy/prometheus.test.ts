/** The files of Prometheus and Grafana, as their own tools see them, and each alert as the one who is woken up by it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../guards/source-files.js';
import { noPromtool, runPromtool } from '../support/promtool.js';
import { skipped } from '../support/requirements.js';

const DEPLOY = join(ROOT, 'deploy');
const PROMETHEUS = join(DEPLOY, 'prometheus');
const read = (...path: string[]): string => readFileSync(join(DEPLOY, ...path), 'utf8');

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
const rules = (file: string): Rule[] =>
  (parse(read('prometheus', file)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

describe.skipIf(noPromtool)(`promtool${skipped(noPromtool)}`, () => {
  it.each([
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', 'recording.yml', 'alerts.yml'],
    ['test', 'rules', 'alerts-test.yml'],
  ])(
    '%s %s finds nothing to say',
    async (...args) => {
      expect(await runPromtool(PROMETHEUS, args)).toMatchObject({ isOk: true });
    },
    60_000,
  );
});

describe('alerts', () => {
  const alerts = rules('alerts.yml');
  const tests = read('prometheus', 'alerts-test.yml');

  it.each(alerts.map((alert): [string, Rule] => [alert.alert!, alert]))('%s', (alert, { labels, annotations }) => {
    expect(labels.severity).toMatch(/^(critical|warning)$/);
    expect(annotations.summary).toMatch(/^\S.{10,}/);
    expect(annotations.description).toMatch(/^\S.{20,}/);
    // Some test has it fire.
    expect(tests).toContain(`alertname="${alert}", alertstate="firing"`);
    const [, anchor] = /^deploy\/README\.md#([a-z-]+)$/.exec(annotations.runbook!)!;
    if (existsSync(join(DEPLOY, 'README.md'))) expect(anchorsOf(read('README.md'))).toContain(anchor);
  });
});

/** As GitHub makes them. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );

describe('Grafana', () => {
  interface Panel {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels, templating } = JSON.parse(read('grafana', 'dashboards', 'rivulet.json')) as {
    panels: Panel[];
    templating: { list: { name: string }[] };
  };

  it('has panels that say what they show, side by side', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Map<string, string>();
    for (const { type, title, description, targets, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x, y, taken.get(`${x},${y}`)]).toEqual([title, x, y, undefined]);
          taken.set(`${x},${y}`, title);
        }
      }
      if (type === 'row') continue;
      expect([title, description]).toEqual([title, expect.stringMatching(/\S.*\.$/)]);
      expect(targets?.length, title).toBeGreaterThan(0);
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    }
  });

  it('asks only for variables that it has', () => {
    const known = new Set([...templating.list.map(({ name: own }) => own), '__rate_interval', '__all', '__auto']);
    const used = read('grafana', 'dashboards', 'rivulet.json').matchAll(/\$\{?(\w+)/g);
    expect([...used].map(([, variable]) => variable).filter((variable) => !known.has(variable!))).toEqual([]);
  });

  it.skipIf(noPromtool)(`asks in words that Prometheus understands${skipped(noPromtool)}`, async () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const groupRules = expressions.map((expr, i) => ({
      record: `panel:${i}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
    }));
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-panels-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'panels.yml'), stringify({ groups: [{ name: 'panels', rules: groupRules }] }));
    expect(await runPromtool(folder, ['check', 'rules', 'panels.yml'])).toMatchObject({ isOk: true });
  });

  it('is provisioned with what is there', () => {
    const [source] = readdirSync(join(DEPLOY, 'grafana', 'provisioning', 'datasources'));
    const { datasources } = parse(read('grafana', 'provisioning', 'datasources', source!)) as {
      datasources: { type: string; url: string }[];
    };
    expect(datasources).toMatchObject([{ type: 'prometheus', url: 'http://prometheus:9090' }]);
    const [provider] = readdirSync(join(DEPLOY, 'grafana', 'provisioning', 'dashboards'));
    expect(parse(read('grafana', 'provisioning', 'dashboards', provider!))).toMatchObject({
      providers: [{ type: 'file', options: { path: '/var/lib/grafana/dashboards' } }],
    });
  });
});
