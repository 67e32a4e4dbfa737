/** A run: a ring of processes and tabs, the faults of a seed, and what must hold after each storm. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import {
  agreementOf,
  describeMember,
  problemsOf,
  type Agreement,
  type Member,
  type Problem,
} from './agreement.ts';
import {
  agreementDelays,
  CLOSING,
  CONNECTIONS,
  CONSENT,
  EXPECTATIONS,
  MAX_GROWTH,
  MORE_TERMS,
} from './bounds.ts';
import { growthOf } from './growth.ts';
import { MAX_EVENTS, type Memory } from './messages.ts';
import type { Network } from './network.ts';
import { Population, type PeerProcess, type Sight } from './population.ts';
import { schedule, type Fault, type Round } from './schedule.ts';
import { ServerProcess } from './server.ts';
import { slowWay, type SlowWay } from './slow-way.ts';
import { seededRandom } from '../../shared/simulation/random.ts';

const ROOM = 'chaos';

/** Between two looks at a ring that is coming to rest, in milliseconds. */
const LOOK = 100;

/** Every so many rounds, connections of killed peers are no longer excused. */
const STRICT_EVERY = 8;

/** The most members whose last events a violation shows. */
const MAX_CONCERNED = 6;

export interface RunOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Peers in Node processes; tabs come on top. */
  readonly peers: number;
  readonly tabs: number;
  readonly network: Network;
  readonly browser: Browser | null;
}

/** Something that must hold does not. */
export class Violation extends Error {
  readonly problems: readonly Problem[];

  constructor(what: string, problems: readonly Problem[] = []) {
    super(what);
    this.problems = problems;
  }
}

export class Run {
  readonly #options: RunOptions;
  readonly #bound: number;
  readonly #server: ServerProcess;
  #population: Population | null = null;
  #way: SlowWay | null = null;
  /** The intended processes, by size; the first is never killed, to see how it ages. */
  #layout: number[] = [];
  /** What must not happen and did, in any process. */
  readonly #faults: string[] = [];
  readonly #diary: string[] = [];
  readonly #began = performance.now();
  readonly #settled: number[] = [];
  readonly #memory = new Map<string, Memory[]>();
  readonly #counts = new Map<string, number>();
  /** When peers were killed. */
  readonly #deaths: number[] = [];
  /** Names of members that left or came in this round, and so have new ids. */
  readonly #renewed = new Set<string>();
  /** What runs besides the round itself. */
  readonly #pending = new Set<Promise<void>>();

