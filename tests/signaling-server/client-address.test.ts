/** Where a client is, told by its connection and by the proxies that are trusted. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { addressReader, networkOf } from '../../signaling-server/client-address.ts';

/** A request that came from an address, with what the proxies before it wrote. */
function requestFrom(address: string | undefined, forwardedFor?: string): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  const request = new IncomingMessage(socket);
  if (forwardedFor !== undefined) request.headers['x-forwarded-for'] = forwardedFor;
  return request;
}

describe('the address of a client', () => {
  test.each<[string, string, string | undefined, string | undefined, string]>([
    ['no proxy is trusted', '', '192.0.2.1', '198.51.100.1', '192.0.2.1'],
    ['it came without a proxy', 'loopback', '127.0.0.1', undefined, '127.0.0.1'],
    ['a trusted proxy tells', 'loopback', '127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['an IPv4 address is written as IPv6', '', '::ffff:192.0.2.1', undefined, '192.0.2.1'],
    ['so is the proxy’s', 'loopback', '::ffff:127.0.0.1', '::ffff:192.0.2.1', '192.0.2.1'],
    ['another than the proxy tells', 'loopback', '192.0.2.1', '198.51.100.1', '192.0.2.1'],
    ['it has told a lie itself', 'loopback', '127.0.0.1', '10.9.9.9, 192.0.2.1', '192.0.2.1'],
    [
      'there are two proxies',
      'loopback, 10.0.0.0/8',
      '127.0.0.1',
      '192.0.2.1, 10.1.2.3',
      '192.0.2.1',
    ],
    ['their number is known', '2', '203.0.113.1', '192.0.2.1, 203.0.113.2', '192.0.2.1'],
    ['there is one by number', '1', '203.0.113.1', '192.0.2.1, 203.0.113.2', '203.0.113.2'],
    ['the proxy does not know', 'loopback', '127.0.0.1', 'unknown', '127.0.0.1'],
    ['the proxy writes ports', 'loopback', '127.0.0.1', '192.0.2.1:4711', '192.0.2.1'],
    [
      'proxies write ports and brackets',
      'loopback, 10.0.0.0/8',
      '127.0.0.1',
      '[2001:db8::1]:80, 10.1.2.3:80',
      '2001:db8::1',
    ],
    ['the connection has ended', '', undefined, undefined, 'unknown'],
  ])('where %s (%j)', (_, proxies, address, forwardedFor, expected) => {
    expect(addressReader(proxies)(requestFrom(address, forwardedFor))).toBe(expected);
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
