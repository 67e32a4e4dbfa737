/** The network between the processes: none, or one that loses packets. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface Network {
  /** The address for the server to listen on, reached by all. */
  readonly serverHost: string;
  /** A description of the network, one line each. */
  readonly description: readonly string[];
  /** Groups of processes that can be cut off together; 0 where none can. */
  readonly groups: number;
  /** The kind of the links in a ring at rest. */
  readonly links: 'direct' | 'relayed';
  /** Milliseconds to the server; the way back takes as long. */
  readonly delay: number;
  /** The command that runs another one in the place of a group. */
  within(group: number, command: readonly string[]): string[];
  /** Cuts a group off from everyone else, or connects it again. */
  plug(group: number, isPlugged: boolean): Promise<void>;
  /** Removes everything that was made. */
  close(): Promise<void>;
}

/** All on this machine's own addresses. */
export const PLAIN: Network = {
  serverHost: '127.0.0.1',
  description: ['network: this machine’s own, nothing lost'],
  groups: 0,
  links: 'direct',
  delay: 0,
  within: (_group, command) => [...command],
  plug: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Peers that learn no address of each other, as in guest networks. */
export const ISOLATED: Network = {
  ...PLAIN,
  description: ['network: keeps peers apart, so that all goes through the server'],
  links: 'relayed',
};

/** The same, with the server far away: 300 ms from one peer through it to another. */
export const FAR: Network = {
  ...ISOLATED,
  description: [...ISOLATED.description, '  delay: 150 ms to the server and 150 ms back'],
  delay: 150,
};

/** Groups of processes, each in a network namespace of its own. */
const GROUPS = 6;

/** The share of lost packets among those that reach a namespace, from outside or within. */
const LOSS = 0.05;

/** The bandwidth of a namespace: a weak upstream, which delays when it is full. */
const RATE = '4mbit';

/** Everything made here has this name and the process id; at most 15 characters. */
const PREFIX = 'rlc';

/** Where the kernel supports it: delay and jitter on top. */
const NETEM = ['delay', '30ms', '15ms', 'distribution', 'normal'];

/**
 * Makes namespaces, each on its own link to a bridge, and lets them lose packets. Needs root on Linux,
 * iproute2 and iptables.
 */
export async function lossyNetwork(): Promise<Network> {
  const own = `${PREFIX}${process.pid}`;
  const bridge = `${own}b`;
  const names = Array.from({ length: GROUPS }, (_, group) => `${own}-${group}`);
  // 10.64.0.0/10, a net for each run.
  const net = `10.${64 + (process.pid % 64)}.${Math.floor(process.pid / 64) % 256}`;
  const guardian = startGuardian([
    ...names.map((name) => `ip netns del ${name}`),
    ...names.map((_, group) => `ip link del ${own}v${group}`),
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
    let shaping: readonly string[] = [];
    for (const [group, name] of names.entries()) {
      const [outside, inside] = [`${own}v${group}`, `${own}w${group}`];
      const within = (...command: string[]) => ip('netns', 'exec', name, ...command);
      await ip('netns', 'add', name);
      await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
      await ip('link', 'set', inside, 'netns', name);
      await ip('link', 'set', outside, 'master', bridge);
      await ip('link', 'set', outside, 'up');
      // Only IPv4 loses packets here.
      await within('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
      await within('ip', 'addr', 'add', `${net}.${10 + group}/24`, 'dev', inside);
      await within('ip', 'link', 'set', inside, 'up');
      await within('ip', 'link', 'set', 'lo', 'up');
      const statistic = ['-m', 'statistic', '--mode', 'random', '--probability', String(LOSS)];
      await within('iptables', '-A', 'INPUT', ...statistic, '-j', 'DROP');
      shaping = await shape(within, inside);
    }
    return {
      serverHost: `${net}.1`,
      description: [
        `network: ${GROUPS} namespaces on a bridge, the server and the tabs outside of them`,
        `  loss: ${LOSS * 100} % of what reaches a namespace, by iptables`,
        ...shaping,
        '  cut off: single namespaces, for seconds',
      ],
      groups: GROUPS,
      links: 'direct',
      delay: 0,
      within: (group, command) => ['ip', 'netns', 'exec', names[group] ?? '', ...command],
      plug: async (group, isPlugged) => {
        await ip('link', 'set', `${own}v${group}`, isPlugged ? 'up' : 'down');
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Slows a namespace's upstream, by whatever the kernel offers. */
async function shape(
  within: (...command: string[]) => Promise<void>,
  device: string,
): Promise<readonly string[]> {
  const add = (...kind: string[]) => within('tc', 'qdisc', 'add', 'dev', device, ...kind);
  const notes: string[] = [];
  const rate = ['tbf', 'rate', RATE, 'burst', '32kbit', 'latency', '300ms'];
  const isDelayed = await succeeds(add('root', 'handle', '1:', 'netem', ...NETEM));
  notes.push(
    isDelayed
      ? `  delay: ${NETEM.join(' ')}, by netem`
      : '  delay: none of its own; this kernel has no netem',
  );
  const parent = isDelayed ? ['parent', '1:', 'handle', '2:'] : ['root'];
  const isSlowed = await succeeds(add(...parent, ...rate));
  notes.push(
    isSlowed
      ? `  rate: ${RATE} from each namespace, by tbf`
      : '  rate: not limited; this kernel has no tbf',
  );
  return notes;
}

async function succeeds(attempt: Promise<void>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

export async function ip(...parameters: string[]): Promise<void> {
  await execute('ip', parameters);
}

/**
 * A process that outlives this one, however it ends, and then removes what was made. It has its own process
 * group, so that a Ctrl-C does not reach it.
 */
export function startGuardian(cleaning: readonly string[]): ChildProcess {
  const script = `cat >/dev/null; ${cleaning.map((command) => `${command} 2>/dev/null`).join('; ')}; exit 0`;
  return spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
}

/** @throws Error in plain words where this system cannot lose packets on purpose */
export function requireLossy(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error('a lossy network needs network namespaces: root on Linux');
  for (const [program, ...parameters] of [
    ['ip', '-V'],
    ['tc', '-V'],
    ['iptables', '-V'],
  ]) {
    try {
      execFileSync(program ?? '', parameters, { stdio: 'ignore' });
    } catch {
      throw new Error(`a lossy network needs the program ${program ?? ''}`);
    }
  }
}