  constructor(options: RunOptions) {
    this.#options = options;
    const delays = agreementDelays(options.network, options.peers + options.tabs);
    this.#bound = delays.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    this.#server = new ServerProcess(options.network.serverHost, (what) => {
      this.#faults.push(what);
    });
  }

  /**
   * Runs until the time is over.
   * @throws Violation at the first thing that does not hold
   */
  async run(): Promise<void> {
    const { minutes, seed, network } = this.#options;
    const until = this.#began + minutes * 60_000;
    await this.#begin();
    if (network.delay > 0) {
      await this.#keep(until);
      return;
    }
    let longest = 0;
    let number = 0;
    for (const round of schedule({ seed, canUnplug: network.groups > 0 })) {
      // Another round is begun only if it is likely to end in time.
      if (performance.now() + longest > until) break;
      const began = performance.now();
      number += 1;
      await this.#round(number, round);
      longest = Math.max(longest, performance.now() - began);
    }
    await this.#until(CLOSING, (sight) => tooManyConnections(sight, 0));
    this.#summarize(number);
  }

  /** Kills everything that was started. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#pending);
    await this.#population?.end();
    this.#way?.close();
    await this.#server.kill();
  }

  /** Everything known about a violation. */
  async report({ message, problems }: Violation): Promise<void> {
    console.log(`\nVIOLATION: ${message}`);
    for (const { member, what } of problems) console.log(`  ${member.name}: ${what}`);
    console.log('\nwhat was done:');
    for (const line of this.#diary.slice(-60)) console.log(`  ${line}`);
    const population = this.#population;
    if (population === null) return;
    const sight = await population.look();
    console.log('\nall members in ring order, from the first:');
    for (const member of inOrder(sight.members)) console.log(`  ${describeMember(member)}`);
    console.log('\nlive connections:');
    for (const { name, live, members } of sight.connections) {
      console.log(`  ${name.padEnd(8)} ${live.length} of ${members} members`);
      if (live.length > CONNECTIONS * members) for (const each of live) console.log(`    ${each}`);
    }
    const concerned = concernedOf(problems, sight.members);
    for (const name of concerned.slice(0, MAX_CONCERNED)) {
      console.log(`\nlast events of ${name}:`);
      for (const line of (await population.history(name)).slice(-MAX_EVENTS))
        console.log(`  ${line}`);
    }
    console.log(`\nthe end of the server’s log:\n${this.#server.log}`);
  }

  // --- before the first round ---------------------------------------------------------------------

  async #begin(): Promise<void> {
    const { peers, tabs, seed, network, browser } = this.#options;
    for (const line of network.description) console.log(line);
    const delays = agreementDelays(network, peers + tabs);
    console.log(
      `agreement within ${this.#bound / 1000} s after the last fault of a round, that is:`,
    );
    for (const { milliseconds, why } of delays)
      console.log(`  ${(milliseconds / 1000).toFixed(0).padStart(3)} s  ${why}`);
    console.log(
      `at most ${CONNECTIONS} live connections for each member, and one for each killed less than ` +
        `${CONSENT / 1000} s ago; every ${STRICT_EVERY} rounds and at the end none for those`,
    );
    await this.#server.start();
    if (network.delay > 0) this.#way = await slowWay(this.#server.url, network.delay);
    const url = this.#way?.url ?? this.#server.url;
    this.#population = new Population(network, url, ROOM, browser, (what) => {
      this.#faults.push(what);
    });
    this.#layout = layoutOf(peers, seed);
    console.log(
      `${peers} peers in processes of ${this.#layout.join(', ')}; ${tabs} tabs; server on ${this.#server.url}`,
    );
    this.#note('all join at once');
    await this.#replenish();
    await this.#calm('start', false);
  }

  /** Starts the missing processes and tabs, and makes all peers take part. */
  async #replenish(): Promise<void> {
    const population = this.#there();
    const missing = [...this.#layout];
    for (const peers of population.processes) {
      const at = missing.indexOf(peers.size);
      if (at !== -1) missing.splice(at, 1);
      if (peers.isReady) for (const slot of peers.vacancies) this.#join(peers, slot);
    }
    const tabs = this.#options.tabs - population.tabs.length;
    if (missing.length > 0) this.#note(`start processes of ${missing.join(', ')}`);
    if (tabs > 0) this.#note(`open ${tabs} tabs`);
    await Promise.all([
      ...missing.map((size) => population.start(size)),
      ...Array.from({ length: tabs }, () => population.openTab()),
    ]);
  }

  // --- a round ------------------------------------------------------------------------------------

  async #round(number: number, { kind, faults }: Round): Promise<void> {
    const { members } = await this.#there().look();
    const before = agreementOf(members);
    this.#renewed.clear();
    if (kind === 'storm') this.#later(this.#replenish());
    for (const [fault, rest] of faults) {
      await this.#perform(fault, kind === 'outage' ? before : null);
      if (rest > 0) await pause(rest);
    }
    await this.#allDone();
    const after = await this.#calm(`round ${number}, ${kind}`, number % STRICT_EVERY === 0);
    if (this.#areIdsKept(faults))
      this.#demandSameIds(members, (await this.#there().look()).members);
    if (kind === 'outage' && EXPECTATIONS.placesOutliveServer) this.#demandSame(before, after);
  }

  async #perform(fault: Fault, whole: Agreement | null): Promise<void> {
    this.#counts.set(fault.kind, (this.#counts.get(fault.kind) ?? 0) + 1);
    const population = this.#there();
    switch (fault.kind) {
      case 'join': {
        const peers = population.processes.find(
          (each) => each.isReady && each.vacancies.length > 0,
        );
        const [slot] = peers?.vacancies ?? [];
        if (peers === undefined || slot === undefined) return;
        this.#note(`${peers.child.name}.${slot} joins`);
        this.#join(peers, slot);
        return;
      }
      case 'leave': {
        const chosen = pick(everyone(population.processes), fault.dice);
        if (chosen === undefined) return;
        this.#note(`${chosen.peers.child.name}.${chosen.slot} leaves`);
        chosen.peers.leave(chosen.slot);
        return;
      }
      case 'campaign': {
        const chosen = pick(everyone(population.processes), fault.dice);
        if (chosen === undefined) return;
        this.#note(`${chosen.peers.child.name}.${chosen.slot} starts an election`);
        chosen.peers.child.send({ type: 'campaign', slot: chosen.slot });
        return;
      }
      case 'kill': {
        const peers = pick(population.processes.slice(1), fault.dice);
        if (peers !== undefined) await this.#kill(peers, '');
        return;
      }
      case 'behead':
        await this.#behead();
        return;
      case 'close-tab':
      case 'crash-tab': {
        const tab = pick(population.tabs, fault.dice);
        if (tab === undefined) return;
        this.#note(`${tab.name}: ${fault.kind}`);
        if (fault.kind === 'crash-tab') this.#noteDeaths(1);
        await population.removeTab(tab, fault.kind === 'close-tab' ? 'close' : 'crash');
        return;
      }
      case 'reload-tab': {
        const tab = pick(population.tabs, fault.dice);
        // A page comes from the server too.
        if (tab === undefined || !this.#server.isUp) return;
        this.#note(`${tab.name}: reload`);
        this.#renewed.add(tab.name);
        await tab.reload();
        return;
      }
      case 'unplug': {
        const group = Math.floor(fault.dice * this.#options.network.groups);
        this.#later(this.#unplug(group, fault.downtime));
        return;
      }
      case 'outage':
        if (!this.#server.isUp) return;
        // Pages that are on their way come first.
        await this.#allDone();
        this.#note('the server is killed');
        await this.#server.kill();
        if (whole === null) this.#later(this.#restart(fault.downtime));
        else {
          await pause(fault.downtime);
          // Relayed links are lost with it.
          if (this.#options.network.links === 'direct') await this.#demandUnmoved(whole);
          await this.#restart(0);
        }
        return;
    }
  }

  #join(peers: PeerProcess, slot: number): void {
    this.#renewed.add(`${peers.child.name}.${slot}`);
    peers.join(slot);
  }

  async #kill(peers: PeerProcess, why: string): Promise<void> {
    this.#note(`${peers.child.name} is killed with ${peers.members.length} peers${why}`);
    this.#noteDeaths(peers.members.length);
    await this.#there().kill(peers);
  }

  #noteDeaths(count: number): void {
    const now = performance.now();
    for (let death = 0; death < count; death += 1) this.#deaths.push(now);
  }

  #killedOfLate(): number {
    const since = performance.now() - CONSENT;
    return this.#deaths.filter((at) => at > since).length;
  }

  /** Kills the leader’s process or tab; a leader in the process that must live leaves instead. */
  async #behead(): Promise<void> {
    const population = this.#there();
    const { members } = await population.look();
    const leader = members.find(({ state }) => state.role === 'leader');
    if (leader === undefined) return;
    const tab = population.tabs.find(({ name }) => name === leader.name);
    if (tab !== undefined) {
      this.#note(`${tab.name} crashes, the leader`);
      this.#noteDeaths(1);
      await population.removeTab(tab, 'crash');
      return;
    }
    const [name, slot] = leader.name.split('.');
    const peers = population.processes.find(({ child }) => child.name === name);
    if (peers === undefined) return;
    if (peers !== population.processes[0]) await this.#kill(peers, ', the leader among them');
    else {
      this.#note(`${leader.name} leaves, the leader`);
      peers.leave(Number(slot));
    }
  }

  async #unplug(group: number, downtime: number): Promise<void> {
    const { network } = this.#options;
    this.#note(`namespace ${group} is cut off for ${(downtime / 1000).toFixed(1)} s`);
    // Either end of a cut link may be replaced before the link is known to be dead.
    const cut = this.#there().processes.filter((peers) => peers.group === group);
    this.#noteDeaths(2 * cut.reduce((sum, { members }) => sum + members.length, 0));
    await network.plug(group, false);
    await pause(downtime);
    await network.plug(group, true);
    this.#note(`namespace ${group} is back`);
  }

  async #restart(downtime: number): Promise<void> {
    await pause(downtime);
    await this.#server.start();
    this.#note('the server is back');
  }

  /** Lets something run beside the round; the round ends after it. */
  #later(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        this.#faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      })
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  async #allDone(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  // --- what must hold -----------------------------------------------------------------------------

  /**
   * Waits for agreement and for rest, and says how long it took.
   * @param isStrict whether connections of killed peers count too
   */
  async #calm(name: string, isStrict: boolean): Promise<Agreement> {
    const began = performance.now();
    const agreed = await this.#until(this.#bound, ({ members }) => this.#problemsOf(members));
    const took = performance.now() - began;
    this.#settled.push(took);
    const rested = await this.#until(CLOSING, (sight) =>
      tooManyConnections(sight, isStrict ? 0 : this.#killedOfLate()),
    );
    const agreement = agreementOf(agreed.members);
    const later = agreementOf(rested.members);
    this.#demandSame(agreement, later, this.#problemsOf(rested.members));
    await this.#measure(rested);
    const live = rested.connections.reduce((sum, each) => sum + each.live.length, 0);
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(0).padStart(4);
    console.log(
      `${seconds} s  ${name.padEnd(17)}  ${String(rested.members.length).padStart(3)} peers agree ` +
        `on ${(later.leader ?? '–').slice(0, 8)} in term ${later.term ?? '–'} ` +
        `after ${(took / 1000).toFixed(1)} s; ${live} connections, ${rested.dropped} frames dropped`,
    );
    this.#note(`calm after ${(took / 1000).toFixed(1)} s: term ${later.term ?? '–'}`);
    return later;
  }

  /** Checks repeatedly until there is no problem any more, or time is up. */
  async #until(bound: number, problemsIn: (sight: Sight) => readonly Problem[]): Promise<Sight> {
    const deadline = performance.now() + bound;
    for (;;) {
      this.#demandNoFaults();
      const sight = await this.#there().look();
      const problems = problemsIn(sight);
      if (problems.length === 0) return sight;
      if (performance.now() > deadline)
        throw new Violation(`not at rest after ${bound / 1000} s`, problems);
      await pause(LOOK);
    }
  }

  /** Watches a ring in which nothing happens until the time is over. */
  async #keep(until: number): Promise<void> {
    const before = agreementOf((await this.#there().look()).members);
    const most = (before.term ?? 0) + MORE_TERMS;
    while (performance.now() < until) {
      this.#demandNoFaults();
      const { members } = await this.#there().look();
      const later = members.filter(({ state }) => (state.term ?? 0) > most);
      if (later.length > 0)
        throw new Violation(
          `without any fault there were more terms than ${MORE_TERMS} after term ${before.term ?? '–'}`,
          later.map((member) => ({ member, what: `is in term ${member.state.term ?? '–'}` })),
        );
      await pause(10 * LOOK);
    }
    const { members } = await this.#there().look();
    const problems = this.#problemsOf(members);
    if (problems.length > 0) throw new Violation('they agree no longer', problems);
    console.log(`\nin the end all agree in term ${agreementOf(members).term ?? '–'}`);
  }

  #problemsOf(members: readonly Member[]): Problem[] {
    return problemsOf(members, this.#options.network.links);
  }

  /** While only the server is away, the ring goes on unchanged. */
  async #demandUnmoved(before: Agreement): Promise<void> {
    const { members } = await this.#there().look();
    this.#demandSame(before, agreementOf(members));
    const open = members.filter(
      ({ state }) => state.successorLink !== 'direct' || state.leader !== before.leader,
    );
    if (open.length > 0)
      throw new Violation(
        'without its server the ring did not stay as it was',
        open.map((member) => ({ member, what: describeMember(member) })),
      );
  }

  #demandSame(before: Agreement, after: Agreement, problems: readonly Problem[] = []): void {
    const changes: string[] = [];
    if (before.leader !== after.leader)
      changes.push(`the leader changed from ${before.leader ?? '–'} to ${after.leader ?? '–'}`);
    if (before.term !== after.term)
      changes.push(`the term changed from ${before.term ?? '–'} to ${after.term ?? '–'}`);
    const gone = [...before.ids].filter((id) => !after.ids.has(id));
    if (gone.length > 0 || before.ids.size !== after.ids.size)
      changes.push(`ids changed; gone: ${gone.join(', ')}`);
    if (problems.length > 0) changes.push('they agree no longer');
    if (changes.length > 0)
      throw new Violation(`without any fault ${changes.join('; ')}`, problems);
  }

  /** Whether nothing in a round excuses a live member that joins under another id. */
  #areIdsKept(faults: Round['faults']): boolean {
    return faults.every(
      ([{ kind }]) => kind !== 'unplug' && (kind !== 'outage' || EXPECTATIONS.placesOutliveServer),
    );
  }

  #demandSameIds(before: readonly Member[], after: readonly Member[]): void {
    const ids = new Map(before.map(({ name, state }) => [name, state.id]));
    const problems = after.flatMap((member) => {
      const id = ids.get(member.name) ?? member.state.id;
      return id === member.state.id || this.#renewed.has(member.name)
        ? []
        : [{ member, what: `was ${id}` }];
    });
    if (problems.length > 0) throw new Violation('members changed their ids', problems);
  }

  #demandNoFaults(): void {
    if (this.#faults.length > 0) throw new Violation(this.#faults.join('\n'));
  }

  async #measure({ members, connections }: Sight): Promise<void> {
    const population = this.#there();
    const uses = new Map(
      connections.map((each) => [each.name, each.live.length + each.members] as const),
    );
    const measured = await Promise.all([
      ...population.processes.map(
        async ({ child }) => [child.name, await child.memory(), uses.get(child.name) ?? 0] as const,
      ),
      this.#server.memory().then((memory) => [this.#server.name, memory, members.length] as const),
    ]);
    for (const [name, memory, sockets] of measured) {
      if (memory === null) continue;
      const samples = this.#memory.get(name) ?? [];
      // Sockets in use come and go with the members.
      const descriptors = memory.descriptors === null ? null : memory.descriptors - sockets;
      samples.push({ ...memory, descriptors });
      this.#memory.set(name, samples);
      for (const { what, growth, limit } of growths(samples))
        if (growth > limit)
          throw new Violation(
            `${name} grows: ${what} by ${growth.toFixed(1)} a round, more than ${limit}; ` +
              samples.map((sample) => sample[what]).join(', '),
          );
    }
  }

  #summarize(rounds: number): void {
    const sorted = this.#settled.toSorted((one, other) => one - other);
    const seconds = (at: number) => ((sorted[at] ?? 0) / 1000).toFixed(1);
    const faults = [...this.#counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
    console.log(`\n${rounds} rounds: ${faults}`);
    console.log(
      `agreement after ${seconds(Math.floor(sorted.length / 2))} s in the middle, ` +
        `${seconds(sorted.length - 1)} s at most (bound ${this.#bound / 1000} s)`,
    );
    console.log('growth a round, once warm, of processes that lived long enough to tell:');
    let told = 0;
    for (const [name, samples] of this.#memory) {
      const all = growths(samples);
      if (all.length === 0) continue;
      told += 1;
      const last = samples.at(-1);
      console.log(
        `  ${name.padEnd(9)} ${String(samples.length).padStart(3)} rounds  ` +
          all
            .map(({ what, growth, limit }) => `${what} ${growth.toFixed(1)} (at most ${limit})`)
            .join(', ') +
          `; at last ${((last?.data ?? 0) / 1e6).toFixed(1)} MB data, ${((last?.rss ?? 0) / 1e6).toFixed(0)} MB rss`,
      );
    }
    if (told === 0) console.log('  none did');
  }

  #there(): Population {
    if (this.#population === null) throw new Error('nobody is there yet');
    return this.#population;
  }

  #note(what: string): void {
    const at = ((performance.now() - this.#began) / 1000).toFixed(2).padStart(8);
    this.#diary.push(`${at} s  ${new Date().toISOString().slice(11, 23)}  ${what}`);
  }
}

