/** From configuration to options: what each key becomes, and that no key is dead. */
import { describe, expect, it } from 'vitest';
import { CALL_LIMITS } from '../../../connectors/grpc/server/call-limits.js';
import { HTTP_LIMITS } from '../../../connectors/http/server/limits.js';
import { RELOAD_EVERY_MS } from '../../../connectors/facade/tls/watched-files.js';
import { boundedPipeline } from '../../../runtime/cli/replay/command.js';
import { natsOptions, nodeOptions, pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { type Config, loadConfig } from '../../../runtime/config/config.js';
import { CONFIG_KEYS } from '../../../runtime/config/schema.js';
import { mainTopology } from '../../../actors/topology.js';
import { WEIGHTED } from '../../support/popularity-source.js';

const configWith = (values: Record<string, string> = {}, env: NodeJS.ProcessEnv = {}): Config =>
  loadConfig({
    cwd: import.meta.dirname,
    env,
    cores: 2,
    flags: Object.entries(values).map(([key, value]) => ({ key, value, bySet: true })),
  }).config;

/** The same values; every leaf that is read is noted by its key. */
function watched<T extends object>(value: T, read: Set<string>, prefix = ''): T {
  return new Proxy(value, {
    get(target, name) {
      const inner = Reflect.get(target, name) as unknown;
      const key = prefix + String(name);
      if (typeof inner === 'object' && inner !== null) return watched({ ...inner }, read, `${key}.`);
      read.add(key);
      return inner;
    },
  });
}

describe('keys', () => {
  it('are all read', () => {
    const read = new Set<string>();
    const kinds = [
      configWith({ 'pipeline.trigger.kind': 'interval', 'pipeline.window.kind': 'hopping' }),
      configWith({ 'pipeline.window.kind': 'session', natsUrl: 'nats://x', 'sources.folder': './in' }),
    ];
    for (const config of kinds) {
      const { interest } = nodeOptions(watched({ ...config }, read)).pipeline;
      // Handed on as they are: whoever makes a topology of the options reads them.
      if (interest.kind === 'decayed') expect({ ...interest.weights }).toEqual({ ...config.pipeline.interest.weights });
    }
    expect(CONFIG_KEYS.map(({ key }) => key).filter((key) => !read.has(key))).toEqual([]);
  });

  it('change what is made of them', () => {
    const { interest } = nodeOptions(configWith({ 'pipeline.interest.weights.view': '7' })).pipeline;
    expect(interest).toMatchObject({ weights: { view: 7, cart: 3 } });
  });
});

describe('a good rating', () => {
  it.each([
    [{}, 3.5],
    [{ 'pipeline.minRating': '1', 'pipeline.maxRating': '10' }, 7],
    [{ 'pipeline.minRating': '0', 'pipeline.maxRating': '100', 'pipeline.popularity.ratingMin': '80' }, 80],
  ])('of %j is from %d on', (values, ratingMin) => {
    expect(nodeOptions(configWith(values)).pipeline.popularity).toMatchObject({ ratingMin });
  });
});

describe('a node', () => {
  it('is built of the defaults', () => {
    const { pipeline, deployment, settings, grpc, http, tuning, ...rest } = nodeOptions(configWith());
    expect(rest).toEqual({
      dataDir: './.rivulet',
      natsAnonymous: true,
      leaseMs: 4_000,
      standbys: 1,
      copyEveryMs: 10_000,
      threads: 2,
      tickEveryMs: 1000,
      trainEveryMs: 3_600_000,
      logLevel: 'warn',
      durability: 'process',
      replicas: 1,
      streamBytesMax: 512 * 1024 * 1024,
    });
    expect(deployment).toMatchObject({ partitions: 4, sourcePartitions: 1, 'pipeline.window.sizeSeconds': 300 });
    expect(settings).toMatchObject({ leaseSeconds: 4, 'pipeline.listSize': 100 });
    // Whoever starts the façade without a configuration has the same bounds.
    const { limits, ...place } = grpc;
    expect(place).toEqual({ host: '127.0.0.1', port: 50051, reloadEveryMs: RELOAD_EVERY_MS });
    expect({ ...CALL_LIMITS, ...limits }).toEqual(CALL_LIMITS);
    expect(http).toMatchObject({ host: '127.0.0.1', port: 8080, reloadEveryMs: RELOAD_EVERY_MS, origins: [] });
    expect({ ...HTTP_LIMITS, ...http.limits }).toEqual(HTTP_LIMITS);
    expect(tuning.snapshotEveryMs).toBe(2000);
    expect(tuning.snapshotEveryBytes).toBe(64 * 1024 * 1024);
    // It would be full before that.
    expect(nodeOptions(configWith({ streamMegabytesMax: '16' })).tuning.snapshotEveryBytes).toBe(2 * 1024 * 1024);
    expect(pipeline).toMatchObject({
      partitions: { source: 1, user: 4, item: 4 },
      trigger: { kind: 'frame' },
      watermarkDelayMs: 600_000,
      window: { kind: { kind: 'tumbling', sizeMs: 300_000 }, allowedLatenessMs: 0, output: 'update' },
      interest: { kind: 'decayed', halfLifeMs: 86_400_000 },
      popularity: WEIGHTED,
      listSize: 100,
      mode: 'live',
    });
  });

  it.each([
    [{ 'pipeline.window.kind': 'hopping' }, { kind: 'hopping', sizeMs: 300_000, slideMs: 60_000 }],
    [{ 'pipeline.window.kind': 'session' }, { kind: 'session', gapMs: 1_800_000 }],
    [{ 'pipeline.window.sizeSeconds': '1.5' }, { kind: 'tumbling', sizeMs: 1500 }],
  ])('counts in windows as told: %j', (values, kind) => {
    expect(pipelineOptions(configWith(values as Record<string, string>)).window.kind).toEqual(kind);
  });

  it('has TLS when it has a certificate', () => {
    const files = { tlsCertFile: 'c', tlsKeyFile: 'k', tlsClientCaFile: 'a' };
    expect(nodeOptions(configWith(files)).grpc.tls).toEqual({ certPath: 'c', keyPath: 'k', clientCaPath: 'a' });
  });

  it('asks for tokens when it has keys to check them with', () => {
    const values = {
      'auth.jwksFile': 'keys.json',
      'auth.issuer': 'https://issuer.example.com',
      'auth.audience': 'rivulet',
      'auth.algorithms': 'ES256, EdDSA',
      'auth.clockSkewSeconds': '5',
    };
    expect(nodeOptions(configWith(values)).grpc.auth).toEqual({
      keys: { file: 'keys.json' },
      issuer: 'https://issuer.example.com',
      audience: 'rivulet',
      algorithms: ['ES256', 'EdDSA'],
      clockSkewMs: 5000,
    });
  });

  it('has a topology for every kind of window, trigger and interest', () => {
    for (const window of ['tumbling', 'hopping', 'session']) {
      for (const trigger of ['frame', 'interval']) {
        for (const interest of ['decayed', 'epoch']) {
          const values = {
            'pipeline.window.kind': window,
            'pipeline.trigger.kind': trigger,
            'pipeline.interest.kind': interest,
          };
          expect(() => mainTopology(pipelineOptions(configWith(values)))).not.toThrow();
        }
      }
    }
  });
});

describe('a bounded job', () => {
  it('reads from one place, in epochs of a file each, with a table', () => {
    const pipeline = boundedPipeline(configWith({ sourcePartitions: '3' }), {
      interest: 'epoch',
      chaining: 'on',
      top: 10,
    });
    expect(pipeline).toMatchObject({
      partitions: { source: 1, user: 4 },
      trigger: { kind: 'file' },
      interest: { kind: 'epoch' },
      popularity: { from: 'table' },
      listSize: 10,
      mode: 'bounded',
    });
  });
});

describe('NATS', () => {
  it('is embedded unless named', () => {
    expect(natsOptions(configWith())).toBeUndefined();
  });

  it.each([
    ['nats://a:4222', {}, { url: 'nats://a:4222' }],
    ['nats://ada:p%40ss@a:4222,nats://b', {}, { url: 'nats://a:4222,nats://b', user: 'ada', password: 'p@ss' }],
    ['nats://x@a,nats://x@b', {}, { url: 'nats://a,nats://b', token: 'x' }],
    ['t0ken@a:4222', {}, { url: 'a:4222', token: 't0ken' }],
    ['nats://x@a', { RIVULET_NATS_TOKEN: 'y' }, { url: 'nats://a', token: 'y' }],
    ['nats://a', { RIVULET_NATS_USER: 'u', RIVULET_NATS_PASSWORD: 'p' }, { url: 'nats://a', user: 'u', password: 'p' }],
    [
      'tls://a',
      { RIVULET_NATS_CREDS_FILE: 'f', RIVULET_NATS_TLS_CA_FILE: 'ca' },
      { url: 'tls://a', credsFile: 'f', tlsCaFile: 'ca' },
    ],
  ])('is named, and its URL is free of secrets: %s %j', (url, env, options) => {
    expect(natsOptions(configWith({}, { RIVULET_NATS_URL: url, ...env }))).toEqual(options);
  });

  it('takes no password from the command line', () => {
    expect(() => configWith({ natsUrl: 'nats://ada:s3cret@a' })).toThrow(
      /^natsUrl \(--set natsUrl\) holds a password or token, and others can see command lines: give it in RIVULET_NATS_URL, or .* RIVULET_NATS_PASSWORD/,
    );
  });
});
