/** Configuration of tokens: what would let strangers in is refused. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../runtime/config/config.js';

const load = (auth: Record<string, string>): unknown =>
  loadConfig({
    cwd: import.meta.dirname,
    env: {},
    flags: Object.entries(auth).map(([name, value]) => ({ key: `auth.${name}`, value, bySet: true })),
  });

const GOOD = { jwksFile: 'keys.json', issuer: 'https://issuer.example.com', audience: 'rivulet' };
const { jwksFile, ...RULES } = GOOD;

describe('tokens', () => {
  it.each([
    GOOD,
    { ...RULES, jwksUrl: 'https://issuer.example.com/keys' },
    { ...RULES, jwksUrl: 'http://[::1]:8080/k' },
  ])('are configured by %j', (auth) => {
    expect(() => load(auth)).not.toThrow();
  });

  it.each([
    [
      'without the name of their issuer',
      { jwksFile, audience: 'a' },
      /^auth.jwksFile .*, auth.audience .* are given: tokens need auth.issuer/,
    ],
    ['without keys', RULES, /tokens need .* one of auth.jwksFile and auth.jwksUrl$/],
    ['with keys from two places', { ...GOOD, jwksUrl: 'https://x' }, /one of auth.jwksFile and auth.jwksUrl$/],
    [
      'with keys that could be changed on their way',
      { ...RULES, jwksUrl: 'http://127.0.0.1.example.com/keys' },
      /^auth.jwksUrl is http:.*: give an https URL, or one of http on this machine$/,
    ],
    [
      'signed with a shared secret',
      { ...GOOD, algorithms: 'ES256,HS256' },
      /^auth.algorithms is ES256,HS256 .*: give some of RS256,/,
    ],
    ['not signed', { ...GOOD, algorithms: 'none' }, /^auth.algorithms is none /],
  ])('%s are refused', (_, auth, message) => {
    expect(() => load(auth)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
