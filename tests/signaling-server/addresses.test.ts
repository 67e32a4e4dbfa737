/** The addresses that the server prints and tells pages. */
import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { everywhere, rankAddresses, reachOf } from '../../signaling-server/addresses.ts';
import { isBlockedByBrowsers } from '../../signaling-server/browser-ports.ts';

function at(address: string, internal = false): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal, cidr: null };
  return address.includes(':')
    ? { ...common, family: 'IPv6', scopeid: 0 }
    : { ...common, family: 'IPv4' };
}

const lo = [at('127.0.0.1', true), at('::1', true)];

describe('the addresses for other devices', () => {
  const interfaces = {
    lo,
    docker0: [at('172.17.0.1')],
    'br-0a1b2c3d4e5f': [at('172.18.0.1')],
    eth1: [at('169.254.10.20'), at('fe80::2')],
    eth0: [at('10.0.0.5'), at('2001:db8::5'), at('fe80::1')],
    wlan0: [at('192.168.1.5'), at('fd00::5')],
  };

  test('begin with those on the default route, and end with those of virtual machines', () => {
    expect(rankAddresses(interfaces, ['192.168.1.5', 'fd00::5'], '::')).toEqual([
      '192.168.1.5',
      'fd00::5',
      '10.0.0.5',
      '2001:db8::5',
      '172.17.0.1',
      '172.18.0.1',
      '169.254.10.20',
    ]);
  });

  test('without a default route begin with those of real interfaces', () => {
    expect(rankAddresses(interfaces, [], '0.0.0.0')).toEqual([
      '10.0.0.5',
      '192.168.1.5',
      '172.17.0.1',
      '172.18.0.1',
      '169.254.10.20',
    ]);
  });

  test('are those on the default route where the system tells no others', () => {
    expect(rankAddresses({}, ['192.168.1.5', '2001:db8::5'], '::')).toEqual([
      '192.168.1.5',
      '2001:db8::5',
    ]);
  });

  test('are none where the server listens for this computer alone', async () => {
    for (const host of ['127.0.0.1', '127.0.1.1', '::1'])
      expect(await reachOf(host, 3_000, '/')).toMatchObject({ others: [] });
  });

  test('are the one that it listens on', async () => {
    expect(await reachOf('192.0.2.7', 3_000, '/ring/')).toEqual({
      here: 'http://192.0.2.7:3000/ring/',
      others: ['http://192.0.2.7:3000/ring/'],
      problem: null,
    });
  });

  test('are none where browsers open none: they take no interface with a link-local one', async () => {
    expect(await reachOf('fe80::1%eth0', 3_000, '/')).toEqual({
      here: null,
      others: [],
      problem: null,
    });
  });
});

test.each([
  ['a network with IPv4', { lo, eth0: [at('10.0.0.5'), at('2001:db8::5')] }, '0.0.0.0'],
  ['a network of IPv6 alone', { lo, eth0: [at('2001:db8::5'), at('fe80::1')] }, '::'],
  ['a machine without IPv4', { lo: [at('::1', true)] }, '::'],
  ['no network', { lo }, '0.0.0.0'],
  ['a network of link-local IPv6 alone', { lo, eth0: [at('fe80::1')] }, '0.0.0.0'],
  ['a system that does not tell', {}, '0.0.0.0'],
])('everywhere on %s is listened for at the right address', (_, interfaces, host) => {
  expect(everywhere(interfaces)).toBe(host);
});

test('the ports that browsers block are those that Node blocks by the same standard', async () => {
  const ports = Array.from({ length: 65_536 }, (_, port) => port).filter(isBlockedByBrowsers);
  expect(ports.length).toBeGreaterThan(80);
  const reasons = await Promise.all(
    ports.map((port) =>
      fetch(`http://127.0.0.1:${port}`).catch((error: unknown) =>
        error instanceof Error && error.cause instanceof Error ? error.cause.message : '',
      ),
    ),
  );
  expect(new Set(reasons)).toEqual(new Set(['bad port']));
});
