/** Worlds and what happens in them, in words. */
import type { ElectionState } from '../../../election/state.ts';
import type { Claim, Decision } from '../../../protocol/messages.ts';
import type { Action, Stage, StepTold } from './stage.ts';
import type { Happening, Known, Parcel, Space } from './space.ts';
import type { PeerNumber, World } from './world.ts';

/** The ring as the server has it, and each member's role. */
export function describeWorld(space: Space, { peers, ring }: World): string {
  const members = ring.map((number) => {
    const state = peers[number]?.election.value;
    return state === undefined ? '' : `${nameOf(number)} ${describeState(space, state)}`;
  });
  return `ring: ${members.join(' | ')}`;
}

export function describeAction({ links }: World, action: Action): string {
  switch (action.type) {
    case 'start':
      return `${nameOf(action.peer)} is asked to start`;
    case 'timeout':
      return `${nameOf(action.peer)} has waited long enough`;
    case 'leave':
      return `${nameOf(action.peer)} leaves`;
    case 'rewire':
      return `${nameOf(action.peer)} gets ${nameOf(action.to)} for a successor`;
    case 'view':
      return `${nameOf(action.peer)} gets its view`;
    case 'deliver':
    case 'deliver back':
    case 'drop':
    case 'lose': {
      const link = links[action.link];
      if (link === undefined) return action.type;
      const [parcel] = action.type === 'deliver back' ? link.back : link.forth;
      const edge = `${nameOf(link.from)}→${nameOf(link.to)}`;
      if (action.type === 'drop') return `link ${edge} closes`;
      const name = parcel?.value.type.toUpperCase() ?? '';
      if (action.type === 'lose') return `${name} is lost on ${edge}`;
      return `${name} arrives on ${edge}${action.type === 'deliver' ? '' : ', back'}`;
    }
  }
}

/** The consequences of an action, step by step. */
export function describeStage(space: Space, { steps, unsent, diverted }: Stage): string[] {
  return [
    ...diverted.map((parcel) => `    ${describeParcel(space, parcel)} leaves over another link`),
    ...unsent.map((parcel) => `    ${describeParcel(space, parcel)} was held, and is not sent`),
    ...steps.map((told) => `    ${describeStep(space, told)}`),
  ];
}

function describeStep(space: Space, { peer, happening, outcome }: StepTold): string {
  const sends = outcome.sends.map((parcel) => `; sends ${describeParcel(space, parcel)}`).join('');
  const judged = outcome.judged === '' ? '' : ` ${outcome.judged};`;
  const fault = outcome.fault === null ? '' : ` !! ${outcome.fault}`;
  const state = describeState(space, outcome.next.value);
  return `${nameOf(peer)}: ${describeHappening(space, happening)} →${judged} ${state}${sends}${fault}`;
}

function describeHappening(space: Space, happening: Happening): string {
  switch (happening.type) {
    case 'start':
    case 'timeout':
    case 'new-successor':
      return happening.type;
    case 'removed':
      return `removed ${space
        .idsOf(happening.peers)
        .map((id) => nameOf(space.numberOf(id)))
        .join(' ')}`;
    case 'receive':
      return describeParcel(space, happening.parcel);
  }
}

function describeParcel(space: Space, { value }: Known<Parcel>): string {
  switch (value.type) {
    case 'claim':
      return `CLAIM(${describeClaim(space, value.claim)}, term ${value.term}, hops ${value.hops})`;
    case 'elected':
      return `ELECTED(term ${value.term}, ${describeDecision(space, value.decision)})`;
    case 'bye':
      return `BYE(${value.reason})`;
  }
}

function describeState(space: Space, { term, role, removed }: ElectionState): string {
  const part =
    role.name === 'deferring'
      ? ` to ${describeClaim(space, role.best)}`
      : role.name === 'follower'
        ? ` of ${describeDecision(space, role.decision)}`
        : '';
  const gone = removed.map((id) => nameOf(space.numberOf(id))).join(' ');
  return `${role.name}${part}, term ${term}${gone === '' ? '' : `, without ${gone}`}`;
}

function describeDecision(space: Space, { leader, lap, size }: Decision): string {
  return `${describeClaim(space, leader)}, lap ${lap}, size ${size}`;
}

function describeClaim(space: Space, { priority, id }: Claim): string {
  const name = nameOf(space.numberOf(id));
  return priority === 1 ? name : `${name} with priority ${priority}`;
}

/** P1, P2, …: the greater number has the greater uuid. */
function nameOf(number: PeerNumber): string {
  return `P${number + 1}`;
}
