/** The processes of peers, and the tabs: which peers should be in the ring, and which are. */
import { fileURLToPath } from 'node:url';
import type { Browser } from 'puppeteer-core';
import type { Member } from './agreement.ts';
import { Child } from './child.ts';
import type { Network } from './network.ts';
import { Tab } from './tabs.ts';

const PEERS = fileURLToPath(new URL('peers.js', import.meta.url));

/** A process of peers that take part or have left. */
export class PeerProcess {
  readonly child: Child;
  readonly size: number;
  readonly group: number;
  /** Whether it accepts commands. */
  isReady = false;
  readonly #members: boolean[];

  constructor(child: Child, size: number, group: number) {
    this.child = child;
    this.size = size;
    this.group = group;
    this.#members = Array.from({ length: size }, () => false);
  }

  /** Slots of peers that take part. */
  get members(): readonly number[] {
    return this.#members.flatMap((isMember, slot) => (isMember ? [slot] : []));
  }

  get vacancies(): readonly number[] {
    return this.#members.flatMap((isMember, slot) => (isMember ? [] : [slot]));
  }

  join(slot: number): void {
    this.#members[slot] = true;
    this.child.send({ type: 'join', slot });
  }

  leave(slot: number): void {
    this.#members[slot] = false;
    this.child.send({ type: 'leave', slot });
  }
}

/** One look at all of them. */
export interface Sight {
  readonly members: readonly Member[];
  /** Live RTCPeerConnections and members of each process and tab. */
  readonly connections: readonly {
    readonly name: string;
    readonly live: readonly string[];
    readonly members: number;
  }[];
  readonly dropped: number;
}

export class Population {
  readonly #network: Network;
  readonly #url: string;
  readonly #room: string;
  readonly #onFault: (what: string) => void;
  readonly #browser: Browser | null;
  processes: PeerProcess[] = [];
  tabs: Tab[] = [];
  #started = 0;
  #opened = 0;

  constructor(
    network: Network,
    url: string,
    room: string,
    browser: Browser | null,
    onFault: (what: string) => void,
  ) {
    this.#network = network;
    this.#url = url;
    this.#room = room;
    this.#browser = browser;
    this.#onFault = onFault;
  }

  /** Starts a process; its peers join once it is ready. */
  async start(size: number): Promise<void> {
    this.#started += 1;
    const number = this.#started;
    const group = this.#network.groups === 0 ? 0 : number % this.#network.groups;
    const { links } = this.#network;
    const parameters = [this.#url, this.#room, String(size), links];
    const command = [process.execPath, '--expose-gc', PEERS, ...parameters];
    const child = new Child(`p${number}`, this.#network.within(group, command), {}, this.#onFault);
    const peers = new PeerProcess(child, size, group);
    this.processes.push(peers);
    await child.whenReady();
    peers.isReady = true;
    for (const slot of peers.vacancies) peers.join(slot);
  }

  async kill(peers: PeerProcess): Promise<void> {
    this.processes = this.processes.filter((other) => other !== peers);
    await peers.child.kill();
  }

  async openTab(): Promise<void> {
    if (this.#browser === null) return;
    this.#opened += 1;
    const url = `${this.#url}/?room=${this.#room}`;
    const { links } = this.#network;
    const tab = await Tab.open(this.#browser, `tab${this.#opened}`, url, links, this.#onFault);
    this.tabs.push(tab);
  }

  async removeTab(tab: Tab, how: 'close' | 'crash'): Promise<void> {
    this.tabs = this.tabs.filter((other) => other !== tab);
    await tab[how]();
  }

  async look(): Promise<Sight> {
    const { processes, tabs } = this;
    const ofProcesses = await Promise.all(
      processes.map(async (peers) => ({ peers, answer: await peers.child.states() })),
    );
    const ofTabs = await Promise.all(
      tabs.map(async (tab) => ({
        name: tab.name,
        state: await tab.state(),
        live: await tab.connections(),
      })),
    );
    return {
      members: [
        ...ofProcesses.flatMap(({ peers, answer }) =>
          (answer?.states ?? []).flatMap((state, slot) =>
            state === null ? [] : [{ name: `${peers.child.name}.${slot}`, state }],
          ),
        ),
        ...ofTabs.map(({ name, state }) => ({ name, state })),
      ],
      connections: [
        ...ofProcesses.map(({ peers, answer }) => ({
          name: peers.child.name,
          live: answer?.connections ?? [],
          members: peers.members.length,
        })),
        ...ofTabs.map(({ name, live }) => ({ name, live, members: 1 })),
      ],
      dropped: ofProcesses.reduce((sum, { answer }) => sum + (answer?.dropped ?? 0), 0),
    };
  }

  /** The last events of a member, oldest first. */
  async history(name: string): Promise<readonly string[]> {
    const tab = this.tabs.find((other) => other.name === name);
    if (tab !== undefined) return tab.history();
    const [process, slot] = name.split('.');
    const peers = this.processes.find(({ child }) => child.name === process);
    return (await peers?.child.history(Number(slot))) ?? [];
  }

  async end(): Promise<void> {
    await Promise.all(this.processes.map((peers) => this.kill(peers)));
  }
}
