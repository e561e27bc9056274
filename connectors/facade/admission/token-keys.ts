/**
 * The public keys of the token issuer: a JSON Web Key Set, in a file or at a URL.
 *
 *   TOKEN-KEYS-1  symmetric keys are refused: whoever can verify such a token can also make one
 *   TOKEN-KEYS-2  a file is read again when it is replaced; a URL every `refreshMs`, and at once when a token names an unknown key, but no more often
 *   than
 *                 every `coolDownMs`: foreign clients can name keys that do not exist
 *   TOKEN-KEYS-3  known keys stay valid while a URL is unreachable or a file is broken
 *   TOKEN-KEYS-4  an unusable file stops the start; a URL may be away at the start, and no token can be verified until it has been read
 *   TOKEN-KEYS-5  an empty set is valid: it revokes all tokens, also at the start, and this is logged. A set without any usable key is broken; where
 *   only
 *                 some keys are unusable, these are logged
 */
import { createPublicKey } from 'node:crypto';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose';
import { asError, fatal } from '../../../runtime/contract/errors.js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { watchFiles } from '../tls/watched-files.js';

/** One of both must be set. */
export interface KeyLocation {
  readonly file?: string;
  /** https, or http to this machine. */
  readonly url?: string;
}

export interface KeyOptions {
  /** How often a file is checked for changes. */
  readonly reloadEveryMs: number;
  readonly refreshMs?: number;
  readonly coolDownMs?: number;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly logger: Logger | undefined;
  readonly onChange: () => void;
}

const REFRESH_MS = 5 * 60_000;
const COOL_DOWN_MS = 30_000;
const FETCH_MS = 5_000;
const BYTES_MAX = 2 ** 20;

export class TokenKeys {
  private set: JWTVerifyGetKey | undefined;
  private text = '';
  private reading: Promise<void> | undefined;
  private readAtMs = -Infinity;
  private reportedError = '';
  private end: () => void = () => undefined;

  private constructor(
    private readonly url: string | undefined,
    private readonly options: KeyOptions,
  ) {}

  static async open({ file, url }: KeyLocation, options: KeyOptions): Promise<TokenKeys> {
    const keys = new TokenKeys(url, options);
    const watch = { everyMs: options.reloadEveryMs, logger: options.logger };
    if (file !== undefined) {
      keys.end = await watchFiles([file], 'KEYS_UNREADABLE', ([bytes]) => keys.take(bytes!.toString(), file), watch);
      return keys;
    }
    await keys.read();
    const timer = setInterval(() => void keys.read(), options.refreshMs ?? REFRESH_MS).unref();
    keys.end = () => clearInterval(timer);
    return keys;
  }

  /** For jose: finds a key among those currently known. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.set === undefined) throw new errors.JWKSNoMatchingKey();
    return this.set(header, token);
  };

  /** The same object (`===`) until the keys change; absent until they were first read. */
  get version(): unknown {
    return this.set;
  }

  close(): void {
    this.end();
  }

  /** Reads the keys again, unless they were read just now; does nothing for a file. */
  async renew(): Promise<void> {
    const { clock, coolDownMs = COOL_DOWN_MS } = this.options;
    if (this.url === undefined) return;
    if (this.reading === undefined && clock.monotonicMs() - this.readAtMs < coolDownMs) return;
    await this.read();
  }

  /** From a URL; an error is logged once. */
  private async read(): Promise<void> {
    this.reading ??= this.fetch(this.url!).finally(() => (this.reading = undefined));
    await this.reading;
  }

  private async fetch(url: string): Promise<void> {
    try {
      const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_MS) });
      if (response.status !== 200) throw new Error(`it answers with status ${response.status}`);
      const text = await bounded(response);
      if (text !== this.text) this.take(text, url);
      this.reportedError = '';
    } catch (thrown) {
      const error = asError(thrown);
      if (error.message !== this.reportedError)
        this.options.logger?.error({ err: error, url }, 'the keys for tokens cannot be read');
      this.reportedError = error.message;
    }
    this.readAtMs = this.options.clock.monotonicMs();
  }

  private take(text: string, place: string): void {
    const { keys, unusable } = publicKeys(text, place);
    const { logger } = this.options;
    if (keys.length === 0) logger?.error({ place }, 'the key set has no keys: no token is good');
    if (unusable.length > 0) logger?.error({ place, unusable }, 'keys of the key set cannot be used');
    this.set = createLocalJWKSet({ keys });
    this.text = text;
    this.options.onChange();
  }
}

interface FoundKeys extends JSONWebKeySet {
  /** Their ids, and the reasons. */
  readonly unusable: readonly { readonly kid: string | undefined; readonly why: string }[];
}

function publicKeys(text: string, place: string): FoundKeys {
  const unusable: { kid: string | undefined; why: string }[] = [];
  let all: JWK[];
  let keys: JWK[];
  try {
    ({ keys: all } = JSON.parse(text) as JSONWebKeySet);
    keys = all.filter((key) => {
      if (key.kty === 'oct') return false;
      const why = faultOfKey(key);
      if (why !== undefined) unusable.push({ kid: key.kid, why });
      return why === undefined;
    });
  } catch (cause) {
    throw fatal('KEYS_UNUSABLE', `${place} holds no JSON Web Key Set`, { cause, hint: KEYS_HINT });
  }
  if (keys.length === 0 && all.length > 0) {
    const whys = unusable.map(({ kid, why }) => ` (${kid}: ${why})`).join('');
    throw fatal('KEYS_UNUSABLE', `${place} holds no public key that can be used${whys}`, { hint: KEYS_HINT });
  }
  return { keys, unusable };
}

/** A token could name it, and would be refused as if that were the server's fault. */
function faultOfKey(jwk: JWK): string | undefined {
  if (jwk.d !== undefined) return 'a private key: publish its public part only, and change the key';
  try {
    const { modulusLength } = createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails ?? {};
    return modulusLength !== undefined && modulusLength < RSA_BITS_MIN ? `fewer than ${RSA_BITS_MIN} bits` : undefined;
  } catch (error) {
    return asError(error).message;
  }
}

/** jose refuses keys below it. */
const RSA_BITS_MIN = 2048;
const KEYS_HINT = 'it must be {"keys": […]} with public keys (RSA, EC or OKP), as issuers publish it';

async function bounded(response: Response): Promise<string> {
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = response.body ?? [];
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > BYTES_MAX) throw new Error(`it has more than ${BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
