/**
 * Authentication by bearer tokens (JWT).
 *
 *   TOKEN-CHECK-1  a token is valid when one of the issuer's keys has signed it, by an algorithm of the list (never `none`, never a symmetric one),
 *   for this
 *                  audience, and it names a subject and an expiry that has not passed
 *   TOKEN-CHECK-2  a valid token is remembered, by its hash, until it expires or the keys change: a call with it is answered without a promise
 *   TOKEN-CHECK-3  bounded: remembered tokens, and tokens that wait to be verified. Connections take turns, so that a client that sends bad tokens
 *                  without end delays only itself. A token that names an unknown key waits for keys elsewhere, and delays no other
 *   TOKEN-CHECK-4  no token is logged, stored or sent back
 */
import { hash } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { FairQueue } from './fair-queue.js';
import { transient } from '../../../runtime/contract/errors.js';
import type { Clock, Logger } from '../../../runtime/contract/ports.js';
import { type ApiError, faultOf, unauthenticated } from '../errors/fault.js';
import { type KeyLocation, TokenKeys } from './token-keys.js';

export interface AuthOptions {
  readonly keys: KeyLocation;
  readonly issuer: string;
  readonly audience: string;
  /** Names from JWA; asymmetric ones only. */
  readonly algorithms: readonly string[];
  /** How far the clocks of issuer and node may differ. */
  readonly clockSkewMs: number;
  readonly refreshMs?: number;
  readonly coolDownMs?: number;
}

export interface TokenCheckOptions extends AuthOptions {
  readonly reloadEveryMs: number;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly logger: Logger | undefined;
}

export interface Subject {
  readonly subject: string;
}

interface Remembered extends Subject {
  readonly untilMs: number;
}

export const REMEMBERED_MAX = 10_000;
const WAITING_MAX = 1_000;
/** Signatures are verified by the threads that also read files. */
const CHECKS_AT_ONCE = 2;
const TOKEN = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i;
const TOKEN_CHARS_MAX = 16_384;

export class TokenCheck {
  /** In order of verification. */
  private readonly good = new Map<string, Remembered>();
  private readonly checking = new Map<string, Promise<Subject | ApiError>>();
  private readonly turns = new FairQueue(CHECKS_AT_ONCE, WAITING_MAX);
  private waitingForKeys = 0;
  private keys!: TokenKeys;

  private constructor(private readonly options: TokenCheckOptions) {}

  static async open(options: TokenCheckOptions): Promise<TokenCheck> {
    const check = new TokenCheck(options);
    check.keys = await TokenKeys.open(options.keys, { ...options, onChange: () => check.good.clear() });
    return check;
  }

  close(): void {
    this.keys.close();
  }

  get remembered(): number {
    return this.good.size;
  }

  /** The result where it is known without verification: for a remembered token, and for a malformed header. */
  known(header: unknown): Subject | ApiError | undefined {
    const token = tokenOf(header);
    if (typeof token !== 'string') return token;
    const known = this.good.get(keyOf(token));
    return known !== undefined && this.options.clock.nowMs() < known.untilMs ? known : undefined;
  }

  async check(header: unknown, connection: object): Promise<Subject | ApiError> {
    const token = tokenOf(header);
    if (typeof token !== 'string') return token;
    const key = keyOf(token);
    let checking = this.checking.get(key);
    if (checking === undefined) {
      checking = this.find(token, key, connection).finally(() => this.checking.delete(key));
      this.checking.set(key, checking);
    }
    return checking;
  }

  private async find(token: string, key: string, connection: object): Promise<Subject | ApiError> {
    this.good.delete(key);
    const { version } = this.keys;
    const verified = async (): Promise<Subject | ApiError> =>
      (await this.turns.run(connection, () => this.verify(token, key))) ?? BUSY;
    const found = await verified();
    if (found !== KEY_UNKNOWN) return found;
    if (this.waitingForKeys >= WAITING_MAX) return BUSY;
    this.waitingForKeys++;
    await this.keys.renew().finally(() => this.waitingForKeys--);
    if (this.keys.version !== version) return verified();
    return version === undefined ? KEYS_UNREACHABLE : KEY_UNKNOWN;
  }

