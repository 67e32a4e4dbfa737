/** Worlds and what happens in them, in words. */
import { decisionOf, type ElectionState } from '../../../election/state.ts';
import { describe } from '../../../narration/describe.ts';
import { parseFrame } from '../../../protocol/frame.ts';
import type { PeerId } from '../../../protocol/ids.ts';
import { nameOf } from './calm.ts';
import type { Happening } from './happening.ts';
import type { Machines } from './machines.ts';
import type { Action, Told } from './stage.ts';
import type { Slot, World } from './world.ts';

/** The ring as the server has it, and each member's role. */
export function describeWorld(machines: Machines, { members, broker }: World): string[] {
  const ring = machines.ringOf(machines.brokers.get(broker)).map((id) => nameOf(machines, id));
  const states = members.flatMap((number) => {
    if (number < 0) return [];
    const { identity, membership, election } = machines.members.get(number);
    if (membership.name === 'new') return [];
    return [`${nameOf(machines, identity.id)} ${describeState(machines, election.state)}`];
  });
  return [`ring: ${ring.join(' ')} | ${states.join(' | ')}`];
}

function describeState(machines: Machines, state: ElectionState): string {
  const { term, role, removed } = state;
  const leader = decisionOf(state)?.leader.id;
  const of = leader === undefined ? '' : ` of ${nameOf(machines, leader)}`;
  const gone = removed.map((id) => nameOf(machines, id)).join(' ');
  return `${role.name}${of}, term ${term}${gone === '' ? '' : `, without ${gone}`}`;
}

export function describeAction(machines: Machines, world: World, action: Action): string {
  const { wires } = world;
  switch (action.type) {
    case 'told':
      return `${at(machines, world, action.slot)} is told by the server: ${whatIsTold(machines, world, action.slot)}`;
    case 'frame':
    case 'lose': {
      const wire = wires[action.wire];
      const [frame] = (action.to === 'responder' ? wire?.forth : wire?.back) ?? [];
      const [from, to] = ends(machines, world, action.wire, action.to);
      const what = frame === undefined ? '' : whatIsSaid(machines, frame);
      return `${what} ${action.type === 'frame' ? 'arrives' : 'is lost'} from ${from} at ${to}`;
    }
    case 'notice': {
      const [other, end] = ends(machines, world, action.wire, action.end);
      return `${end} finds its link with ${other} lost`;
    }
    case 'drop':
      return `the link of ${ends(machines, world, action.wire, 'responder').join(' and ')} breaks`;
    case 'due': {
      const number = world.members[action.slot] ?? -1;
      const due = number < 0 ? undefined : machines.members.get(number).dues[action.due];
      return `${at(machines, world, action.slot)}: time for ${due?.name ?? 'nothing'}`;
    }
    case 'server due':
      return `the server: time for ${machines.brokers.get(world.broker).dues[action.due]?.name ?? 'nothing'}`;
    case 'server notices':
      return 'the server finds that a connection is lost';
    case 'lapse':
      return 'the server loses its memory';
    case 'join':
      return `P${action.slot + 1} joins${action.after < 0 ? '' : ` behind P${action.after + 1}`}`;
    default:
      return `${at(machines, world, action.slot)}: ${action.type}`;
  }
}

function at(machines: Machines, { members }: World, slot: Slot): string {
  const number = members[slot] ?? -1;
  return number < 0 ? `P${slot + 1}` : nameOf(machines, machines.members.get(number).identity.id);
}

/** The sender and the receiver on a wire. */
function ends(
  machines: Machines,
  world: World,
  wire: number,
  to: 'initiator' | 'responder',
): [string, string] {
  const { initiator = -1, responder = -1 } = world.wires[wire] ?? {};
  const names = [at(machines, world, initiator), at(machines, world, responder)] as const;
  return to === 'responder' ? [names[0], names[1]] : [names[1], names[0]];
}

function whatIsTold(machines: Machines, { down }: World, slot: Slot): string {
  const [first] = down[slot] ?? [];
  if (first === undefined) return '';
  return machines.bundles
    .get(first)
    .map((input) => whatIsIn(machines, machines.inputs.get(input)))
    .join('; ');
}

function whatIsIn(machines: Machines, input: Happening): string {
  switch (input.type) {
    case 'view': {
      const { successor, predecessor, removed } = input.view;
      const gone = removed.map((id) => nameOf(machines, id)).join(' ');
      return `view ${nameOf(machines, predecessor.id)} → … → ${nameOf(machines, successor.id)}, without ${gone}`;
    }
    case 'signal':
      return `${input.delivery.signals.map(({ type }) => type).join(' ')} from ${nameOf(machines, input.delivery.from)}`;
    case 'reply':
      return `reply to ${input.to.request.type}`;
    default:
      return input.type;
  }
}

function whatIsSaid(machines: Machines, frame: number): string {
  const parsed = parseFrame(machines.frames.get(frame));
  if (!parsed.ok) return 'an invalid frame';
  const { message } = parsed.value;
  switch (message.type) {
    case 'claim':
      return `CLAIM(${nameOf(machines, message.claim.id)}, term ${message.term}, hops ${message.hops})`;
    case 'elected':
      return `ELECTED(${nameOf(machines, message.decision.leader.id)}, term ${message.term}, lap ${message.decision.lap})`;
    case 'bye':
      return `BYE(${message.reason})`;
    case 'hello':
      return `HELLO(${message.ready ? 'ready' : 'not ready'}, term ${message.term})`;
    default:
      return message.type.toUpperCase();
  }
}

/** What the members say of it, step by step. */
export function describeTold(
  machines: Machines,
  { members }: World,
  told: readonly Told[],
): string[] {
  const call = (id: PeerId) => nameOf(machines, id);
  return told.flatMap(({ slot, events }) =>
    events.map((event) => {
      const number = members[slot] ?? -1;
      const { id } = number < 0 ? { id: null } : machines.members.get(number).identity;
      if (id === null) return `    P${slot + 1}: ${event.type}`;
      const { what, why } = describe(event, id, call);
      return `    ${call(id)}: ${what}${why === '' ? '' : ` (${why})`}`;
    }),
  );
}
