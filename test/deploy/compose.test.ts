/** deploy/compose.yaml: what the Compose Specification says of it, and what an operator relies on. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { answerOf, commandOf, composeSpec, missingTool } from './deploy-tools.js';
import { DEPLOY, type Loose, textOfFile, yamlOf } from './deploy-files.js';
import { skipped } from '../support/requirements.js';

const FILE = 'deploy/compose.yaml';
const SECRETS = ['RIVULET_NATS_PASSWORD', 'NATS_PUBLISHER_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'];

const tool = await composeSpec();
const scratch = mkdtempSync(join(tmpdir(), 'rivulet-compose-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const services: Record<string, Loose> = yamlOf(FILE).services;
/** Those that stay. */
const lasting = Object.entries(services).filter(([, { restart }]) => restart !== 'no');

describe.skipIf('missing' in tool)(`against the Compose Specification${skipped(missingTool(tool))}`, () => {
  const load = (text: string) => {
    cpSync(DEPLOY, scratch, { recursive: true, filter: (path) => !path.includes('clients') });
    writeFileSync(join(scratch, 'compose.yaml'), text);
    return answerOf(commandOf(tool), ['--format', 'json', 'compose.yaml'], { cwd: scratch });
  };
  const given = (text: string): string =>
    text.replaceAll(/\$\{[A-Z_]+:\?[^}]*\}/g, 'a-secret').replaceAll(/\$\{[A-Z_]+:-\}/g, '');

  it('is valid when the secrets are given', async () => {
    const { code, stdout, stderr } = await load(given(textOfFile(FILE)));
    expect([code, stderr]).toEqual([0, '']);
    expect(Object.keys((JSON.parse(stdout) as Loose).services)).toEqual(
      expect.arrayContaining(['nats', 'rivulet-1', 'rivulet-2', 'prometheus', 'grafana']),
    );
  });

  it('a word that the specification does not know is found', async () => {
    const { code, stderr } = await load(given(textOfFile(FILE)).replace('stop_grace_period:', 'stop_grace:'));
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining('stop_grace')]);
  });

  it('does not start without the secrets, and names them', async () => {
    const { code, stderr } = await load(textOfFile(FILE));
    expect(code).not.toBe(0);
    for (const name of SECRETS) expect(stderr).toContain(`required variable ${name} is missing a value`);
  });
});

it('the example names all secrets, and gives none', () => {
  const asked = new Set([...textOfFile(FILE).matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!));
  expect([...asked].sort()).toEqual([...SECRETS].sort());
  const lines = textOfFile('deploy/env.example').split('\n');
  expect(lines.filter((line) => line !== '' && !line.startsWith('#')).sort()).toEqual(
    SECRETS.map((name) => `${name}=`).sort(),
  );
  expect(textOfFile('deploy/.gitignore').split('\n')).toContain('.env');
});

it.each(Object.entries(services))('%s publishes on loopback only', (_, { ports = [] }) => {
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

it.each(Object.entries(services))(
  '%s may do nothing that it need not, and takes no more than its share',
  (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      deploy: { resources: { limits: { cpus: expect.any(String), memory: expect.any(String) } } },
    });
  },
);

it.each(lasting)('%s comes back by itself', (_, { restart }) => {
  expect(restart).toBe('unless-stopped');
});

it('each is known to be well: Rivulet by its image, the others here', () => {
  const image = readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8');
  for (const [name, { healthcheck }] of lasting) {
    if (name.startsWith('rivulet-'))
      expect(image).toMatch(/^HEALTHCHECK .*CMD \["node", "\/app\/probe\.mjs", "ready"\]$/m);
    else expect([name, healthcheck.test[0]]).toEqual([name, 'CMD']);
  }
});

it('a node has the time that its stop may take', () => {
  for (const name of ['rivulet-1', 'rivulet-2']) expect(services[name].stop_grace_period).toBe('12s');
});

it('no two services publish one port, and each node has a volume of its own', () => {
  const ports = Object.values(services).flatMap(({ ports = [] }) => ports.map((port: string) => port.split(':')[1]));
  expect(new Set(ports).size).toBe(ports.length);
  expect([services['rivulet-1'].volumes, services['rivulet-2'].volumes]).toEqual([
    ['rivulet-1:/var/lib/rivulet'],
    ['rivulet-2:/var/lib/rivulet'],
  ]);
});

it('files that it mounts are there', () => {
  const mounts: string[] = Object.values(services)
    .flatMap(({ volumes = [] }) => volumes.map((volume: string) => volume.split(':')[0]!))
    .filter((source) => source.startsWith('./'));
  expect(mounts).toEqual(expect.arrayContaining(['./nats', './prometheus', './grafana/provisioning']));
  expect(mounts.filter((source) => !existsSync(join(DEPLOY, source)))).toEqual([]);
});
