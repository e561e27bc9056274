import { describe, expect, it } from 'vitest';
import { Callers } from '../../../../connectors/grpc/server/callers.js';
import { ClientLimit } from '../../../../connectors/facade/admission/client-limit.js';

const from = (peer: string): { getPeer(): string } => ({ getPeer: () => peer });

describe('the limit of calls per client', () => {
  it('counts the calls of an address over its connections', () => {
    const limit = new ClientLimit(2, new Callers().of);
    limit.enter(from('192.0.2.1:1000'));
    const leave = limit.enter(from('192.0.2.1:2000'));
    expect(limit.admits(from('192.0.2.1:3000'))).toBe(false);
    expect(limit.admits(from('192.0.2.2:3000'))).toBe(true);
    leave();
    expect(limit.admits(from('192.0.2.1:3000'))).toBe(true);
  });

  it('tells the networks of IPv6 addresses apart, and no more', () => {
    const limit = new ClientLimit(1, new Callers().of);
    limit.enter(from('2001:db8::1:1000'));
    expect(limit.admits(from('2001:db8::1:2000'))).toBe(false);
    expect(limit.admits(from('2001:db8::2:1000'))).toBe(false);
    expect(limit.admits(from('2001:db8:0:1::2:1000'))).toBe(true);
  });

  it('counts leaving once', () => {
    const limit = new ClientLimit(1, new Callers().of);
    const leave = limit.enter(from('192.0.2.1:1'));
    leave();
    leave();
    limit.enter(from('192.0.2.1:1'));
    expect(limit.admits(from('192.0.2.1:1'))).toBe(false);
  });

  it('remembers only clients with calls', () => {
    const limit = new ClientLimit(10, new Callers().of);
    const leaves = Array.from({ length: 100 }, (_, i) => limit.enter(from(`192.0.2.${i}:1`)));
    expect(limit.clients).toBe(100);
    leaves.forEach((leave) => leave());
    expect(limit.clients).toBe(0);
  });

  it('does not look at the address while nobody can be at the limit', () => {
    const limit = new ClientLimit(2, new Callers().of);
    limit.enter(from('192.0.2.1:1'));
    const unasked = { getPeer: () => expect.unreachable() as string };
    expect(limit.admits(unasked)).toBe(true);
  });
});
