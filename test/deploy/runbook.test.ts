/** deploy/README.md: what it and the alerts refer to is there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RESTORING_STREAM } from '../../runtime/contract/streams.js';
import { projectFiles, ROOT } from '../guards/source-files.js';
import { deployFiles, textOfFile, yamlOf } from './deploy-files.js';

const README = 'deploy/README.md';

/** As GitHub makes them of headings. */
const anchorsOf = (path: string): Set<string> =>
  new Set(
    [...textOfFile(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

it('each link of the runbook leads somewhere', () => {
  const links = [...textOfFile(README).matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
  expect(links.length).toBeGreaterThan(20);
  const broken = links.filter((target) => {
    if (/^https?:/.test(target)) return false;
    const [file, anchor] = target.split('#');
    const path = join('deploy', file!);
    if (file !== '' && !existsSync(join(ROOT, path))) return true;
    return anchor !== undefined && !anchorsOf(file === '' ? README : path).has(anchor);
  });
  expect(broken).toEqual([]);
});

it('each alert has a section that says what to do', () => {
  const alerts = 'deploy/prometheus/alerts.yml';
  expect(projectFiles()).toContain(alerts);
  const runbooks = [...textOfFile(alerts).matchAll(/runbook\w*: *['"]?\S*?deploy\/README\.md#([\w-]+)/g)].map(
    ([, anchor]) => anchor!,
  );
  expect(runbooks.length).toBe(textOfFile(alerts).match(/^\s*- alert:/gm)?.length);
  expect(runbooks.filter((anchor) => !anchorsOf(README).has(anchor))).toEqual([]);
});

it('each error that it explains is one of Rivulet', () => {
  const codes = [...textOfFile(README).matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code!);
  const sources = projectFiles()
    .filter((path) => /^(runtime|connectors|state|actors)\/.*\.ts$/.test(path))
    .map(textOfFile)
    .join('\n');
  const ours = codes.filter((code) => !code.startsWith('RIVULET_') || code === RESTORING_STREAM);
  expect(ours.length).toBeGreaterThan(10);
  // Status names of gRPC are those of its library.
  expect([...new Set(ours)].filter((code) => code !== 'RESOURCE_EXHAUSTED' && !sources.includes(code))).toEqual([]);
});

it('each command that it names is one', () => {
  const named = deployFiles()
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) => [...textOfFile(path).matchAll(/(?:`|^)rivulet ([a-z]+)/gm)].map(([, command]) => command!));
  const sources = projectFiles()
    .filter((path) => path.startsWith('runtime/cli/'))
    .map(textOfFile)
    .join('\n');
  expect([...new Set(named)].filter((command) => !sources.includes(`.command('${command}')`))).toEqual([]);
});

it('each file, service and volume of its commands is there', () => {
  const text = textOfFile(README);
  const files = [...text.matchAll(/(?<![\w./])deploy\/[\w./-]*\w/g)].map(([file]) => file);
  expect(files).toEqual(expect.arrayContaining(['deploy/compose.yaml', 'deploy/kubernetes/idle.yaml']));
  // Made by the operator.
  expect(files.filter((file) => file !== 'deploy/.env' && !existsSync(join(ROOT, file)))).toEqual([]);
  const { services, volumes } = yamlOf('deploy/compose.yaml');
  const called = [
    ...text.matchAll(/compose\.yaml (?:exec|stop|rm -f|kill -s HUP|run .*?"|up .*?) ((?:(?:rivulet-|nats)\w* ?)+)/g),
  ];
  const named = called.flatMap(([, names]) => names!.trim().split(' '));
  expect(new Set(named)).toEqual(new Set(['rivulet-1', 'rivulet-2', 'nats']));
  expect(Object.keys(services)).toEqual(expect.arrayContaining(named));
  const removed = [...text.matchAll(/docker volume rm rivulet_([\w-]+)/g)].map(([, name]) => name!);
  expect(Object.keys(volumes)).toEqual(expect.arrayContaining(removed));
});
