/** What a peer knows of the election. */
import type { PeerId } from '../protocol/ids.ts';
import type { Claim, Decision, Policy } from '../protocol/messages.ts';

/**
 * A peer's part in its current term. Each role carries the data that only it has.
 * Tel's textbook states are given in brackets.
 */
export type Role =
  /** Has sent and relayed nothing in this term (`sleep`). */
  | { readonly name: 'idle' }
  /** Its own claim is on its way and nothing greater has passed (`cand`). */
  | { readonly name: 'candidate' }
  /** Has relayed `best`, which beats its own claim (`lost`). */
  | { readonly name: 'deferring'; readonly best: Claim }
  /** Knows the leader of this term, another peer. */
  | { readonly name: 'follower'; readonly decision: Decision }
  /** Its own claim came back. */
  | { readonly name: 'leader'; readonly decision: Decision };

/** Everything the election of one peer depends on. Values, never changed in place. */
export interface ElectionState {
  /** The peer's base claim. */
  readonly self: Claim;
  /** What it claims if it starts now: `self`, or one priority more if it is the incumbent. */
  readonly claim: Claim;
  readonly policy: Policy;
  /** Never falls. 0 until the peer has taken part in an election or heard of one. */
  readonly term: number;
  readonly role: Role;
  /** Peers known to be gone, oldest first; at most {@link MAX_REMOVED}. */
  readonly removed: readonly PeerId[];
}

/** How many departures a peer remembers: far more than can still have a token on the way. */
export const MAX_REMOVED = 256;

const MAX_PRIORITY = 255;

/**
 * A peer that has not yet heard of any election.
 * @param self its base claim; priority 0 to 255
 * @param policy of the room
 */
export function initialElection(self: Claim, policy: Policy): ElectionState {
  return { self, claim: self, policy, term: 0, role: { name: 'idle' }, removed: [] };
}

/** What a peer claims from the moment it leads until it knows of another leader. */
export function sittingClaim({ self, policy }: ElectionState): Claim {
  if (policy === 'highest') return self;
  return { ...self, priority: Math.min(self.priority + 1, MAX_PRIORITY) };
}

/** The decision of the current term, or null while there is none. */
export function decisionOf(state: ElectionState): Decision | null {
  return state.role.name === 'follower' || state.role.name === 'leader'
    ? state.role.decision
    : null;
}
