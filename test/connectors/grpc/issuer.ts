/** An issuer of tokens, with its keys in a file or at a URL. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';
import type { AuthOptions } from '../../../connectors/facade/admission/token-check.js';

export const ISSUER = 'https://issuer.example.com';
export const AUDIENCE = 'rivulet';

export const RULES: Omit<AuthOptions, 'keys'> = {
  issuer: ISSUER,
  audience: AUDIENCE,
  algorithms: ['ES256', 'EdDSA'],
  clockSkewMs: 1000,
};

export interface Claims {
  readonly sub?: string | undefined;
  readonly iss?: string;
  readonly aud?: string;
  /** Epoch seconds. */
  readonly exp?: number | undefined;
  readonly nbf?: number;
}

export interface SigningKey {
  readonly publicKey: JWK;
  sign(claims?: Claims): Promise<string>;
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

const good = (): Claims => ({ sub: 'ann', iss: ISSUER, aud: AUDIENCE, exp: inSeconds(3600) });

/** A good token is for an hour, for `ann`. */
export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    publicKey: { ...(await exportJWK(publicKey)), kid, alg },
    sign: (claims = {}) => signed(privateKey, alg, kid, claims),
  };
}

export const signed = (key: CryptoKey | Uint8Array, alg: string, kid: string, claims: Claims): Promise<string> =>
  new SignJWT(Object.fromEntries(Object.entries({ ...good(), ...claims }).filter(([, value]) => value !== undefined)))
    .setProtectedHeader({ alg, kid })
    .sign(key);

export const keySet = (...keys: readonly (SigningKey | JWK)[]): string =>
  JSON.stringify({ keys: keys.map((key) => ('sign' in key ? key.publicKey : key)) });

export interface KeyFile {
  readonly path: string;
  write(text: string): void;
}

export function keyFile(text: string): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-keys-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'keys.json');
  const write = (next: string): void => writeFileSync(path, next);
  write(text);
  return { path, write };
}

export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  asked: number;
  /** Absent: it fails. */
  text: string | undefined;
  /** It takes questions, and does not answer them. */
  hangs: boolean;
}

export async function keyServer(text: string | undefined): Promise<KeyServer> {
  const state: Omit<KeyServer, 'url'> = { asked: 0, text, hangs: false };
  const server: Server = createServer((_, response) => {
    state.asked++;
    if (state.hangs) return;
    if (state.text === undefined) response.writeHead(503);
    response.end(state.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  return Object.assign(state, { url: `http://127.0.0.1:${port}/keys` });
}

/** A logger, and what it was told as one text. */
export function hearer() {
  const lines: string[] = [];
  const hear = (fields: object, message?: string): void => {
    const { err } = fields as { err?: Error };
    lines.push(`${message} ${JSON.stringify(fields)} ${err?.message} ${err?.stack}`);
  };
  return { lines, logger: { debug: hear, info: hear, warn: hear, error: hear } };
}
