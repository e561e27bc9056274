/**
 * The public keys of those who issue tokens: a JSON Web Key Set, in a file or at a URL.
 *
 *   K1  symmetric keys are not taken: who may check such a token could also make one
 *   K2  a file is read again when it is replaced, a URL every `refreshMs`, and at once when a token names a key that is not known, but no
 *       more often than every `coolDownMs`: strangers can name keys that there are not
 *   K3  keys that were known stay while a URL is away or a file is broken
 *   K4  a file that cannot be used stops the start; a URL may be away then, and until it was read once no token can be checked
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { asError, fatal, transient } from '../../runtime/errors.js';
import type { Clock, Logger } from '../../runtime/ports.js';
import { watchFiles } from './watched-files.js';

/** One of the two. */
export interface KeyPlace {
  readonly file?: string;
  /** https, or http on this machine. */
  readonly url?: string;
}

export interface KeyOptions {
  /** How often a file is looked at. */
  readonly reloadEveryMs: number;
  readonly refreshMs?: number;
  readonly coolDownMs?: number;
  readonly clock: Pick<Clock, 'nowMs'>;
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
  private told = '';
  private end: () => void = () => undefined;

  private constructor(
    private readonly url: string | undefined,
    private readonly options: KeyOptions,
  ) {}

  static async open({ file, url }: KeyPlace, options: KeyOptions): Promise<TokenKeys> {
    const keys = new TokenKeys(url, options);
    const watch = { everyMs: options.reloadEveryMs, logger: options.logger };
    if (file !== undefined) {
      keys.end = await watchFiles(
        [file],
        'GRPC_KEYS_UNREADABLE',
        ([bytes]) => keys.take(bytes!.toString(), file),
        watch,
      );
      return keys;
    }
    await keys.read();
    const timer = setInterval(() => void keys.read(), options.refreshMs ?? REFRESH_MS).unref();
    keys.end = () => clearInterval(timer);
    return keys;
  }

  /** For jose. Rejects with Transient KEYS_AWAY when no keys were ever read. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.set === undefined) await this.readWhenCool();
    if (this.set === undefined) throw transient('KEYS_AWAY', 'the keys of the issuer cannot be read now');
    try {
      return await this.set(header, token);
    } catch (error) {
      const before = this.set;
      await this.readWhenCool();
      if (this.set === before) throw error;
      return this.set(header, token);
    }
  };

  close(): void {
    this.end();
  }

  private async readWhenCool(): Promise<void> {
    const { clock, coolDownMs = COOL_DOWN_MS } = this.options;
    if (this.url === undefined) return;
    if (this.reading === undefined && clock.nowMs() - this.readAtMs < coolDownMs) return;
    await this.read();
  }

  /** Of a URL; what is wrong is logged, once. */
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
      this.told = '';
    } catch (thrown) {
      const error = asError(thrown);
      if (error.message !== this.told)
        this.options.logger?.error({ err: error, url }, 'the keys for tokens cannot be read');
      this.told = error.message;
    }
    this.readAtMs = this.options.clock.nowMs();
  }

  private take(text: string, place: string): void {
    this.set = createLocalJWKSet(publicKeys(text, place));
    this.text = text;
    this.options.onChange();
  }
}

function publicKeys(text: string, place: string): JSONWebKeySet {
  let keys: JSONWebKeySet['keys'];
  try {
    ({ keys } = JSON.parse(text) as JSONWebKeySet);
    keys = keys.filter(({ kty }) => kty !== 'oct');
  } catch (cause) {
    throw fatal('GRPC_KEYS_UNUSABLE', `${place} holds no JSON Web Key Set`, { cause, hint: KEYS_HINT });
  }
  if (keys.length === 0) throw fatal('GRPC_KEYS_UNUSABLE', `${place} holds no public key`, { hint: KEYS_HINT });
  return { keys };
}

const KEYS_HINT = 'it must be {"keys": […]} with public keys (RSA, EC or OKP), as issuers publish it';

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > BYTES_MAX) throw new Error(`it has more than ${BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