/** Mostly shared processes of 4 to 8 peers, processes of one for the rest. */
function layoutOf(peers: number, seed: number): number[] {
  const random = seededRandom(~seed);
  const layout: number[] = [];
  let left = peers;
  while (left > peers / 4 && left >= 4) {
    const size = Math.min(left, 4 + Math.floor(random() * 5));
    layout.push(size);
    left -= size;
  }
  return [...layout, ...Array.from({ length: left }, () => 1)];
}

function everyone(processes: readonly PeerProcess[]): { peers: PeerProcess; slot: number }[] {
  return processes.flatMap((peers) => peers.members.map((slot) => ({ peers, slot })));
}

function pick<T>(choices: readonly T[], dice: number): T | undefined {
  return choices[Math.floor(dice * choices.length)];
}

/** @param excused further connections that are allowed, in all */
function tooManyConnections({ members, connections }: Sight, excused: number): Problem[] {
  const excess = connections.map((each) =>
    Math.max(0, each.live.length - CONNECTIONS * each.members),
  );
  if (excess.reduce((sum, each) => sum + each, 0) <= excused) return [];
  return connections
    .filter((each) => each.live.length > CONNECTIONS * each.members)
    .flatMap(({ name, live, members: count }) =>
      members
        .filter((member) => member.name.split('.')[0] === name)
        .map((member) => ({
          member,
          what: `${live.length} live connections of ${count} members there`,
        })),
    );
}

