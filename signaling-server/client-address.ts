/** Where a client is, also behind proxies: for limits and for the log. */
import type { IncomingMessage } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import ipaddr from 'ipaddr.js';

/** Whether a hop on the way to this server is a proxy whose word is believed. */
type Trust = (address: string, hop: number) => boolean;

const HOPS = /^\d{1,2}$/;

/** Networks that have a name. */
const PRESETS = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** An IPv6 network, which one household gets whole, in 16-bit groups. */
const NETWORK_GROUPS = 4;

/** @throws TypeError where it names something else */
function trustOf(proxies: string): Trust {
  if (HOPS.test(proxies)) return (_, hop) => hop < Number(proxies);
  const names = proxies
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  // The library takes numbers for addresses, too.
  const wrong = names.find((name) => !PRESETS.has(name) && isIP(name.split('/')[0] ?? '') === 0);
  if (wrong !== undefined) throw new TypeError(`${wrong} is no address`);
  return names.length === 0 ? () => false : proxyAddr.compile(names);
}

/** Whether TRUST_PROXY may be set to this. */
export function isProxyList(proxies: string): boolean {
  try {
    trustOf(proxies);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds the address of the client that made a request: that of the nearest hop that is no trusted proxy.
 * @param proxies that are trusted: addresses, networks such as `10.0.0.0/8`, `loopback`, `linklocal` and
 *   `uniquelocal` with commas between, or the number of them; nothing for none
 */
export function addressReader(proxies: string): (request: IncomingMessage) => string {
  const trust = trustOf(proxies);
  return (request) => {
    // A proxy may write anything for a client that it does not know.
    const hops = proxyAddr
      .all(request, (address, hop) => trust(withoutPort(address), hop))
      .map(withoutPort)
      .filter((address) => isIP(address) !== 0);
    return plainAddress(hops.at(-1));
  };
}

/**
 * Tells addresses of trusted proxies from those of clients.
 * @param proxies as for {@link addressReader}
 */
export function proxyTest(proxies: string): (address: string) => boolean {
  const trust = trustOf(proxies);
  return (address) => trust(address, 0);
}

/** Some proxies write down ports as well, and then IPv6 addresses in brackets. */
function withoutPort(address: string): string {
  const [, ipv6, ipv4] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(address) ?? [];
  return ipv6 ?? ipv4 ?? address;
}

/** An address in its usual form: an IPv4 address that is written as an IPv6 one is IPv4. */
export function plainAddress(address: string | undefined): string {
  return address === undefined || isIP(address) === 0
    ? 'unknown'
    : ipaddr.process(address).toString();
}

/** What limits count together: an IPv4 address, or the network of an IPv6 address. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = ipaddr.IPv6.parse(address).parts.slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}
