/**
 * The stage of scenarios: ring members and the server as shipped, in the simulated world, where each hop
 * takes 10 ms and the random numbers are fixed.
 */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { ElectionMessage, Policy } from '../../shared/protocol/messages.ts';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';
import {
  count,
  eventLine,
  forgedLine,
  heardText,
  stoppedLine,
  tell,
  type Line,
} from './narration.ts';
import { idOf, LETTERS, letterOf, rankOf, withNames } from './names.ts';
import { inRingOrder, table } from './table.ts';
import { Wires } from './wires.ts';

/** The duration of each hop, to the server too, in milliseconds. */
const HOP = 10;

/** How long a ring may take to agree, in milliseconds. */
const PATIENCE = 60_000;

/** How long nothing must have happened in a ring that has agreed; the leader's laps leave longer gaps. */
const CALM = 100;

/** A peer of the story, in all its memberships. */
interface Player {
  readonly letter: string;
  lives: number;
  id: PeerId;
  /** Random numbers it has drawn. */
  drawn: number;
  /** null while it is not there. */
  peer: SimulatedPeer | null;
}

export class Stage {
  #world = newWorld('highest');
  readonly #players = new Map<string, Player>();
  readonly #wires = new Wires({
    heard: (at, from, message) => {
      const text = heardText(from, message);
      // A peer that has left no longer listens.
      if (text !== null && this.#players.get(letterOf(at))?.peer !== null) this.#note(at, text);
    },
    stopped: (from, to, message, how) => {
      this.#collect();
      this.#lines.push(stoppedLine(this.#now, from, to, message, how));
    },
  });
  /** What is not yet returned. */
  #lines: (Line | string)[] = [];
  /** How much of the world's trace is in the lines. */
  #collected = 0;
  #since = 0;

  /** What happened since the last call, as lines to read; times count from then. */
  tell(): string[] {
    this.#collect();
    const text = tell(this.#lines, this.#since);
    this.#begin();
    const { violations } = this.#world;
    if (violations.length > 0) throw new Error(withNames(violations.join('; ')));
    return text;
  }

  /** Shows the members as they are now, each followed by its successor. */
  show(): void {
    this.#collect();
    this.#lines.push(...table(inRingOrder(this.#world.states)));
  }

  /** Shows how many messages of the election were sent since a moment. */
  count(): void {
    this.#collect();
    this.#lines.push(count(this.#lines));
  }

  /** The room's policy. */
  policy(policy: Policy): void {
    if (this.#players.size > 0) throw new Error('a policy can only be the beginning');
    this.#world = newWorld(policy);
  }

  /** A ring that has agreed on its leader, the greatest; how that happened is not shown. */
  ring(letters: readonly string[]): void {
    if (this.#players.size > 0) throw new Error('a ring can only be the beginning');
    // The greatest comes first, so that it is elected once, in term 1.
    const greatest = letters.indexOf([...letters].sort().at(-1) ?? '');
    const ring = [...letters.slice(greatest), ...letters.slice(0, greatest)];
    for (const place of arrivals(ring.length)) {
      this.join([defined(ring[place])]);
      this.untilAgreed();
    }
    const members = inRingOrder(this.#world.states);
    const [first] = members;
    const order = members.map(({ id }) => withNames(id)).join('');
    if (!(ring.join('') + ring.join('')).includes(order))
      throw new Error(`the server made another ring: ${order}`);
    this.#collect();
    this.#begin();
    const leader = withNames(String(first?.leader));
    this.#lines.push(
      `${[...letters, letters[0]].join(' → ')}; ${leader} leads term ${first?.term}`,
    );
  }

  join(letters: readonly string[], priority = 1): void {
    for (const letter of letters) {
      if (rankOf(letter) === 0)
        throw new Error(`a peer is one of the letters ${LETTERS}, not ${letter}`);
      const player = this.#players.get(letter) ?? newPlayer(letter);
      if (player.peer !== null) throw new Error(`${letter} is here already`);
      this.#players.set(letter, player);
      player.peer = this.#enter(player, priority);
    }
  }

  start(letters: readonly string[]): void {
    for (const peer of letters.map((letter) => this.#present(letter))) peer.ring.campaign();
  }

  crash(letters: readonly string[]): void {
    for (const letter of letters) {
      const peer = this.#present(letter);
      const player = defined(this.#players.get(letter));
      this.#world.crash(peer);
      this.#wires.forget(player.id);
      player.peer = null;
      this.#note(player.id, 'crashes');
    }
  }

  leave(letters: readonly string[]): void {
    for (const letter of letters) {
      this.#world.leave(this.#present(letter));
      defined(this.#players.get(letter)).peer = null;
    }
  }

  /**
   * A peer loses the server.
   * @param back milliseconds until it has found it again
   * @param noticed milliseconds until the server sees it; Infinity where it never does
   */
  disconnect(letter: string, back: number, noticed: number): void {
    this.#world.blip(this.#present(letter), noticed, back);
  }

  restartServer(downFor: number): void {
    this.#note('', 'the server dies, and all that it knew with it');
    this.#world.crashServer(downFor, false);
  }

  hold(from: string, to: string): void {
    this.#wires.hold(this.#known(from), this.#known(to));
  }

  deliver(from: string, to: string): void {
    this.#wires.deliver(from, to);
  }

  release(from: string, to: string): void {
    this.#wires.release(from, to);
  }

  lose(from: string, to: string): void {
    this.#wires.lose(this.#known(from), this.#known(to));
  }

  cut(one: string, other: string): void {
    this.#note('', `the link between ${one} and ${other} breaks`);
    this.#wires.cut(one, other);
  }

  /** Their links carry nothing any more, and no end is told. */
  silence(one: string, other: string): void {
    this.#note('', `nothing gets through any more between ${one} and ${other}`);
    this.#wires.silence(one, other);
  }

  block(one: string, other: string): void {
    this.#world.block(this.#present(one), this.#present(other));
  }

  unblock(one: string, other: string): void {
    this.#world.unblock(this.#present(one), this.#present(other));
  }

  /** A peer's device neither hears nor says anything for a while. */
  sleep(letter: string, milliseconds: number): void {
    const peer = this.#present(letter);
    const { id } = peer.ring.state;
    this.#note(id, 'falls asleep');
    this.#world.clock.after(milliseconds, () => {
      this.#note(id, 'wakes up');
    });
    this.#world.freeze(peer, milliseconds);
  }

  /** A message forged by `from`, which passes it off as received. */
  forge(
    from: string,
    to: string,
    type: ElectionMessage['type'],
    ghost: string,
    term: number,
  ): void {
    const claim = { priority: 1, id: idOf(ghost, 1) };
    const hops = 2;
    const size = this.#world.peers.length + 1;
    const message: ElectionMessage =
      type === 'claim'
        ? { type, term, claim, hops }
        : { type, term, decision: { leader: claim, lap: 0, size, hops } };
    const ends = this.#wires.forge(this.#known(from), this.#known(to), message);
    this.#collect();
    this.#lines.push(forgedLine(this.#now, ends.from, ends.to, message));
  }

  run(milliseconds: number): void {
    this.#world.run(milliseconds);
  }

  /** Runs until all agree, as the World defines it, and nothing more is on its way. */
  untilAgreed(): void {
    const limit = this.#now + PATIENCE;
    for (;;) {
      const problems = this.#world.settle(limit - this.#now);
      if (problems.length > 0 || this.#now >= limit)
        throw new Error(`no agreement within ${PATIENCE} ms: ${withNames(problems.join('; '))}`);
      this.#collect();
      const before = this.#lines.length;
      this.#world.run(CALM);
      this.#collect();
      if (this.#lines.length === before && this.#world.problems().length === 0) return;
    }
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  #begin(): void {
    this.#lines = [];
    this.#since = this.#now;
  }

  #enter(player: Player, priority: number): SimulatedPeer {
    // Link ids derive from this, and must differ; so does patience: the greater the peer, the more it has.
    const share = (rankOf(player.letter) - 1) / LETTERS.length;
    return this.#world.join({
      random: () => {
        player.drawn += 1;
        return share + player.drawn / 2 ** 32;
      },
      newId: () => {
        player.lives += 1;
        player.id = idOf(player.letter, player.lives);
        return player.id;
      },
      priority,
      tap: (openLink) => this.#wires.tap(openLink, () => player.id),
    });
  }

  #known(letter: string): string {
    if (!this.#players.has(letter)) throw new Error(`there is no peer ${letter}`);
    return letter;
  }

  #present(letter: string): SimulatedPeer {
    const peer = this.#players.get(letter)?.peer ?? null;
    if (peer === null) throw new Error(`there is no peer ${letter}`);
    return peer;
  }

  #note(who: string, text: string): void {
    this.#collect();
    this.#lines.push({ at: this.#now, who, text, lap: null, sent: null });
  }

  /** Updates the lines with the events of the members. */
  #collect(): void {
    for (const { at, peer, event } of this.#world.trace.slice(this.#collected)) {
      const line = eventLine(at, peer, event);
      if (line !== null) this.#lines.push(line);
    }
    this.#collected = this.#world.trace.length;
  }
}

function newWorld(policy: Policy): World {
  return new World(0, {
    random: () => 0,
    delays: { least: HOP, most: HOP },
    peers: { policy },
  });
}

function newPlayer(letter: string): Player {
  return { letter, lives: 0, id: idOf(letter, 1), drawn: 0, peer: null };
}

/** The place that the server gives to each peer, in the order of arrival, if they come one by one. */
function arrivals(peers: number): number[] {
  const world = new World(0);
  for (const letter of LETTERS.slice(0, peers)) {
    world.join({ newId: () => idOf(letter, 1) });
    world.settle(PATIENCE);
  }
  const ring = inRingOrder(world.states).map(({ id }) => rankOf(withNames(id)) - 1);
  return ring.map((_, arrival) => ring.indexOf(arrival));
}
