/** deploy/README.md: what it and the alerts refer to is there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RESTORING_STREAM } from '../../runtime/streams.js';
import { projectFiles, ROOT } from '../guards/source-files.js';
import { deployFiles, textOfFile } from './deploy-files.js';

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
