/** A configuration, and the world with which it begins. */
import { newBroker } from '../../../broker/state.ts';
import { initialElection } from '../../../election/state.ts';
import { initialMember } from '../../../member/initial.ts';
import type { Identity, Member } from '../../../member/state.ts';
import { parseRoomName, type RoomName } from '../../../protocol/ids.ts';
import { numberedId } from '../ids.ts';
import { ownActions } from './actions.ts';
import { NOW } from './canonical-member.ts';
import type { Machines } from './machines.ts';
import { Stage, type Action } from './stage.ts';
import { NONE, type Beginning, type Budget, type Slot, type World } from './world.ts';

export interface Configuration extends Beginning {
  readonly name: string;
  /** Whether the first members have elected a leader before anything else happens. */
  readonly isDecided: boolean;
  /** Events in this order, where the budget does not decide. */
  readonly script?: readonly Wish[];
  /** Whether nothing happens that may open the ring, lose a message or start an election. */
  readonly isJoinOnly?: true;
  /** Whether rings that do not know of each other may arise. */
  readonly isTorn?: true;
}

/** Something that may happen to a peer, `due` is its time-out; `after` is the one behind which it joins. */
export interface Wish {
  readonly type: 'start' | 'leave' | 'crash' | 'join' | 'cut' | 'due';
  readonly slot: Slot;
  readonly after?: Slot;
}

const NOTHING: Budget = {
  ...{ joins: 0, starts: 0, timeouts: 0, leaves: 0, crashes: 0, drops: 0, losses: 0 },
  ...{ cuts: 0, lapses: 0, all: 0 },
};

const LIMITS = {
  peersPerRoom: 8,
  rooms: 1,
  burstWindow: 0,
  relays: true,
  relayedBytes: 2_000_000,
};

export function identityOf(rank: number): Identity {
  return { id: numberedId(rank), secret: `the secret of peer ${rank}` };
}

/** A peer that comes back has the id that is as far behind the first ones as its own is among them. */
export function renewalsOf({ priorities }: Beginning): (slot: Slot, before: Identity) => Identity {
  return (slot, { id }) => {
    if (id !== numberedId(slot)) throw new Error('a peer comes back twice');
    return identityOf(priorities.length + slot);
  };
}

/** The first world of a configuration. */
export function openingOf(machines: Machines, configuration: Configuration): World {
  const { ring, budget, isDecided, isJoinOnly } = configuration;
  const [first] = ring;
  let world = linked(machines, configuration);
  if (isDecided && first !== undefined)
    world = after(machines, configuration, world, { type: 'start', slot: first });
  return { ...world, budget, messages: isJoinOnly === true ? 0 : -1 };
}

/** A ring in which nobody has heard of an election. */
function linked(machines: Machines, configuration: Configuration): World {
  const { ring } = configuration;
  let world = empty(machines, configuration);
  for (const [at, slot] of ring.entries())
    world = after(machines, configuration, world, {
      ...{ type: 'join', slot, after: ring[at - 1] ?? NONE },
    });
  const members = world.members.map((number) =>
    number < 0 ? number : machines.member(forgetful(machines.members.get(number), configuration)),
  );
  return { ...world, members };
}

function empty(machines: Machines, { priorities, policy }: Configuration): World {
  const members = priorities.map((priority, slot) => {
    const config = { room: roomName(), policy, priority, connections: 1_000 };
    return machines.member(initialMember(config, identityOf(slot), NOW));
  });
  return {
    members,
    broker: machines.broker(newBroker('first', LIMITS, NOW)),
    sessions: members.map(() => NONE),
    down: members.map(() => []),
    lost: [],
    wires: [],
    budget: { ...NOTHING },
    messages: -1,
  };
}

function roomName(): RoomName {
  const name = parseRoomName('checked');
  if (!name.ok) throw new Error(name.error);
  return name.value;
}

/** A member that has heard of no election, and holds messages as long as the configuration says. */
function forgetful(member: Member, { hopDelay = 0 }: Configuration): Member {
  const { config, identity, election } = member;
  const self = { priority: config.priority, id: identity.id };
  const by = numberedId(0);
  return {
    ...member,
    election: {
      ...election,
      state: initialElection(self, config.policy),
      gate: { ...election.gate, hasKnownLeader: false },
      wait: null,
      isTold: false,
    },
    hopDelay: {
      ...member.hopDelay,
      setting: hopDelay === 0 ? null : { type: 'pace', hopDelay, count: 1, by },
    },
    dues: member.dues.filter(({ name }) => name !== 'election'),
  };
}

/** The world after an action and all that follows by itself; a fault ends it, and is found again later. */
function after(
  machines: Machines,
  configuration: Configuration,
  before: World,
  action: Action,
): World {
  const renewed = renewalsOf(configuration);
  let world = before;
  for (let next: Action | undefined = action; next !== undefined;) {
    const stage = new Stage(machines, renewed, world);
    const following = stage.act(next);
    if (stage.fault !== null) return world;
    world = following;
    [next] = ownActions(machines, world);
  }
  return world;
}
