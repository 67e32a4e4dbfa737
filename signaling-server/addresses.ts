/** The addresses at which browsers reach this server. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/** As node:os returns them, by the interface's name. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Each an address to open, such as `http://localhost:3000` or `http://192.0.2.7:3000/ring/`. */
export interface Reach {
  /** On this computer; null where browsers cannot open the address that the server listens on. */
  readonly here: string | null;
  /** On other devices, the most likely one first. */
  readonly others: readonly string[];
  /** Why there may be more of the others; null where all are known. */
  readonly problem: string | null;
}

const ANY_IPV4 = '0.0.0.0';
const ANY = '::';

/** Link-local: useless without the name of an interface, which browsers do not accept. */
const LINK_LOCAL_IPV6 = /^fe[89ab]/i;
/** An address that a device gives itself where no server has assigned one. */
const LINK_LOCAL_IPV4 = '169.254.';

/** Interfaces of virtual machines and containers, by name: other devices can seldom reach them. */
const VIRTUAL =
  /^(?:docker|br-|veth|virbr|lxc|lxd|podman|cni|vbox|vmnet)|virtualbox|vmware|vethernet/i;

/** Addresses from blocks for documentation: no host has them, but they are routed like any other host's. */
const ELSEWHERE = { udp4: '198.51.100.1', udp6: '2001:db8::1' } as const;

/** Empty where the system does not tell, as on some phones. */
function knownInterfaces(): { interfaces: Interfaces; problem: string | null } {
  try {
    return { interfaces: networkInterfaces(), problem: null };
  } catch (error) {
    return { interfaces: {}, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The address to listen on for all devices: an IPv6 one where the network has nothing else. */
export function everywhere(interfaces = knownInterfaces().interfaces): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const ipv4 = all.filter(({ family }) => family === 'IPv4');
  if (ipv4.some(({ internal }) => !internal)) return ANY_IPV4;
  const ipv6 = all.filter(({ address }) => isIPv6(address) && !LINK_LOCAL_IPV6.test(address));
  const isAlone = ipv6.some(({ internal }) => !internal) || (ipv6.length > 0 && ipv4.length === 0);
  return isAlone ? ANY : ANY_IPV4;
}

/** This device's address on the default route, if there is one. Sends nothing. */
async function routedAddress(type: keyof typeof ELSEWHERE): Promise<string | null> {
  const socket = createSocket(type);
  try {
    const connected = once(socket, 'connect');
    socket.connect(9, ELSEWHERE[type]);
    await connected;
    return socket.address().address;
  } catch {
    // There is no such route.
    return null;
  } finally {
    socket.close();
  }
}

/**
 * The addresses for other devices, the most likely first: those on the default route, then those of
 * physical interfaces; IPv4 before IPv6.
 * @param routed the addresses on the default route
 * @param host that the server listens on, for all interfaces: `0.0.0.0` or `::`
 */
export function rankAddresses(
  interfaces: Interfaces,
  routed: readonly string[],
  host: string,
): string[] {
  const ranks = new Map<string, number>();
  for (const [name, addresses] of Object.entries(interfaces))
    for (const { address, internal } of addresses ?? []) {
      if (internal) continue;
      const isLast = VIRTUAL.test(name) || address.startsWith(LINK_LOCAL_IPV4);
      ranks.set(address, isLast ? 2 : 1);
    }
  for (const address of routed) ranks.set(address, 0);
  return [...ranks]
    .filter(([address]) => (host === ANY || !isIPv6(address)) && !LINK_LOCAL_IPV6.test(address))
    .map(([address, rank]) => ({ address, rank: 2 * rank + (isIPv6(address) ? 1 : 0) }))
    .toSorted((one, other) => one.rank - other.rank)
    .map(({ address }) => address);
}

/**
 * Finds the addresses at which the server is reached.
 * @param host the address that it listens on, not a name
 * @param basePath such as `/` or `/ring/`
 */
export async function reachOf(host: string, port: number, basePath: string): Promise<Reach> {
  const path = basePath === '/' ? '' : basePath;
  const urlOf = (name: string) => `http://${isIPv6(name) ? `[${name}]` : name}:${port}${path}`;
  if (host !== ANY_IPV4 && host !== ANY) {
    if (LINK_LOCAL_IPV6.test(host)) return { here: null, others: [], problem: null };
    const url = urlOf(host === '127.0.0.1' ? 'localhost' : host);
    return { here: url, others: isOwn(host) ? [] : [url], problem: null };
  }
  const { interfaces, problem } = knownInterfaces();
  const routed = await Promise.all([routedAddress('udp4'), routedAddress('udp6')]);
  const addresses = rankAddresses(
    interfaces,
    routed.flatMap((address) => (address === null || isOwn(address) ? [] : [address])),
    host,
  );
  return {
    here: urlOf(hasLocalhost(host, interfaces) ? 'localhost' : '::1'),
    others: addresses.map(urlOf),
    problem,
  };
}

/** Whether a server on all interfaces answers at 127.0.0.1, which `localhost` means everywhere. */
function hasLocalhost(host: string, interfaces: Interfaces): boolean {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  return host === ANY_IPV4 || all.length === 0 || all.some(({ family }) => family === 'IPv4');
}

const isOwn = (address: string) => LOOPBACK.test(address);
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
const LOCAL_HOST = /^(?:localhost|[\w-]+\.localhost|127\.[\d.]+|\[::1\])(?::\d+)?$/i;

/** Headers by which proxies say that they pass on another's request. */
const OF_PROXIES = /^(?:forwarded|via|x-real-ip|x-forwarded-.*)$/;

/**
 * Whether a request comes from this computer, by its own name for itself: others need not be told. A proxy
 * on this computer may send all requests like that. Many say that they are one, and nginx may use HTTP/1.0.
 */
export function isFromHere({ headers, socket, httpVersion }: IncomingMessage): boolean {
  if (httpVersion === '1.0' || Object.keys(headers).some((name) => OF_PROXIES.test(name)))
    return false;
  return isOwn(socket.remoteAddress ?? '') && LOCAL_HOST.test(headers.host ?? '');
}
