import { expect, it } from 'vitest';
import { addressGroup } from '../../../../connectors/facade/admission/address-group.js';
import { isLoopback } from '../../../../connectors/facade/admission/exposure.js';

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:db8:0:1::ffff', '2001:db8:0:1::/64'],
  ['2001:DB8::1', '2001:db8:0:0::/64'],
  ['2001:0db8:0000:0000:1::', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('the address %s is one client with %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});

it.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['127.999.0.1', false],
  ['127.0.0.1.example.com', false],
  ['::1', true],
  ['localhost', true],
])('%s is loopback: %s', (host, wanted) => {
  expect(isLoopback(host)).toBe(wanted);
});