  private async verify(token: string, key: string): Promise<Subject | ApiError> {
    const { issuer, audience, algorithms, clockSkewMs, clock } = this.options;
    const { version } = this.keys;
    try {
      const { payload } = await jwtVerify(token, this.keys.find, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockSkewMs / 1000,
        currentDate: new Date(clock.nowMs()),
        requiredClaims: ['sub', 'exp'],
      });
      const subject: unknown = payload.sub;
      if (typeof subject !== 'string' || subject === '') return NO_SUBJECT;
      // The key that signed it may have been removed.
      if (this.keys.version !== version) return await this.verify(token, key);
      this.remember(key, { subject, untilMs: payload.exp! * 1000 + clockSkewMs });
      return { subject };
    } catch (error) {
      return error instanceof errors.JOSEError ? refusalOf(error, this.options) : faultOf(error);
    }
  }

  private remember(key: string, token: Remembered): void {
    if (this.good.size >= REMEMBERED_MAX) {
      const [oldest] = this.good.keys();
      this.good.delete(oldest!);
    }
    this.good.set(key, token);
  }
}

/** No map contains the tokens themselves. */
const keyOf = (token: string): string => hash('sha256', token, 'base64');

/** From the value of `authorization`. */
function tokenOf(header: unknown): string | ApiError {
  if (typeof header !== 'string') return MISSING;
  return (header.length > TOKEN_CHARS_MAX ? undefined : TOKEN.exec(header)?.[1]) ?? MALFORMED;
}

const MISSING = unauthenticated('TOKEN_MISSING', 'the call has no token: send one as "authorization: Bearer …"');
const MALFORMED = unauthenticated(
  'TOKEN_MALFORMED',
  'the token is no signed JWT: send one as "authorization: Bearer …"',
);
const NO_SUBJECT = unauthenticated('TOKEN_CLAIM', 'the claim sub of the token must be a text that is not empty');
const KEY_UNKNOWN = unauthenticated('TOKEN_KEY_UNKNOWN', "the token names no one key (kid) among the issuer's");
const KEYS_UNREACHABLE = faultOf(transient('KEYS_UNREACHABLE', 'the keys of the issuer cannot be read now'));
const BUSY = faultOf(transient('TOKENS_WAIT', 'too many new tokens are being checked'));

/** Why a token is refused; without any text that its bearer could have put there. */
function refusalOf(error: errors.JOSEError, { issuer, audience, algorithms }: AuthOptions): ApiError {
  if (error instanceof errors.JWTExpired)
    return unauthenticated('TOKEN_EXPIRED', 'the token has expired: get a new one');
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error, issuer, audience);
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return unauthenticated('TOKEN_ALGORITHM', `the token must be signed with one of ${algorithms.join(', ')}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return KEY_UNKNOWN;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return unauthenticated('TOKEN_SIGNATURE', "the token's signature is wrong");
  }
  return MALFORMED;
}

function claimRefusal({ claim, reason }: errors.JWTClaimValidationFailed, issuer: string, audience: string): ApiError {
  if (claim === 'nbf' && reason === 'check_failed') {
    return unauthenticated('TOKEN_NOT_YET_VALID', 'the token is not valid yet: compare the clocks');
  }
  if (claim === 'iss') return unauthenticated('TOKEN_ISSUER', `the token must be issued by ${issuer}`);
  if (claim === 'aud') return unauthenticated('TOKEN_AUDIENCE', `the token must be for the audience ${audience}`);
  return unauthenticated('TOKEN_CLAIM', `the claim ${claim} of the token is missing or wrong`);
}
