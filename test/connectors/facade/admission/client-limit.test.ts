import { describe, expect, it } from 'vitest';
import { Admission } from '../../../../connectors/facade/admission/admission.js';
import { CLIENT_LIMITS } from '../../../../connectors/facade/admission/client-limits.js';

interface Call {
  readonly address: string;
}
const from = (address: string): Call => ({ address });

/** The limit of calls, among clients as the façades tell them apart. */
const limitOf = (callsPerClient: number) =>
  new Admission<Call>({
    ...{ limits: { ...CLIENT_LIMITS, callsPerClient }, clock: { monotonicMs: () => 0 }, tokens: undefined },
    connectionOf: (call) => call,
    peerOf: ({ address }) => ({ address, certificate: undefined }),
  }).calls;

describe('the limit of calls per client', () => {
  it('counts the calls of an address over its connections', () => {
    const limit = limitOf(2);
    limit.enter(from('192.0.2.1'));
    const leave = limit.enter(from('192.0.2.1'));
    expect(limit.admits(from('192.0.2.1'))).toBe(false);
    expect(limit.admits(from('192.0.2.2'))).toBe(true);
    leave();
    expect(limit.admits(from('192.0.2.1'))).toBe(true);
  });

  it('tells the networks of IPv6 addresses apart, and no more', () => {
    const limit = limitOf(1);
    limit.enter(from('2001:db8::1'));
    expect(limit.admits(from('2001:db8::1'))).toBe(false);
    expect(limit.admits(from('2001:db8::2'))).toBe(false);
    expect(limit.admits(from('2001:db8:0:1::2'))).toBe(true);
  });

  it('counts leaving once', () => {
    const limit = limitOf(1);
    const leave = limit.enter(from('192.0.2.1'));
    leave();
    leave();
    limit.enter(from('192.0.2.1'));
    expect(limit.admits(from('192.0.2.1'))).toBe(false);
  });

  it('remembers only clients with calls', () => {
    const limit = limitOf(10);
    const leaves = Array.from({ length: 100 }, (_, i) => limit.enter(from(`192.0.2.${i}`)));
    expect(limit.clients).toBe(100);
    leaves.forEach((leave) => leave());
    expect(limit.clients).toBe(0);
  });

  it('does not look at the address while nobody can be at the limit', () => {
    const limit = limitOf(2);
    limit.enter(from('192.0.2.1'));
    const unasked: Call = {
      get address(): string {
        return expect.unreachable();
      },
    };
    expect(limit.admits(unasked)).toBe(true);
  });
});
