/**
 * The configuration: every key, its values, its default, and its purpose. The only schema; all else about a key derives from it:
 *
 *   key        pipeline.window.sizeSeconds        in the file: {"pipeline": {"window": {"sizeSeconds": 60}}}
 *   variable   RIVULET_PIPELINE_WINDOW_SIZE_SECONDS
 *   flag       --set pipeline.window.sizeSeconds=60; the keys of the first level also have their own: --grpc-port
 */
import { z } from 'zod';

/** Documentation of a key. */
export interface KeyAbout {
  readonly about: string;
  /** Completes "give …". */
  readonly expects: string;
  /** Never printed, and not taken from the command line, which other users of the machine can read. */
  readonly secret?: true;
  /** In a file: relative to the file. */
  readonly path?: true;
  /** State made with one value is invalid with another (deployment.ts); a list: only if `kind` of its group is one of these. */
  readonly fixed?: true | readonly string[];
}

const abouts = z.registry<KeyAbout>();

const text = (about: string, expects = 'some text', pattern = /./) =>
  z.string().regex(pattern).register(abouts, { about, expects });
const path = (about: string) => z.string().min(1).register(abouts, { about, expects: 'a path', path: true });
const secret = (about: string) => z.string().min(1).register(abouts, { about, expects: 'some text', secret: true });
const whole = (from: number, to: number, about: string) =>
  z
    .int()
    .min(from)
    .max(to)
    .register(abouts, { about, expects: `a whole number from ${from} to ${to}` });
const amount = (from: number, to: number, about: string) =>
  z
    .number()
    .min(from)
    .max(to)
    .register(abouts, { about, expects: `a number from ${from} to ${to}` });
const oneOf = <const T extends string>(names: readonly T[], about: string) =>
  z.enum(names).register(abouts, { about, expects: `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` });

/** Marks a key that cannot be changed while there is state. */
function fixed<S extends z.ZodType>(schema: S, ofKinds: true | readonly string[] = true): S {
  const known = abouts.get(schema)!;
  abouts.add(schema, { ...known, about: `${known.about}; fixed once there is state`, fixed: ofKinds });
  return schema;
}

const SECONDS_MAX = 366 * 24 * 3600;
const PORT_MAX = 65_535;

const RATING_MAX = 1_000_000;

const weight = (about: string) => amount(-1000, 1000, about);

const weights = z.strictObject({
  view: weight('what a view adds to the interest in its category').default(1),
  click: weight('what a click adds').default(1),
  cart: weight('what putting into the cart adds').default(3),
  purchase: weight('what a purchase adds').default(5),
  rating: weight('what a rating adds').default(2),
  remove_from_cart: weight('what taking out of the cart adds').default(-1),
});

const share = (about: string) => amount(0, 1000, about);

const popularity = z.strictObject({
  weights: z
    .strictObject({
      view: share('what a view adds to the popularity of an item, in purchases').default(0.02),
      click: share('what a click adds').default(0.04),
      cart: share('what putting into the cart adds').default(0.2),
      purchase: share('what a purchase adds').default(1),
      rating: share('what a good rating adds').default(0.5),
      remove_from_cart: share('what taking out of the cart adds').default(0),
    })
    .prefault({}),
  ratingMin: amount(
    -RATING_MAX,
    RATING_MAX,
    'a lower rating adds nothing (default: two thirds of the way from pipeline.minRating to pipeline.maxRating, 3.5 of 0.5 to 5)',
  ).optional(),
  halfLifeHours: amount(
    0.01,
    24 * 3660,
    'after this long half of what an event adds is left (default: all of it stays)',
  ).optional(),
});

const countsAs = (about: string) => oneOf(['view', 'click', 'nothing'], `what ${about} counts as in trending lists`);

const trending = z.strictObject({
  counts: z
    .strictObject({
      view: countsAs('a view').default('view'),
      click: countsAs('a click').default('click'),
      cart: countsAs('putting into the cart').default('click'),
      purchase: countsAs('a purchase').default('click'),
      rating: countsAs('a rating').default('nothing'),
      remove_from_cart: countsAs('taking out of the cart').default('nothing'),
    })
    .prefault({}),
  viewWeight: amount(0, 1000, 'what a view adds to the score of an item in trending lists').default(1),
  clickWeight: amount(0, 1000, 'what a click adds to it').default(2),
  rankings: text(
    'by what else than score items are ranked, comma-separated',
    'score, or score with velocity, decayed or both, comma-separated',
    /^ *(score|velocity|decayed)( *, *(score|velocity|decayed))* *$/,
  ).default('score'),
  halfLifeHours: amount(0.01, 24 * 366, 'after this long half of a decayed score is left').default(6),
  itemsMax: whole(
    1_000,
    100_000_000,
    'items counted exactly per hour and per step of five minutes; beyond it counts may be short by 2 / itemsMax of all',
  ).default(1_000_000),
});

