/** Homes, each behind a router of its own, and an internet between them: network namespaces. */
import { once } from 'node:events';
import { ip, startGuardian } from '../chaos/network.ts';

/** Everything made here has this name and the process id; at most 15 characters. */
const PREFIX = 'rli';

export interface Internet {
  /** The address of the machine that serves all homes. */
  readonly host: string;
  /** The command that runs another one in a home. */
  within(home: number, command: readonly string[]): string[];
  close(): Promise<void>;
}

/** How a router maps addresses: to the same port for all others, or to another for each (RFC 4787). */
type Router = 'cone' | 'symmetric';

export interface Home {
  readonly router: Router;
  /** Whether nothing but TCP passes its router. */
  readonly blocksUdp?: boolean;
}

/** Made so far by this process. */
let made = 0;

/** Makes the homes. Needs root on Linux, iproute2 and iptables. */
export async function internetOf(homes: readonly Home[]): Promise<Internet> {
  made += 1;
  const own = `${PREFIX}${process.pid}${'abcdefgh'[made % 8]}`;
  const bridge = `${own}b`;
  // Of 198.18.0.0/15, which RFC 2544 keeps for such uses.
  const net = `198.18.${(process.pid + made) % 256}`;
  const names = homes.map((_, at) => ({ router: `${own}r${at}`, home: `${own}h${at}` }));
  const guardian = startGuardian([
    ...names.flatMap(({ router, home }) => [`ip netns del ${router}`, `ip netns del ${home}`]),
    ...homes.map((_, at) => `ip link del ${own}w${at}`),
    `ip link del ${bridge}`,
  ]);
  const close = async () => {
    guardian.stdin?.end();
    if (guardian.exitCode === null) await once(guardian, 'exit');
  };
  try {
    await ip('link', 'add', bridge, 'type', 'bridge');
    await ip('addr', 'add', `${net}.1/24`, 'dev', bridge);
    await ip('link', 'set', bridge, 'up');
    for (const [at, home] of homes.entries()) await build(own, net, at, home);
    return {
      host: `${net}.1`,
      within: (home, command) => ['ip', 'netns', 'exec', names[home]?.home ?? '', ...command],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A home's one computer behind its router. */
async function build(own: string, net: string, at: number, home: Home): Promise<void> {
  const [router, computer] = [`${own}r${at}`, `${own}h${at}`];
  const lan = `10.${100 + at}.0`;
  const inRouter = (...command: string[]) => ip('netns', 'exec', router, ...command);
  const inHome = (...command: string[]) => ip('netns', 'exec', computer, ...command);
  await ip('netns', 'add', router);
  await ip('netns', 'add', computer);
  await ip('link', 'add', `${own}w${at}`, 'type', 'veth', 'peer', 'name', 'wan', 'netns', router);
  await ip('link', 'set', `${own}w${at}`, 'master', `${own}b`, 'up');
  await inRouter(
    'ip',
    'link',
    'add',
    'lan',
    'type',
    'veth',
    'peer',
    'name',
    'eth',
    'netns',
    computer,
  );
  await inRouter('ip', 'addr', 'add', `${net}.${11 + at}/24`, 'dev', 'wan');
  await inRouter('ip', 'addr', 'add', `${lan}.1/24`, 'dev', 'lan');
  for (const device of ['wan', 'lan', 'lo']) await inRouter('ip', 'link', 'set', device, 'up');
  await inRouter('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await inHome('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
  await inHome('ip', 'addr', 'add', `${lan}.2/24`, 'dev', 'eth');
  for (const device of ['eth', 'lo']) await inHome('ip', 'link', 'set', device, 'up');
  await inHome('ip', 'route', 'add', 'default', 'via', `${lan}.1`);
  const random = home.router === 'symmetric' ? ['--random'] : [];
  const nat = ['-t', 'nat', '-A', 'POSTROUTING', '-o', 'wan', '-j', 'MASQUERADE', ...random];
  await inRouter('iptables', ...nat);
  // A router at home lets nothing in that was not asked for.
  const known = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT'];
  await inRouter('iptables', '-A', 'FORWARD', '-i', 'wan', ...known);
  await inRouter('iptables', '-A', 'FORWARD', '-i', 'wan', '-j', 'DROP');
  await inRouter('iptables', '-A', 'INPUT', '-i', 'wan', ...known);
  await inRouter('iptables', '-A', 'INPUT', '-i', 'wan', '-j', 'DROP');
  if (home.blocksUdp === true)
    await inRouter('iptables', '-I', 'FORWARD', '-i', 'lan', '-p', 'udp', '-j', 'DROP');
}