function growths(
  samples: readonly Memory[],
): { what: keyof Memory; growth: number; limit: number }[] {
  return (['data', 'rss', 'descriptors'] as const).flatMap((what) => {
    const growth = growthOf(samples.map((sample) => sample[what] ?? 0));
    return growth === null ? [] : [{ what, growth, limit: MAX_GROWTH[what] }];
  });
}

/** The members whose events may explain the problems: those named first, then their neighbours. */
function concernedOf(problems: readonly Problem[], members: readonly Member[]): string[] {
  const byId = new Map(members.map((member) => [member.state.id, member]));
  const themselves = problems.map(({ member }) => byId.get(member.state.id) ?? member);
  const neighbours = themselves.flatMap(({ state }) =>
    [state.successor, state.predecessor].flatMap((id) => byId.get(id ?? '') ?? []),
  );
  return [...new Set([...themselves, ...neighbours].map(({ name }) => name))];
}

/** Along successors as far as they lead, then the rest. */
function inOrder(members: readonly Member[]): Member[] {
  const left = new Map(members.map((member) => [member.state.id, member]));
  const ordered: Member[] = [];
  for (let [next] = members; next !== undefined || left.size > 0;) {
    const member: Member | undefined = next ?? [...left.values()][0];
    if (member === undefined) break;
    left.delete(member.state.id);
    ordered.push(member);
    next = left.get(member.state.successor ?? '');
  }
  return ordered;
}