/** What can decide the order of lists: those of actors/model. */
export const STRATEGIES = [
  'hybrid',
  'category-popularity',
  'co-visitation',
  'als',
  'als-trending',
  'trending',
] as const;

const ARM = '[A-Za-z0-9-]{1,64}:[a-z-]+=\\d+(\\.\\d+)?';
const ARMS = new RegExp(`^ *${ARM}( *, *${ARM}){1,7} *$`);

const pipeline = z.strictObject({
  schema: oneOf(
    ['auto', 'rivulet', 'rees46', 'movielens', 'rivulet-strict', 'rees46-strict', 'movielens-strict'],
    'by which names events give their fields; strict: each event has a UUID, ids are positive whole numbers, times ISO-8601 text',
  ).default('auto'),
  minRating: amount(-RATING_MAX, RATING_MAX, 'ratings below it are refused').default(0.5),
  maxRating: amount(-RATING_MAX, RATING_MAX, 'ratings above it are refused').default(5),
  trigger: z
    .strictObject({
      kind: fixed(oneOf(['frame', 'interval'], 'what ends an epoch: each frame, or the clock')).default('frame'),
      everySeconds: fixed(amount(1, SECONDS_MAX, 'length of an epoch, when kind is interval'), ['interval']).default(5),
    })
    .prefault({}),
  chaining: fixed(
    oneOf(['off', 'on'], 'on: neighbouring stages run as one; off: each has a mailbox of its own in NATS'),
  ).default('off'),
  watermarkDelaySeconds: amount(0, SECONDS_MAX, 'how late an event may come without being counted as late').default(
    600,
  ),
  watermarkSkewSeconds: amount(
    0,
    SECONDS_MAX,
    "how far publishers' clocks may be ahead of that of NATS and still move the watermark",
  ).default(60),
  allowedLatenessSeconds: fixed(amount(0, SECONDS_MAX, 'how long windows stay open past their end')).default(0),
  windowOutput: fixed(
    oneOf(['update', 'append', 'complete'], 'which rows a window gives: changed ones, those of closed windows, or all'),
  ).default('update'),
  idleAfterSeconds: amount(1, SECONDS_MAX, 'a source that is silent this long holds no one back').default(60),
  window: z
    .strictObject({
      kind: fixed(oneOf(['tumbling', 'hopping', 'session'], 'how events are counted over time')).default('tumbling'),
      sizeSeconds: fixed(amount(1, SECONDS_MAX, 'length of a tumbling or hopping window'), [
        'tumbling',
        'hopping',
      ]).default(300),
      slideSeconds: fixed(amount(1, SECONDS_MAX, 'distance between the starts of hopping windows'), [
        'hopping',
      ]).default(60),
      gapSeconds: fixed(amount(1, SECONDS_MAX, 'a session ends after this long without an event'), ['session']).default(
        1800,
      ),
    })
    .prefault({}),
  interest: z
    .strictObject({
      kind: fixed(oneOf(['decayed', 'epoch'], 'interests that fade with time, or those of one epoch')).default(
        'decayed',
      ),
      halfLifeHours: amount(0.01, 24 * 366, 'after this long half of an interest is left').default(24),
      weights: weights.prefault({}),
    })
    .prefault({}),
  listSize: whole(1, 100, 'the most items of an answer').default(100),
  strategy: oneOf(STRATEGIES, 'what decides the order of lists, where a question does not say').default('hybrid'),
  ranking: z
    .strictObject({
      alsWeight: amount(0, 1, 'of als-trending: how much als counts beside what trends').default(0.7),
      exploration: amount(0, 1, 'share of lists by hybrid whose last item is one that few know yet').default(0.05),
      categoryShareMax: amount(
        0.01,
        1,
        'the most that one main category may have of a list by hybrid or co-visitation, if there are others',
      ).default(1),
    })
    .prefault({}),
  experiment: z
    .strictObject({
      name: text(
        'name of the experiment that divides users among strategies; another name divides them anew',
        'letters, digits and dashes',
        /^[A-Za-z0-9-]{1,64}$/,
      ).default('experiment'),
      arms: text(
        'its arms: which strategy, for what percentage of users; the first is what others are compared with (default: no experiment)',
        'two to eight of arm:strategy=percent, comma-separated, as in old:category-popularity=50,new:hybrid=50',
        ARMS,
      ).optional(),
    })
    .prefault({}),
  popularity: popularity.prefault({}),
  trending: trending.prefault({}),
  duplicateIdsMax: whole(2, 100_000_000, 'event ids remembered to find duplicates').default(1_000_000),
  messageBytesMax: whole(1024, 64 * 1024 * 1024, 'larger messages of publishers are refused').default(256 * 1024),
  futureMaxMinutes: amount(
    0,
    60 * 24 * 366,
    'how far in the future an event time may be; what is further is refused',
  ).default(10),
});

