/** Groups addresses by client: an IPv4 address is one client; an IPv6 client usually owns a whole /64. */
import { isIPv6 } from 'node:net';

const GROUPS = 8;
const OF_NETWORK = 4;

export function addressGroup(address: string): string {
  const [bare = ''] = address.split('%', 1);
  // An IPv4-mapped address, ::ffff:192.0.2.1.
  if (!isIPv6(bare) || bare.includes('.')) return address;
  const [head = '', tail] = bare.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].map((group) => parseInt(group, 16).toString(16));
  return `${groups.slice(0, OF_NETWORK).join(':')}::/64`;
}
