/** A configuration, and the world with which it begins. */
import type { ElectionMessage } from '../../protocol/messages.ts';
import { freeActions, ownActions } from './actions.ts';
import { Scene, type LinkRules } from './scene.ts';
import { numberedId, type Space } from './space.ts';
import { describeAction } from './trace.ts';
import { beginning, neighbour, type Beginning, type PeerNumber, type World } from './world.ts';

export interface Configuration extends Beginning {
  readonly name: string;
  /** Whether the first members have elected a leader before anything else happens. */
  readonly isDecided: boolean;
  /** The events that may happen, in this order, where the budget does not decide. */
  readonly script?: readonly Wish[];
  /** What has happened before that, in the words of a trace; a mutant may not reach all of it. */
  readonly before?: readonly string[];
  /** A second ring, which the server appends to the first. */
  readonly meets?: Fragment;
  /** A message that no peer had a reason to send. */
  readonly lie?: Lie;
  /** Whether nothing happens that may open the ring, lose a message or start an election. */
  readonly isJoinOnly?: true;
}

/** Something that may happen to a peer; `after` is its place where it joins. */
export interface Wish {
  readonly type: 'start' | 'timeout' | 'leave' | 'crash' | 'join';
  readonly peer: PeerNumber;
  readonly after?: number;
}

/** A ring that has had so many elections. */
export interface Fragment {
  readonly ring: readonly PeerNumber[];
  readonly elections: number;
}

export interface Lie {
  readonly type: ElectionMessage['type'];
  readonly term: number;
  readonly origin: PeerNumber;
  /** The peer whose link to its successor carries it. */
  readonly over: PeerNumber;
}

/** Whether leaders may exclude each other, from the beginning or because of a lie. */
export function isTainted({ meets, lie }: Configuration): boolean {
  return meets !== undefined || lie !== undefined;
}

/** The first world of a configuration. */
export function openingOf(space: Space, rules: LinkRules, configuration: Configuration): World {
  const { isDecided, ring, meets, lie, isJoinOnly, before = [] } = configuration;
  const first = decided(space, rules, configuration, { ring, elections: isDecided ? 1 : 0 });
  const met =
    meets === undefined ? first : joined(first, decided(space, rules, configuration, meets));
  const told = lie === undefined ? met : deceived(space, met, lie);
  const world = before.reduce((last, words) => happened(space, rules, last, words), told);
  return isJoinOnly === true ? { ...world, messages: 0 } : world;
}

function happened(space: Space, rules: LinkRules, world: World, words: string): World {
  const actions = [...ownActions(world), ...freeActions(world)];
  const action = actions.find((other) => describeAction(world, other) === words);
  return action === undefined ? world : new Scene(space, rules, world).act(action);
}

/** A ring after elections started by its first member. */
function decided(
  space: Space,
  rules: LinkRules,
  configuration: Configuration,
  { ring, elections }: Fragment,
): World {
  const fresh = beginning(space, { ...configuration, ring });
  const [peer] = ring;
  if (peer === undefined) return fresh;
  let world = fresh;
  for (let count = 0; count < elections; count += 1) {
    world = new Scene(space, rules, world).act({ type: 'start', peer });
    for (let [action] = ownActions(world); action !== undefined; [action] = ownActions(world))
      world = new Scene(space, rules, world).act(action);
  }
  return { ...world, budget: fresh.budget };
}

/** One ring of two, as the server has it: peers with a new neighbour must be told. */
function joined(first: World, second: World): World {
  const ring = [...first.ring, ...second.ring];
  const peers = first.peers.map((peer, number) => {
    const at = ring.indexOf(number);
    const member = second.ring.includes(number) ? (second.peers[number] ?? peer) : peer;
    const isSame =
      member.successor === neighbour(ring, at, 1) && member.predecessor === neighbour(ring, at, -1);
    return at < 0 || isSame ? member : { ...member, isViewDue: true };
  });
  const elected = Array.from(
    { length: Math.max(first.elected.length, second.elected.length) },
    (_, term) => (first.elected[term] ?? 0) | (second.elected[term] ?? 0),
  );
  return { ...first, peers, ring, elected, links: [...first.links, ...second.links] };
}

function deceived(space: Space, world: World, { type, term, origin, over }: Lie): World {
  const claim = { priority: 1, id: numberedId(origin) };
  const message: ElectionMessage =
    type === 'claim'
      ? { type, term, claim, hops: 1 }
      : { type, term, decision: { leader: claim, lap: 0, size: world.ring.length, hops: 1 } };
  const parcel = space.parcel(message);
  const links = world.links.map((link) =>
    link.from === over ? { ...link, forth: [...link.forth, parcel] } : link,
  );
  return { ...world, links };
}