const history = z.strictObject({
  megabytes: whole(
    0,
    100_000_000,
    'accepted events are retained with all their fields, up to this size; 0 for no history',
  ).default(1_000),
  days: amount(0.01, 36_600, 'and for so long').default(30),
});

const training = z.strictObject({
  everyMinutes: amount(
    0,
    60 * 24 * 366,
    'how often factors of items are trained from the history, beside the stream; 0 for never',
  ).default(60),
});

const sources = z.strictObject({
  folder: path(
    'a folder to which files of events are added (CSV or JSONL, plain or gzipped): each is taken in once (default: none)',
  ).optional(),
  settleSeconds: amount(0.1, 3600, 'a file there is complete when it has not changed for so long').default(5),
});

const auth = z.strictObject({
  jwksFile: path(
    'keys of those who issue tokens (JSON Web Key Set): calls then need a bearer token; health does not',
  ).optional(),
  jwksUrl: text(
    'where the issuer publishes its keys; instead of a file',
    'an https URL, or one of http on this machine',
  ).optional(),
  issuer: text('who must have issued a token (iss)').optional(),
  audience: text('whom a token must be for (aud)').optional(),
  algorithms: text(
    'how tokens may be signed; all are asymmetric',
    'some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, comma-separated',
  ).default('RS256,PS256,ES256,EdDSA'),
  clockSkewSeconds: amount(0, 600, "how far the issuer's clock may be from this node's").default(30),
});

const limits = z.strictObject({
  callsPerSecond: amount(0, 1e6, 'calls that one client may begin per second; 0 for as many as it wants').default(0),
  callBurst: whole(1, 1_000_000, 'calls that a client may begin at once after a pause').default(100),
  callsAtOnce: whole(1, 1_000_000, 'calls of one client that may be under way').default(512),
  streams: whole(1, 1_000_000, 'streams of answers that one client may have open').default(4096),
});

const connections = z.strictObject({
  atOnce: whole(1, 1_000_000, 'connections of all clients that are open at once; one above is closed').default(10_000),
  keepaliveSeconds: amount(1, 86_400, 'a connection without traffic is pinged after this long').default(60),
  keepaliveTimeoutSeconds: amount(0.1, 3600, 'and closed when there is no answer for this long').default(20),
  ageSeconds: amount(1, SECONDS_MAX, 'a connection this old is renewed, so that clients spread over new nodes').default(
    1800,
  ),
  ageGraceSeconds: amount(0, SECONDS_MAX, 'what its calls may take to end (default: as long as they want)').optional(),
});

