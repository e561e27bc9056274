/**
 * The files of a folder, loaded into memory: no request reads the disk, and no path leads out of the folder.
 *
 *   STATIC-FILES-1  a file is served as it was when it was loaded, with its type and an entity tag
 *   STATIC-FILES-2  a precompressed variant (`.br`, `.gz`) is sent to clients that accept it; nothing is compressed here
 *   STATIC-FILES-3  a file with a hash in its name may be cached for ever; anything else is revalidated each time (304 when unchanged)
 *   STATIC-FILES-4  a strict Content-Security-Policy: nothing from other origins, nothing inline
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isKnownTag } from './validators.js';

export type StaticAnswer = {
  readonly status: 200 | 304 | 404;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: no body (304, 404). */
  readonly body?: Buffer;
};

export interface StaticRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface StaticFilesOptions {
  /** Replaces or adds directives of the policy: `{ 'style-src': "'self'" }`. */
  readonly policy?: Readonly<Record<string, string>>;
}

/** `path` is relative to the folder: `` and `/` are its index.html. Without a query. */
export type StaticFiles = (path: string, request: StaticRequest) => StaticAnswer;

type Encoding = 'br' | 'gzip';

type StaticFile = {
  readonly type: string;
  readonly tag: string;
  readonly cache: string;
  readonly plain: Buffer;
  readonly compressed: ReadonlyMap<Encoding, Buffer>;
};

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  json: 'application/json; charset=utf-8',
  map: 'application/json; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  woff2: 'font/woff2',
};

const POLICY: Readonly<Record<string, string>> = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
};

/** The bundler's names: `page-Ab3_xY9-k2.js`. */
const HASHED = /-[\w-]{10}\.[a-z0-9]+$/;
const KEPT = 'public, max-age=31536000, immutable';
const ASKED_AGAIN = 'no-cache';
const COMPRESSED = /\.(br|gz)$/;
/** In order of preference. */
const ENDINGS: ReadonlyMap<Encoding, string> = new Map([
  ['br', '.br'],
  ['gzip', '.gz'],
]);

/** All files directly in the folder; throws the file system's error if it does not exist. */
export function staticFiles(folder: string, { policy }: StaticFilesOptions = {}): StaticFiles {
  const there = new Set(
    readdirSync(folder, { withFileTypes: true }).flatMap((one) => (one.isFile() ? [one.name] : [])),
  );
  const files = new Map<string, StaticFile>();
  for (const name of [...there].filter((one) => !COMPRESSED.test(one))) {
    const compressed = new Map<Encoding, Buffer>();
    for (const [encoding, ending] of ENDINGS) {
      if (there.has(name + ending)) compressed.set(encoding, readFileSync(join(folder, name + ending)));
    }
    files.set(name, fileOf(name, readFileSync(join(folder, name)), compressed));
  }
  const always = {
    'content-security-policy': Object.entries({ ...POLICY, ...policy })
      .map(([directive, sources]) => `${directive} ${sources}`)
      .join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  };
  return (path, request) => {
    const file = files.get(path.replace(/^\//, '') || 'index.html');
    if (file === undefined) return { status: 404, headers: always };
    return answerOf(file, request.headers, always);
  };
}

/** Files that are loaded at the first request: they are large and rarely used. */
export function laterFiles(load: () => StaticFiles): StaticFiles {
  let files: StaticFiles | undefined;
  return (path, request) => (files ??= load())(path, request);
}

function fileOf(name: string, plain: Buffer, compressed: ReadonlyMap<Encoding, Buffer>): StaticFile {
  return {
    type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
    tag: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
    cache: HASHED.test(name) ? KEPT : ASKED_AGAIN,
    plain,
    compressed,
  };
}

function answerOf(
  file: StaticFile,
  asked: StaticRequest['headers'],
  always: Readonly<Record<string, string>>,
): StaticAnswer {
  const encoding = acceptedOf(textOf(asked['accept-encoding']), file.compressed);
  // Different bytes have different tags, as RFC 9110 requires for encodings.
  const tag = encoding === undefined ? `"${file.tag}"` : `"${file.tag}-${encoding}"`;
  const headers: Record<string, string> = { ...always, etag: tag, 'cache-control': file.cache };
  if (file.compressed.size > 0) headers['vary'] = 'accept-encoding';
  if (isKnownTag(textOf(asked['if-none-match']), tag)) return { status: 304, headers };
  const body = (encoding === undefined ? undefined : file.compressed.get(encoding)) ?? file.plain;
  headers['content-type'] = file.type;
  if (encoding !== undefined) headers['content-encoding'] = encoding;
  return { status: 200, headers, body };
}

const textOf = (value: string | readonly string[] | undefined): string =>
  value === undefined ? '' : typeof value === 'string' ? value : value.join(',');

/** `gzip, br;q=0` accepts gzip alone; `*` any. */
function acceptedOf(header: string, there: ReadonlyMap<Encoding, Buffer>): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((one) => one.trim());
    const weight = parameters.find((one) => one.startsWith('q='));
    weights.set(coding, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  return [...there.keys()].find((encoding) => (weights.get(encoding) ?? weights.get('*') ?? 0) > 0);
}
