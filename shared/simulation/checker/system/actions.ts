/** What can happen next in a world: on its own, when nothing else does, and as an event of the budget. */
import { connectionOf, hasPlace, isMember } from '../../../member/queries.ts';
import type { Due, Member } from '../../../member/state.ts';
import { SOON } from './canonical-member.ts';
import type { Machines } from './machines.ts';
import type { Action, End } from './stage.ts';
import { NONE, type Slot, type Wire, type World } from './world.ts';

const ENDS = ['initiator', 'responder'] as const;

/** What must come: what is on its way, and where there is nothing, what is waited for longest. */
export function ownActions(machines: Machines, world: World): Action[] {
  for (const some of [soonActions, lateActions, lastActions]) {
    const actions = some(machines, world);
    if (actions.length > 0) return actions;
  }
  return [];
}

function soonActions(machines: Machines, world: World): Action[] {
  const { members, sessions, down, lost, wires } = world;
  const actions: Action[] = [];
  for (const [slot, queue] of down.entries())
    if (queue.length > 0) actions.push({ type: 'told', slot });
  for (const [at, wire] of wires.entries()) pushWireActions(actions, wire, at);
  for (const session of lost) actions.push({ type: 'server notices', session });
  for (const [slot, number] of members.entries()) {
    if (number < 0) continue;
    const member = machines.members.get(number);
    const isAway = member.server === 'reconnecting' && member.membership.name !== 'new';
    if (sessions[slot] === NONE && isAway) actions.push({ type: 'reconnect', slot });
    pushDues(actions, slot, member, (due) => isSoon(machines, world, member, due));
  }
  for (const [due, { name }] of machines.brokers.get(world.broker).dues.entries())
    if (name === 'assign' || name === 'era') actions.push({ type: 'server due', due });
  return actions;
}

function pushWireActions(actions: Action[], wire: Wire, at: number): void {
  if (wire.forth.length > 0) actions.push({ type: 'frame', wire: at, to: 'responder' });
  if (wire.back.length > 0) actions.push({ type: 'frame', wire: at, to: 'initiator' });
  for (const end of ENDS)
    if (wire[end] !== NONE && isLost(wire, end)) actions.push({ type: 'notice', wire: at, end });
}

/** Whether a connected link has lost its other end, or itself. */
function isLost(wire: Wire, end: End): boolean {
  const other = end === 'initiator' ? wire.responder : wire.initiator;
  return wire.isUp && (wire.isBroken || other === NONE);
}

function pushDues(
  actions: Action[],
  slot: Slot,
  { dues }: Member,
  isMeant: (due: Due) => boolean,
): void {
  for (const [due, each] of dues.entries())
    if (isMeant(each)) actions.push({ type: 'due', slot, due, isEvent: false });
}

/** Time-outs that may come before anything else does. */
function isSoon(machines: Machines, world: World, member: Member, due: Due): boolean {
  switch (due.name) {
    case 'direct':
      return due.at === SOON && isOfferDue(machines, member);
    case 'probe':
      return !isAlive(machines, world, due.probe.peer);
    case 'send held':
    case 'return':
      return true;
    default:
      return false;
  }
}

/** Whether a peer can answer a question for a sign of life. */
function isAlive(machines: Machines, { members }: World, peer: string): boolean {
  return members.some((member) => member >= 0 && machines.members.get(member).identity.id === peer);
}

/** Time-outs that come only where nothing else is on its way. */
function lateActions(machines: Machines, { members, broker }: World): Action[] {
  const actions: Action[] = [];
  for (const [slot, number] of members.entries())
    if (number >= 0)
      pushDues(actions, slot, machines.members.get(number), ({ name }) => LATE.includes(name));
  for (const due of machines.brokers.get(broker).dues.keys())
    actions.push({ type: 'server due', due });
  return actions;
}

const LATE: readonly Due['name'][] = ['probe', 'goodbye', 'put off', 'close'];

/**
 * Offers are made again where there is nothing else to wait for: first by members that have made none yet, as
 * the pause grows with each that fails.
 */
function lastActions(machines: Machines, world: World): Action[] {
  const first = offers(machines, world, ({ successor }) => successor.failures.direct === 0);
  return first.length > 0 ? first : offers(machines, world, () => true);
}

function offers(
  machines: Machines,
  { members }: World,
  isMeant: (member: Member) => boolean,
): Action[] {
  const actions: Action[] = [];
  for (const [slot, number] of members.entries()) {
    if (number < 0) continue;
    const member = machines.members.get(number);
    if (isMeant(member) && isOfferDue(machines, member))
      pushDues(actions, slot, member, ({ name }) => name === 'direct');
  }
  return actions;
}

function isOfferDue({ change }: Machines, member: Member): boolean {
  return change.makesNothingAnew !== true && hasPlace(member) && connectionOf(member) === null;
}

/** The events that the budget still allows. */
export function freeActions(machines: Machines, world: World): Action[] {
  const { budget, members, sessions } = world;
  if (budget.all === 0) return [];
  const actions: Action[] = [];
  for (const [slot, number] of members.entries()) {
    if (number < 0) continue;
    const member = machines.members.get(number);
    if (!isMember(member)) continue;
    if (budget.starts > 0) actions.push({ type: 'start', slot });
    if (budget.timeouts > 0)
      for (const [due, { name }] of member.dues.entries())
        if (name === 'election') actions.push({ type: 'due', slot, due, isEvent: true });
    if (budget.leaves > 0) actions.push({ type: 'leave', slot });
    if (budget.crashes > 0) actions.push({ type: 'crash', slot });
    if (budget.cuts > 0 && sessions[slot] !== NONE) actions.push({ type: 'cut', slot });
  }
  pushFaults(actions, machines, world);
  if (budget.lapses > 0) actions.push({ type: 'lapse' });
  if (budget.joins > 0) pushJoins(actions, machines, world);
  return actions;
}

function pushFaults(actions: Action[], machines: Machines, { budget, wires }: World): void {
  for (const [wire, { isUp, isBroken, initiator, responder, forth, back }] of wires.entries()) {
    const isWhole = isUp && !isBroken && initiator !== NONE && responder !== NONE;
    if (budget.drops > 0 && isWhole) actions.push({ type: 'drop', wire });
    if (budget.losses === 0) continue;
    if (machines.isElection(forth[0])) actions.push({ type: 'lose', wire, to: 'responder' });
    if (machines.isElection(back[0])) actions.push({ type: 'lose', wire, to: 'initiator' });
  }
}

function isOutside(machines: Machines, member: number): boolean {
  return member >= 0 && machines.members.get(member).membership.name === 'new';
}

/** The next peer outside joins, anywhere in the ring. */
function pushJoins(actions: Action[], machines: Machines, { members, broker }: World): void {
  const slot = members.findIndex((member) => isOutside(machines, member));
  if (slot < 0) return;
  const ring = machines.ringOf(machines.brokers.get(broker)).map((id) => machines.rankOf(id));
  for (const after of ring.length === 0 ? [NONE] : ring)
    actions.push({ type: 'join', slot, after });
}