export const configSchema = z.strictObject({
  dataDir: path('where state and the embedded NATS keep their files').default('./.rivulet'),
  partitions: fixed(whole(1, 256, 'partitions of users and of items')).default(4),
  sourcePartitions: fixed(whole(1, 256, 'partitions of what publishers send')).default(1),
  threads: whole(1, 256, 'worker threads (default: one per partition, at most one per core)').optional(),

  natsUrl: text(
    'NATS servers, comma-separated (default: an embedded one is started)',
    'one or more of nats://host:port, comma-separated',
  ).optional(),
  natsToken: secret('token for NATS').optional(),
  natsUser: text('user for NATS').optional(),
  natsPassword: secret('password for NATS').optional(),
  natsNkeyFile: path('file with the nkey seed for NATS').optional(),
  natsCredsFile: path('credentials file for NATS, as nsc writes it').optional(),
  natsTlsCaFile: path('certificate authorities to trust at NATS').optional(),
  natsTlsCertFile: path('client certificate for NATS').optional(),
  natsTlsKeyFile: path('its key').optional(),
  natsServer: path('nats-server program to embed (default: found or obtained)').optional(),
  natsPort: whole(1, PORT_MAX, 'port of the embedded NATS (default: 4222 or the next free one)').optional(),
  natsAnonymous: oneOf(
    ['on', 'off'],
    'whether the embedded NATS takes events and items without credentials (default: on, unless calls need a token)',
  ).optional(),

  grpcHost: text('address that gRPC listens on', 'an address of this machine').default('127.0.0.1'),
  grpcPort: whole(0, PORT_MAX, 'port that gRPC listens on; 0 for a free one').default(50051),
  httpHost: text('address that HTTP listens on: REST, page, metrics', 'an address of this machine').default(
    '127.0.0.1',
  ),
  httpPort: whole(0, PORT_MAX, 'port that HTTP listens on; 0 for a free one').default(8080),
  httpCorsOrigins: text(
    'web sites whose pages may call the REST API (default: none)',
    'origins, comma-separated, as in https://shop.example.com',
    /^ *https?:\/\/[^\s,/]+( *, *https?:\/\/[^\s,/]+)* *$/,
  ).optional(),
  tlsCertFile: path('certificate of the gRPC and HTTP servers (default: no TLS)').optional(),
  tlsKeyFile: path('its key').optional(),
  tlsClientCaFile: path('authorities of client certificates, which are then required').optional(),
  reloadSeconds: amount(0.1, 86_400, 'how often TLS and key files are looked at for replacements').default(10),
  auth: auth.prefault({}),
  limits: limits.prefault({}),
  connections: connections.prefault({}),

  popularity: path(
    'CSV of what was popular before, loaded once: product_id,total_purchases,main_category_code,main_brand,avg_price',
  ).optional(),
  sources: sources.prefault({}),
  durability: oneOf(['process', 'power'], 'what acknowledged events survive: kill -9, or a power failure').default(
    'process',
  ),
  replicas: whole(1, 5, 'copies of each stream in a NATS cluster').default(1),
  streamMegabytesMax: whole(16, 1_000_000, 'size limit of each stream').default(512),
  snapshotEverySeconds: amount(0.05, 3600, 'how often state is written; changes no result').default(2),
  copyEverySeconds: amount(
    0.5,
    3600,
    'how often what snapshots have changed is copied to NATS for other nodes',
  ).default(10),
  leaseSeconds: amount(1, 300, 'a node that is silent this long loses its partitions to others').default(4),
  standbys: whole(0, 4, 'standbys of each partition, beside its owner').default(1),
  tickEveryMilliseconds: whole(10, 60_000, 'how often the clock ticks into the mailboxes').default(1000),
  logLevel: oneOf(
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'which log lines are written (default: info for start, else warn)',
  ).optional(),
  history: history.prefault({}),
  training: training.prefault({}),
  pipeline: pipeline.prefault({}),
});

export type SchemaConfig = z.output<typeof configSchema>;

export interface ConfigKey extends KeyAbout {
  /** `pipeline.window.sizeSeconds` */
  readonly key: string;
  readonly variable: string;
  readonly numeric: boolean;
  /** Absent: not set, or derived when the configuration is loaded. */
  readonly byDefault: string | number | undefined;
}

export const VARIABLE_PREFIX = 'RIVULET_';

const variableOf = (key: string): string =>
  VARIABLE_PREFIX +
  key
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();

/** The flag of a key of the first level. */
export const flagOf = (key: string): string => `--${key.replaceAll(/([A-Z])/g, '-$1').toLowerCase()}`;

/** All keys, in the order of the schema. */
export const CONFIG_KEYS: readonly ConfigKey[] = keysOf(configSchema, '');

function keysOf(schema: z.ZodObject, prefix: string): ConfigKey[] {
  return Object.entries(schema.shape).flatMap(([name, wrapped]) => {
    const inner = unwrapped(wrapped as z.ZodType);
    const key = prefix + name;
    if (inner instanceof z.ZodObject) return keysOf(inner, `${key}.`);
    const about = abouts.get(inner);
    if (about === undefined) throw new TypeError(`the key ${key} is not described`);
    const byDefault = wrapped instanceof z.ZodDefault ? (wrapped.def.defaultValue as string | number) : undefined;
    return [{ ...about, key, byDefault, variable: variableOf(key), numeric: inner instanceof z.ZodNumber }];
  });
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const isWrapper =
    schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault;
  return isWrapper ? unwrapped(schema.unwrap() as z.ZodType) : schema;
}
