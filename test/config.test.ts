/** Configuration: sources and their order, what is refused and in which words, secrets, and that nothing of it can be changed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConfigRequest, loadConfig, shownValue, valueAt } from '../runtime/config/config.js';
import { CONFIG_KEYS, flagOf } from '../runtime/config/schema.js';
import { editsBetween, nearest } from '../runtime/config/nearest.js';
import { configKey } from '../runtime/config/sources.js';
import { RivuletError } from '../runtime/contract/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

/** Loads with a file of this content in the working directory, these variables and flags; nothing of this machine. */
function load(file: unknown, env: NodeJS.ProcessEnv = {}, request: ConfigRequest = {}) {
  const cwd = join(folder, String(files++));
  mkdirSync(cwd);
  if (file !== undefined) {
    writeFileSync(join(cwd, 'rivulet.json'), typeof file === 'string' ? file : JSON.stringify(file));
  }
  return loadConfig({ cwd, env, cores: 8, ...request });
}

const set = (key: string, value: string) => ({ flags: [{ key, value, bySet: true }] });

function refusal(act: () => unknown): RivuletError {
  try {
    act();
  } catch (error) {
    if (error instanceof RivuletError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('values', () => {
  it.each([
    { name: 'default', file: {}, env: {}, flags: {}, port: 50051, from: 'default' },
    { name: 'file', file: { grpcPort: 1 }, env: {}, flags: {}, port: 1, from: 'rivulet.json' },
    {
      name: 'variable',
      file: { grpcPort: 1 },
      env: { RIVULET_GRPC_PORT: '2' },
      flags: {},
      port: 2,
      from: 'RIVULET_GRPC_PORT',
    },
    {
      name: 'flag',
      file: { grpcPort: 1 },
      env: { RIVULET_GRPC_PORT: '2' },
      flags: { flags: [{ key: 'grpcPort', value: '3', bySet: false }] },
      port: 3,
      from: '--grpc-port',
    },
    { name: '--set', file: {}, env: {}, flags: set('grpcPort', '4'), port: 4, from: '--set grpcPort' },
    {
      name: 'an empty variable, which is none',
      file: { grpcPort: 1 },
      env: { RIVULET_GRPC_PORT: '' },
      flags: {},
      port: 1,
      from: 'rivulet.json',
    },
  ])('come from the $name', ({ file, env, flags, port, from }) => {
    const { config, origins } = load(file, env, flags);
    expect(config.grpcPort).toBe(port);
    expect(origins.get('grpcPort')?.name).toBe(from);
  });

  it('come from all levels of a file, and from variables of inner keys', () => {
    const file = { pipeline: { window: { kind: 'hopping', sizeSeconds: 120 } } };
    const { pipeline } = load(file, { RIVULET_PIPELINE_WINDOW_SLIDE_SECONDS: '30' }).config;
    expect(pipeline.window).toMatchObject({ kind: 'hopping', sizeSeconds: 120, slideSeconds: 30 });
    expect(pipeline.interest.weights.purchase).toBe(5);
  });

  it.each([
    [{ cores: 8 }, {}, 4],
    [{ cores: 2 }, {}, 2],
    [{ cores: 8 }, { RIVULET_PARTITIONS: '1' }, 1],
    [{ cores: 8 }, { RIVULET_THREADS: '3' }, 3],
  ])('of threads follow cores and partitions: %j %j', (request, env, threads) => {
    expect(load({}, env, request).config.threads).toBe(threads);
  });

  it('of the log level follow the command, unless given', () => {
    expect(load({}).config.logLevel).toBe('warn');
    expect(load({}, {}, { logLevel: 'info' }).config.logLevel).toBe('info');
    expect(load({ logLevel: 'debug' }, {}, { logLevel: 'info' }).config.logLevel).toBe('debug');
  });

  it('are frozen, at every level', () => {
    const { config } = load({});
    expect(() => Object.assign(config, { grpcPort: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.pipeline.interest.weights, { view: 2 })).toThrow(TypeError);
  });

  it('that are paths in a file elsewhere are relative to that file', () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'node.json'), JSON.stringify({ dataDir: 'data' }));
    expect(load(undefined, {}, { file: join(other, 'node.json') }).config.dataDir).toBe(join(other, 'data'));
    expect(load(undefined, { RIVULET_CONFIG: join(other, 'node.json') }).config.dataDir).toBe(join(other, 'data'));
  });
});

describe('what is wrong is refused', () => {
  it.each([
    ['an unknown key', { patitions: 8 }, {}, {}, 'there is no key patitions (rivulet.json): did you mean partitions?'],
    [
      'a key in snake case',
      { grpc_port: 8 },
      {},
      {},
      'there is no key grpc_port (rivulet.json): did you mean grpcPort?',
    ],
    [
      'an inner key at the top',
      { halfLifeHours: 1 },
      {},
      {},
      'there is no key halfLifeHours (rivulet.json): did you mean pipeline.interest.halfLifeHours?',
    ],
    [
      'an unknown inner key',
      { pipeline: { window: { sizeSecond: 8 } } },
      {},
      {},
      'there is no key pipeline.window.sizeSecond (rivulet.json): did you mean pipeline.window.sizeSeconds?',
    ],
    ['a key like no other', { quux: 1 }, {}, {}, 'there is no key quux (rivulet.json)'],
    [
      'an unknown key of --set',
      {},
      {},
      set('pipline.listSize', '1'),
      'there is no key pipline.listSize (--set): did you mean pipeline.listSize?',
    ],
    [
      'a wrong type in the file',
      { partitions: '8' },
      {},
      {},
      'partitions is "8" (rivulet.json): give a whole number from 1 to 256',
    ],
    [
      'a text for a number',
      {},
      { RIVULET_PARTITIONS: 'many' },
      {},
      'partitions is "many" (RIVULET_PARTITIONS): give a whole number from 1 to 256',
    ],
    [
      'a number out of range',
      {},
      {},
      set('grpcPort', '70000'),
      'grpcPort is 70000 (--set grpcPort): give a whole number from 0 to 65535',
    ],
    ['a fraction', { partitions: 1.5 }, {}, {}, 'partitions is 1.5 (rivulet.json): give a whole number from 1 to 256'],
    [
      'an unknown name',
      { durability: 'strong' },
      {},
      {},
      'durability is "strong" (rivulet.json): give process or power',
    ],
    ['a value where a group is', { pipeline: 3 }, {}, {}, 'pipeline (rivulet.json) must be a JSON object'],
    ['a wrong secret', { natsToken: 5 }, {}, {}, 'natsToken is *** (rivulet.json): give some text'],
    [
      'a secret flag',
      {},
      {},
      set('natsToken', 'x'),
      'natsToken (--set natsToken) is secret, and others can see command lines: give it in RIVULET_NATS_TOKEN',
    ],
    [
      'half of a pair',
      { tlsKeyFile: 'k.pem' },
      {},
      {},
      'tlsKeyFile is given (rivulet.json) without tlsCertFile: give both or neither',
    ],
    [
      'a slide beyond the window',
      { pipeline: { window: { kind: 'hopping', slideSeconds: 900 } } },
      {},
      {},
      'pipeline.window.slideSeconds is 900 (rivulet.json): give at most the size of the window, 300',
    ],
    [
      'a range of ratings that is empty',
      { pipeline: { minRating: 6 } },
      {},
      {},
      'pipeline.minRating is 6 (rivulet.json): give at most pipeline.maxRating, 5',
    ],
    [
      'a good rating that nobody can give',
      { pipeline: { minRating: 1, maxRating: 3, popularity: { ratingMin: 3.5 } } },
      {},
      {},
      'pipeline.popularity.ratingMin is 3.5 (rivulet.json): give one from pipeline.minRating, 1, to pipeline.maxRating, 3',
    ],
    [
      'replicas of one server',
      { replicas: 3 },
      {},
      {},
      'replicas is 3 (rivulet.json), and the embedded nats-server is one server: give 1, or the natsUrl of a cluster',
    ],
    [
      'a URL of another kind',
      {},
      { RIVULET_NATS_URL: 'http://u:p@x' },
      {},
      'natsUrl is http://u:***@x (RIVULET_NATS_URL): give one or more of nats://host:port, comma-separated',
    ],
    [
      'servers with different credentials, of which the last would be sent to all',
      {},
      { RIVULET_NATS_URL: 'nats://ada:one@a:4222, nats://b, tls://token@c' },
      {},
      'natsUrl holds different credentials for its servers (RIVULET_NATS_URL): give the same ones for each, or none, and natsUser and natsPassword, or natsToken',
    ],
    [
      'a password with a bare %',
      {},
      { RIVULET_NATS_URL: 'nats://ada:100%@a:4222' },
      {},
      'natsUrl holds credentials with a malformed percent-escape (RIVULET_NATS_URL): write each byte of a special character, in UTF-8, as %XX, and so % as %25, or give natsUser and natsPassword, or natsToken',
    ],
    [
      'a token with an escape that is not UTF-8',
      {},
      { RIVULET_NATS_URL: 'nats://a%ffb@a' },
      {},
      'natsUrl holds credentials with a malformed percent-escape (RIVULET_NATS_URL): write each byte of a special character, in UTF-8, as %XX, and so % as %25, or give natsUser and natsPassword, or natsToken',
    ],
  ] as const)('%s', (_, file, env, request, message) => {
    const error = refusal(() => load(file, env, request as ConfigRequest));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toBe(message);
  });

  it('all of it at once', () => {
    const { message } = refusal(() => load({ quux: 1, partitions: 0 }, { RIVULET_REPLICAS: 'x' }));
    expect(message.split('\n')).toEqual([
      '3 things are wrong in the configuration:',
      '  - there is no key quux (rivulet.json)',
      '  - partitions is 0 (rivulet.json): give a whole number from 1 to 256',
      '  - replicas is "x" (RIVULET_REPLICAS): give a whole number from 1 to 5',
    ]);
  });

  it('a file that is not there, though it was named', () => {
    expect(refusal(() => load(undefined, {}, { file: 'none.json' }))).toMatchObject({
      code: 'CONFIG_FILE',
      message: 'there is no file none.json',
      hint: expect.stringContaining('--config'),
    });
    expect(refusal(() => load(undefined, { RIVULET_CONFIG: 'none.json' })).hint).toContain('RIVULET_CONFIG');
  });

  it('a file that is no JSON', () => {
    expect(refusal(() => load('{"grpcPort": 1,}'))).toMatchObject({
      code: 'CONFIG_FILE',
      message: expect.stringMatching(/^rivulet\.json is no JSON file that can be read: .*(position|line)/),
    });
  });

  it('but an unknown variable is only warned of', () => {
    const { warnings } = load({}, { RIVULET_GRPC_PROT: '1', RIVULET_TEST_X: '1', RIVULET_CONFIG: '', OTHER: '1' });
    expect(warnings).toEqual([
      'the variable RIVULET_GRPC_PROT means nothing to Rivulet: did you mean RIVULET_GRPC_PORT?',
    ]);
  });
});

describe('keys', () => {
  it('have a variable each, and those of the first level a flag', () => {
    expect(configKey('natsTlsCaFile')?.variable).toBe('RIVULET_NATS_TLS_CA_FILE');
    expect(flagOf('natsTlsCaFile')).toBe('--nats-tls-ca-file');
    expect(new Set(CONFIG_KEYS.map(({ variable }) => variable)).size).toBe(CONFIG_KEYS.length);
  });

  it.each([
    ['natsToken', 's3cret', '***'],
    ['natsPassword', 's3cret', '***'],
    ['natsUrl', 'nats://ada:s3cret@a:4222,nats://b', 'nats://ada:***@a:4222,nats://b'],
    ['natsUrl', 's3cret@a:4222', '***@a:4222'],
    ['natsUser', 'ada', 'ada'],
    ['grpcPort', 5, '5'],
  ])('%s are shown without secrets: %s', (key, value, shown) => {
    expect(shownValue(configKey(key)!, value)).toBe(shown);
  });

  it('all have a value or none, by name', () => {
    const { config, origins } = load({});
    for (const { key } of CONFIG_KEYS) expect(origins.has(key)).toBe(valueAt(config, key) !== undefined);
  });
});

describe('the nearest name', () => {
  it.each([
    ['partitons', 'partitions'],
    ['PARTITIONS', 'partitions'],
    ['grpc-prot', 'grpcPort'],
    ['watermarkDelay', 'pipeline.watermarkDelaySeconds'],
    ['xyz', undefined],
    ['a', undefined],
  ])('to %s is %s', (name, expected) => {
    expect(
      nearest(
        name,
        CONFIG_KEYS.map(({ key }) => key),
      ),
    ).toBe(expected);
  });

  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
    ['', 'ab', 2],
  ])('counts edits: %s %s %d', (a, b, edits) => {
    expect(editsBetween(a, b)).toBe(edits);
  });
});
