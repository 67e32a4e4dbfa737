/** What one turn of a member violates, and what members violate together, at any moment. */
import { compareClaims } from '../../../election/claim.ts';
import { decisionOf, type ElectionState } from '../../../election/state.ts';
import type { Member } from '../../../member/state.ts';
import type { Output } from '../../../member/turn.ts';
import { parseFrame } from '../../../protocol/frame.ts';
import { originOf, type Claim, type ElectionMessage } from '../../../protocol/messages.ts';
import type { Happening } from './happening.ts';

/** More often than any message goes round a ring of four. */
const MOST_HOPS = 12;

/** What is wrong with a turn of one member, or null. */
export function faultOf(
  before: Member,
  after: Member,
  happening: Happening,
  outputs: readonly Output[],
): string | null {
  if (before.identity.id !== after.identity.id) return null;
  const sent = outputs.flatMap(sentBy);
  return (
    stateFault(before.election.state, after.election.state) ??
    (sent.some((message) => hopsOf(message) > MOST_HOPS)
      ? 'a message goes round and round'
      : null) ??
    goneFault(after.election.state, sent) ??
    orderFault(before, sent) ??
    answerFault(after, happening, sent)
  );
}

function sentBy(output: Output): ElectionMessage[] {
  if (output.do !== 'tell' || output.event.type !== 'sent') return [];
  return [output.event.message];
}

function hopsOf(message: ElectionMessage): number {
  return message.type === 'claim' ? message.hops : message.decision.hops;
}

function stateFault(before: ElectionState, after: ElectionState): string | null {
  if (after.term < before.term) return `the term falls from ${before.term} to ${after.term}`;
  const known = decisionOf(before);
  const decided = decisionOf(after);
  if (decided?.leader.priority === 0) return 'a peer of priority 0 leads';
  if (decided !== null && known?.leader.id !== decided.leader.id)
    if (after.removed.includes(decided.leader.id)) return 'a leader known to be gone is taken on';
  if (known === null || after.term !== before.term) return null;
  if (decided === null) return 'a decided term is undecided again';
  return decided.leader.id === known.leader.id ? null : 'a second leader is decided in one term';
}

function goneFault({ removed }: ElectionState, sent: readonly ElectionMessage[]): string | null {
  return sent.some((message) => removed.includes(originOf(message)))
    ? 'a message of a peer known to be gone is sent'
    : null;
}

/** The claims of one term grow: within a turn, and where nothing is held also from turn to turn. */
function orderFault(before: Member, sent: readonly ElectionMessage[]): string | null {
  const { state } = before.election;
  const isHeld = before.hopDelay.setting !== null;
  let term = state.term;
  let last = isHeld || state.role.name === 'idle' ? null : lastClaim(state);
  for (const message of sent) {
    if (message.type !== 'claim') continue;
    if (message.term < term && !isHeld) return 'a claim of an earlier term is sent';
    if (message.term === term && last !== null && compareClaims(message.claim, last) !== 'greater')
      return 'the claims sent do not grow';
    ({ term, claim: last } = message);
  }
  return null;
}

function lastClaim({ role, claim }: ElectionState): Claim | null {
  if (role.name === 'candidate') return claim;
  return role.name === 'deferring' ? role.best : null;
}

/** One message that comes makes a member send one at most. */
function answerFault(
  { successor }: Member,
  happening: Happening,
  sent: readonly ElectionMessage[],
): string | null {
  if (happening.type !== 'link' || happening.event.type !== 'frame') return null;
  if (successor.outlet === 'loopback' || sent.length < 2) return null;
  const parsed = parseFrame(happening.event.frame);
  const isElection =
    parsed.ok && (parsed.value.message.type === 'claim' || parsed.value.message.type === 'elected');
  return isElection ? 'one message causes two' : null;
}

/** Two members that know different leaders of one term. */
export function clashOf(members: readonly Member[]): string | null {
  const leaders = new Map<number, string>();
  for (const { election } of members) {
    const leader = decisionOf(election.state)?.leader.id;
    if (leader === undefined) continue;
    const { term } = election.state;
    if ((leaders.get(term) ?? leader) !== leader) return `there are two leaders of term ${term}`;
    leaders.set(term, leader);
  }
  return null;
}
